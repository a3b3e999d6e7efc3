"""The stages from inspect to pack, in their order, in a private folder; what they make is published elsewhere.

inspect -> calibrate -> float -> gate -> search -> verify -> pack. What leads to no ``.tflite`` leaves this way early: a
refusal with its reason, or a folder for full TensorFlow.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmconvert.backends.litert.backend import LiteRTBackend
from mmconvert.backends.process.worker import Worker
from mmconvert.backends.tensorflow.backend import FloatModel, TensorFlowBackend
from mmconvert.cache import Cache
from mmconvert.calibration.dataset import Dataset, load_dataset
from mmconvert.candidate.candidate import Candidate
from mmconvert.candidate.maker import Maker
from mmconvert.candidate.pick import Pick, read_pick
from mmconvert.candidate.recipe import EXPLICIT
from mmconvert.job import Job
from mmconvert.pack.provenance import tool_versions
from mmconvert.progress import Progress
from mmconvert.source.subject import Subject
from mmconvert.stages.full_tf import stage_full_tf
from mmconvert.stages.gate import Equivalence, require_equivalence
from mmconvert.stages.inspect import inspect_source
from mmconvert.stages.pack import pack
from mmconvert.stages.search import search
from mmconvert.stages.verify import Verification, Verifier
from mmconvert.verdict import FULL_TF, decide, full_tf_ground
from mmwire.errors import ConvertError


@dataclass(slots=True)
class Product:
    """What passed every gate, with what is to be told of it.

    Attributes:
        content: The packed file, or the ``mmconvert.json`` of a FULL_TF folder.
        folder: The staged FULL_TF folder, None for a file.
    """

    subject: Subject
    content: bytes
    total_bytes: int
    verdict: str
    reason: str
    facts: dict[str, Any]
    evidence: list[str]
    search: dict[str, Any] | None = None
    operations: list[dict[str, str]] = field(default_factory=list)
    folder: Path | None = None


@contextmanager
def build(job: Job, progress: Progress, evidence: list[str], pick: dict[str, Any] | None = None) -> Iterator[Product]:
    """Do the stages from inspect to pack in a private folder that is gone when the block ends.

    Args:
        job: What was asked for.
        progress: Told the stages.
        evidence: Lines are appended as they become known, so that a refusal has those that led to it.
        pick: A recipe to take without a search, as the provenance of a file names it.

    Raises:
        MmError: What refused the conversion.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="mmconvert-") as folder:
            workspace = Path(folder)
            cache = Cache(job.cache or workspace / "cache")
            with _Build(job, progress, evidence, cache, workspace) as stages:
                product = stages.run(pick)
            if job.cache is not None:
                cache.trim()
            yield product
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConvertError(
            "CONVERTER_FAILED",
            f"the temporary folder {tempfile.gettempdir()} or the cache cannot be used: {reason}",
            "point TMPDIR to a folder with room, or use --no-cache",
        ) from None


