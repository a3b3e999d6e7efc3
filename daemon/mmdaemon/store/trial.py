"""Trial results, kept by model, runtime and CPU, so that a restart does not try a model again."""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import dataclass, field, fields
from typing import Any

from mmdaemon.store.durable import write_whole
from mmdaemon.store.layout import Layout
from mmwire.errors import CODES, MmError, RemoteWireError, error_from_dict
from mmwire.tensor import SignatureSpec
from mmwire.tflite import ModelState

_SUFFIX = ".json"
# The edition of what a trial finds out. With a new number the daemon tries every model again.
_EDITION = 3


@dataclass(frozen=True, slots=True)
class TrialResult:
    """The result of one trial.

    Attributes:
        ok: Whether the model can be served.
        code: If it cannot: the code of the error.
        message: If it cannot: what was expected and what came.
        hint: If it cannot: what to do about it.
        transient: Whether another trial may end in another way. Such a result is never kept.
        phase: The phase in which the trial ended: import, read, load, run, batch.
        detail: The last words of the model's process, for ``mmctl show``.
        signatures: ``SignatureSpec.as_dict()`` of each signature.
        batch: Rows that one invocation may run together.
        state: Where the model keeps state.
        labels: The labels in the file, by index.
        load_ms: How long the load took.
        run_us: How long one row took.
        memory_bytes: The growth of the resident set.
    """

    ok: bool
    code: str = ""
    message: str = ""
    hint: str = ""
    transient: bool = False
    phase: str = ""
    detail: str = ""
    signatures: list[dict[str, Any]] = field(default_factory=list)
    batch: int = 1
    state: str = ModelState.NONE.value
    labels: list[str] = field(default_factory=list)
    load_ms: float = 0.0
    run_us: float = 0.0
    memory_bytes: int = 0

    def error(self) -> MmError:
        """Return why the model cannot be served. Only for a result that is not ok."""
        return error_from_dict(
            {"code": self.code, "message": self.message, "hint": self.hint, "retryable": self.transient}
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {key.name: getattr(self, key.name) for key in fields(self)}

    @classmethod
    def from_dict(cls, values: Any) -> TrialResult:
        """Read the JSON form. Keys of a later release are ignored.

        Raises:
            ValueError: It is not a trial result, or a good one without what serving needs.
        """
        if not isinstance(values, dict):
            raise ValueError("a trial result is an object")
        known = {key.name: values[key.name] for key in fields(cls) if key.name in values}
        for name, value in known.items():
            if not _fits(value, _KINDS[name]):
                raise ValueError(f"a trial result's {name}: {value!r:.60}")
        if "ok" not in known:
            raise ValueError("a trial result without ok")
        result = cls(**known)
        if not result.ok and result.code not in CODES:
            raise ValueError(f"a trial result's code: {result.code!r:.60}")
        if result.batch < 1 or result.state not in tuple(ModelState) or result.memory_bytes < 0:
            raise ValueError("a trial result's batch, state or memory")
        if not all(isinstance(label, str) for label in result.labels):
            raise ValueError("a trial result's labels")
        try:
            specs = [SignatureSpec.from_dict(spec) for spec in result.signatures]
        except RemoteWireError as error:
            raise ValueError(error.message) from None
        if result.ok and not specs:
            raise ValueError("a good trial result without signatures")
        return result


_KINDS: dict[str, type] = {
    "ok": bool,
    "code": str,
    "message": str,
    "hint": str,
    "transient": bool,
    "phase": str,
    "detail": str,
    "signatures": list,
    "batch": int,
    "state": str,
    "labels": list,
    "load_ms": float,
    "run_us": float,
    "memory_bytes": int,
}


def _fits(value: Any, kind: type) -> bool:
    if kind is float:
        return type(value) in (int, float)
    return type(value) is kind


def trial_key(sha256: str, runtime: str, version: str, cpu: str) -> str:
    """Return the name of a trial result: the digest of the model, and a digest of all else that it depends on."""
    return f"{sha256}-{hashlib.sha256(repr((_EDITION, runtime, version, cpu)).encode()).hexdigest()[:16]}"


class TrialResults:
    """The trial results of one store.

    Thread: any for every method.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def get(self, key: str) -> TrialResult | None:
        """Return a trial result, None when none can be read. Then the daemon tries the model again."""
        try:
            return TrialResult.from_dict(json.loads((self._layout.trials / (key + _SUFFIX)).read_bytes()))
        except (OSError, ValueError, RecursionError):
            return None

    def put(self, key: str, result: TrialResult) -> None:
        """Keep a trial result, unless it is transient. A full disk only costs one more trial."""
        if not result.transient:
            with contextlib.suppress(OSError):
                write_whole(
                    self._layout.trials / (key + _SUFFIX), json.dumps(result.as_dict()).encode(), self._layout.tmp
                )

    def collect(self, keep: set[str]) -> None:
        """Remove the results of models whose SHA-256 is not in ``keep``."""
        with contextlib.suppress(OSError):
            for path in self._layout.trials.iterdir():
                if path.name.partition("-")[0] not in keep:
                    path.unlink(missing_ok=True)
