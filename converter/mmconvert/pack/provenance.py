"""Provenance: where a file comes from, in enough detail to make it again and compare."""

from __future__ import annotations

import contextlib
import json
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from mmconvert.calibration.dataset import Dataset
from mmconvert.source.subject import Subject

FORMAT = 1
_DISTRIBUTION = "mmdaemon"
_TOOLS = {
    "numpy": ("numpy",),
    "tensorflow": ("tensorflow", "tensorflow-cpu"),
    "keras": ("keras",),
    "tf-keras": ("tf-keras",),
    "ai-edge-litert": ("ai-edge-litert",),
    "litert-quantizer": ("litert-quantizer",),
}


def tool_versions() -> dict[str, str]:
    """Return the versions of the tools of a conversion, by name, without importing any of them."""
    found = {"mmconvert": version(_DISTRIBUTION), "python": platform.python_version()}
    for name, distributions in _TOOLS.items():
        for distribution in distributions:
            with contextlib.suppress(PackageNotFoundError):
                found.setdefault(name, version(distribution))
    return found


def describe_origin(
    subject: Subject, dataset: Dataset | None, quantize: str, versions: Mapping[str, str], repairs: Sequence[str]
) -> dict[str, Any]:
    """Return what the provenance of every product says: what it was made of, and with which tools.

    Args:
        subject: The model.
        dataset: The real inputs, None without.
        quantize: The form that was asked for.
        versions: Of the tools, by name.
        repairs: Those of the conversion; those of the subject come first.
    """
    return {
        "source_digest": subject.digest,
        "signatures": [signature.name for signature in subject.signatures],
        "quantize": quantize,
        "calibration": {"rows": dataset.rows, "digest": dataset.digest} if dataset else None,
        "versions": dict(versions),
        "repairs": [*subject.repairs, *repairs],
    }


def provenance_json(facts: Mapping[str, Any]) -> bytes:
    """Return the ``MM_PROVENANCE`` entry; the same facts give the same bytes.

    It contains a time only if SOURCE_DATE_EPOCH is set, and then that time.

    Source: https://reproducible-builds.org/specs/source-date-epoch/
    """
    document = {"format": FORMAT, **facts}
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    if epoch.isdecimal():
        document["time"] = datetime.fromtimestamp(int(epoch), UTC).isoformat()
    return json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