class _Build:
    """One run through the stages, with the child processes that it takes."""

    def __init__(self, job: Job, progress: Progress, evidence: list[str], cache: Cache, workspace: Path) -> None:
        deadline = time.monotonic() + job.limits.wall_s
        self._job = job
        self._progress = progress
        self._evidence = evidence
        self._cache = cache
        self._workspace = workspace
        self._versions = tool_versions()
        self._tensorflow, self._litert, self._scale = (
            Worker(f"mmconvert.backends.{name}.child", workspace, job.limits, deadline)
            for name in ("tensorflow", "litert", "litert")
        )

    def __enter__(self) -> _Build:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in (self._tensorflow, self._litert, self._scale):
            worker.stop()

    def run(self, pick: dict[str, Any] | None) -> Product:
        """Do the stages."""
        job, progress = self._job, self._progress
        progress.on_stage("inspect", str(job.source))
        subject = inspect_source(job, self._tensorflow, self._cache, self._versions, self._evidence)
        dataset = self._load_dataset(subject)
        original = TensorFlowBackend(subject, self._tensorflow, self._cache, self._workspace, self._versions)
        facts: dict[str, Any] = {
            "source_digest": subject.digest,
            "signatures": [signature.name for signature in subject.signatures],
            "quantize": job.quantize,
            "calibration": {"rows": dataset.rows, "digest": dataset.digest} if dataset else None,
            "versions": self._versions,
            "repairs": subject.repairs,
        }
        try:
            progress.on_stage("float", "converting to a float model")
            model = original.convert()
            facts["repairs"] = [*subject.repairs, *model.repairs]
            produced = LiteRTBackend(
                self._litert, self._scale, self._cache, self._workspace, self._versions, model.keeps_state
            )
            progress.on_stage("gate", "comparing the float model with TensorFlow")
            equivalence = require_equivalence(subject, model, original, produced, dataset)
        except ConvertError as error:
            ground = full_tf_ground(error)
            if ground is None:
                raise
            self._evidence.append(f"{ground}: {error.message}")
            return self._keep_full_tf(error, subject, original, dataset, facts)
        self._evidence += equivalence.evidence
        return self._finish(subject, dataset, original, model, produced, equivalence, facts, pick)

    def _load_dataset(self, subject: Subject) -> Dataset | None:
        job = self._job
        if not job.has_data:
            return None
        self._progress.on_stage("calibrate", f"reading {job.calibration or job.evaluation}")
        dataset = load_dataset(job.calibration, job.evaluation, subject.signatures, subject.labels)
        self._evidence += dataset.notices
        self._evidence += dataset.tell_coarse(job.max_drop) if job.searches else []
        return dataset

    def _keep_full_tf(
        self,
        error: ConvertError,
        subject: Subject,
        original: TensorFlowBackend,
        dataset: Dataset | None,
        facts: dict[str, Any],
    ) -> Product:
        self._progress.on_stage("pack", "keeping the SavedModel for full TensorFlow")
        reason = f"LiteRT cannot run it as TensorFlow does: {error.message}"
        folder, content = stage_full_tf(subject, original, dataset, reason, self._evidence, facts, self._workspace)
        facts["repairs"] = [*subject.repairs, *original.repairs]
        total_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        return Product(subject, content, total_bytes, FULL_TF, reason, facts, self._evidence, folder=folder)

    def _finish(
        self,
        subject: Subject,
        dataset: Dataset | None,
        original: TensorFlowBackend,
        model: FloatModel,
        produced: LiteRTBackend,
        equivalence: Equivalence,
        facts: dict[str, Any],
        pick: dict[str, Any] | None,
    ) -> Product:
        """Do the stages from search to pack."""
        job, progress = self._job, self._progress
        maker = Maker(model, original, produced, dataset)
        max_drop = job.max_drop if job.searches or job.evaluation is not None else None
        verifier = Verifier(subject, model, original, produced, dataset, equivalence, max_drop)
        document: dict[str, Any] | None = None
        if pick is not None:
            picks = [read_pick(pick)]
        elif job.searches and dataset is not None:
            progress.on_stage("search", "looking for the best form")
            operations: list[dict[str, str]] = produced.describe(model.path)["operations"]
            picks, document = search(
                job, subject, maker, produced, dataset, operations, self._cache, self._versions, progress
            )
        else:
            picks = [Pick(EXPLICIT["float32" if job.quantize == "auto" else job.quantize])]
        chosen, verification, told = self._verify(picks, verifier, maker)
        self._evidence += verification.evidence
        progress.on_stage("pack", "writing goldens, labels, provenance and digest into the file")
        verdict, reason = decide(verification.census)
        facts |= {
            "verdict": verdict,
            "parity": verification.parity,
            "drop": verification.drop.as_dict() if verification.drop else None,
            "recipe": {
                "recipe": chosen.recipe.name,
                "kept_float": list(chosen.recipe.kept_float),
                "is_static": chosen.is_static,
            },
        }
        packed = pack(chosen, subject, produced, dataset, verification, facts, self._workspace)
        if document is not None:
            document |= told
            reason = f"{reason}; {document['reason']}"
            self._evidence += document["notes"]
        operations = produced.describe(self._workspace / "packed.tflite")["operations"]
        return Product(subject, packed, len(packed), verdict, reason, facts, self._evidence, document, operations)

    def _verify(
        self, picks: Sequence[Pick], verifier: Verifier, maker: Maker
    ) -> tuple[Candidate, Verification, dict[str, Any]]:
        """Return the first of the picks that holds, and what the document of a search says of it.

        Raises:
            ConvertError: As ``Verifier.require_good``, of the last of them.
        """
        failed: list[str] = []
        *better, last = picks
        for pick in better:
            candidate = self._make(pick, maker)
            try:
                return candidate, verifier.require_good(candidate), _told(pick, failed)
            except ConvertError as error:
                self._evidence.append(f"accuracy gate failed: {error.message}")
                failed.append(candidate.name)
        candidate = self._make(last, maker)
        return candidate, verifier.require_good(candidate), _told(last, failed)

    def _make(self, pick: Pick, maker: Maker) -> Candidate:
        candidate = maker.require(pick.recipe, pick.is_static)
        self._progress.on_stage("verify", f"comparing {candidate.name} with TensorFlow")
        return candidate


def _told(pick: Pick, failed: Sequence[str]) -> dict[str, Any]:
    if not failed:
        return pick.told
    return pick.told | {"reason": f"{' and '.join(failed)} failed on rows held out; {pick.told['reason']}"}
