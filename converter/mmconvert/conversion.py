"""One conversion on its way: everything that the stages found, in the order in which they find it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from mmconvert.backends.tensorflow.backend import FloatModel
from mmconvert.calibration.dataset import Dataset
from mmconvert.candidate.candidate import Candidate
from mmconvert.candidate.pick import Pick
from mmconvert.feed import Feed
from mmconvert.job import Job
from mmconvert.parity.statistic import Interval
from mmconvert.source.subject import Subject
from mmwire.errors import InternalError, MmError


class _Unknown:
    """Stands in a field until its stage has run, so that reading the field too early fails loudly."""

    def __getattr__(self, name: str) -> NoReturn:
        raise InternalError("INTERNAL", f"{name!r} was read before the stage that finds it")


_UNKNOWN: Any = _Unknown()


@dataclass(frozen=True, slots=True)
class Equivalence:
    """How equal the float model is to the original.

    Attributes:
        parity: Figures over the rows that were held to the limits.
        rows: By signature, rows with TensorFlow's answers to them: later stages compare with these.
    """

    parity: dict[str, Any]
    rows: dict[str, tuple[list[Feed], list[Feed]]]


@dataclass(frozen=True, slots=True)
class Verification:
    """How equal the chosen file is to the original.

    Attributes:
        drop: Accuracy lost on the rows held out, None without real rows.
        census: What the file holds.
        signatures: Its inputs and outputs.
        batches: Row counts that it really runs at once.
    """

    parity: dict[str, Any]
    drop: Interval | None
    census: dict[str, Any]
    signatures: dict[str, Any]
    batches: list[int]


@dataclass(frozen=True, slots=True)
class Product:
    """The files and facts that are published.

    Attributes:
        content: The packed file, or the ``mmconvert.json`` of a FULL_TF folder.
        total_bytes: Size of the file, or of all files of the folder.
        provenance: Where it comes from, as recorded in it.
        operations: Of the file, in their order.
        folder: The staged FULL_TF folder, None for a file.
    """

    content: bytes
    total_bytes: int
    verdict: str
    reason: str
    provenance: dict[str, Any]
    operations: tuple[dict[str, str], ...] = ()
    folder: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """The job, and everything that was found so far.

    Attributes:
        job: What was asked for.
        evidence: What led to the verdict, one line each.
        subject: From ``inspect``.
        dataset: From ``calibrate``; None without real inputs.
        model: From ``convert``.
        equivalence: From ``gate``.
        obstacle: Why there can be no ``.tflite``; None when nothing stands in the way.
        picks: From ``search``, the best first; a file that is made again brings its own.
        search: The whole search as a document, None where nothing was searched.
        candidate: From ``verify``: the file that was chosen.
        verification: From ``verify``.
        product: From ``pack``.
        places: From ``publish``: what was written.
        refusal: Why the conversion ended without a product; None when it did not.
    """

    job: Job
    evidence: tuple[str, ...] = ()
    subject: Subject = _UNKNOWN
    dataset: Dataset | None = None
    model: FloatModel = _UNKNOWN
    equivalence: Equivalence = _UNKNOWN
    obstacle: MmError | None = None
    picks: tuple[Pick, ...] = ()
    search: dict[str, Any] | None = None
    candidate: Candidate = _UNKNOWN
    verification: Verification = _UNKNOWN
    product: Product = _UNKNOWN
    places: tuple[Path, ...] = ()
    refusal: MmError | None = None

    def adding(self, *evidence: str, **found: Any) -> Conversion:
        """Return the conversion with more evidence and with fields that a stage found."""
        return replace(self, evidence=(*self.evidence, *evidence), **found)
