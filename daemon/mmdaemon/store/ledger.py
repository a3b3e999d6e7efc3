"""The records of names on disk, ``names/NAME.json``. A power cut leaves the old or the new one."""

from __future__ import annotations

import contextlib
import json
import re
import zlib
from pathlib import Path
from typing import Any

from mmdaemon.log.logger import LOG, about
from mmdaemon.store.durable import write_whole
from mmdaemon.store.layout import Layout
from mmdaemon.store.record import NameRecord
from mmwire.errors import ModelError
from mmwire.manifest import is_model_name

_SUFFIX = ".json"
_CHECK = "crc32"
_COUNTER = re.compile(rb'"next_version":\s*([1-9][0-9]{0,17})')
_NUMBERS = re.compile(rb'"([1-9][0-9]{0,17})":\s*\{')


class Ledger:
    """The records of all names.

    Thread: any, one at a time for a name.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def load_all(self) -> dict[str, NameRecord]:
        """Return the records by name. A damaged one is set aside; a new one begins above every number in it."""
        records: dict[str, NameRecord] = {}
        with contextlib.suppress(OSError):
            for path in sorted(self._layout.names.iterdir()):
                name = path.name.removesuffix(_SUFFIX)
                if path.name.endswith(_SUFFIX) and is_model_name(name):
                    records[name] = self.load(name)
        return records

    def load(self, name: str) -> NameRecord:
        """Return one record, or an empty one for a name that has none."""
        path = self._layout.names / (name + _SUFFIX)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return NameRecord(name)
        except OSError as error:
            LOG.warning("the record of %s cannot be read: %s", name, error, extra=about(name))
            return NameRecord(name)
        try:
            record = NameRecord.from_dict(_unsealed(data))
            if record.name != name:
                raise ValueError(f"it is the record of {record.name!r}")
        except ValueError as error:
            LOG.warning(
                "the record of %s is damaged (%s) and is set aside as %s.corrupt",
                name,
                error,
                path.name,
                extra=about(name),
            )
            return self._begin_anew(name, path, data)
        return record

    def save(self, record: NameRecord) -> None:
        """Write a record; when this returns, a power cut does not lose it.

        Raises:
            ModelError: ``STORE_FAILED`` (retryable): the disk is full, read-only or broken. The old record stays.
        """
        try:
            write_whole(self._layout.names / (record.name + _SUFFIX), _sealed(record.as_dict()), self._layout.tmp)
        except OSError as error:
            raise _failed(self._layout, error) from None

    def _begin_anew(self, name: str, path: Path, data: bytes) -> NameRecord:
        numbers = [int(found) for found in _NUMBERS.findall(data)]
        counters = [int(found) - 1 for found in _COUNTER.findall(data)]
        record = NameRecord(name, max([0, *numbers, *counters]) + 1)
        with contextlib.suppress(OSError):
            path.replace(path.with_name(path.name + ".corrupt"))
        with contextlib.suppress(ModelError):
            self.save(record)  # so that the next start knows the counter too
        return record


def _sealed(fields: dict[str, Any]) -> bytes:
    """Return JSON with a checksum, which tells when a bit of it flipped."""
    return json.dumps({**fields, _CHECK: _checksum(fields)}, indent=1).encode()


def _unsealed(data: bytes) -> Any:
    """Return the fields. A record without a checksum is accepted: somebody wrote it by hand.

    Raises:
        ValueError: It is not JSON, or a bit flipped.
    """
    try:
        fields = json.loads(data)
    except (RecursionError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"it is not JSON: {error}") from None
    if isinstance(fields, dict) and _CHECK in fields:
        recorded = fields.pop(_CHECK)
        if recorded != _checksum(fields):
            raise ValueError("its checksum does not match")
    return fields


def _checksum(fields: dict[str, Any]) -> int:
    return zlib.crc32(json.dumps(fields, sort_keys=True).encode())


def _failed(layout: Layout, error: OSError) -> ModelError:
    return ModelError(
        "STORE_FAILED",
        f"a record cannot be written to the store {layout.root}: {error.strerror}",
        "free some space there",
        retryable=True,
    )
