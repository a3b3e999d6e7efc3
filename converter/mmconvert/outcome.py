"""The result of a conversion, as a document and as text."""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mmconvert.conversion import Conversion
from mmconvert.parity.summary import describe_parity
from mmconvert.report.quantity import describe_bytes
from mmconvert.verdict import FULL_TF, REJECT


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a conversion ended. The fields, in this order, are the ``--json`` document.

    Attributes:
        evidence: What led to the verdict, one line each.
        output: File or FULL_TF folder that was written; the published one if there is no other, None if refused.
        published: The file or folder in the model folder, None if nothing was published.
        source_bytes: Size of all files of the input.
        inputs: Names of the first signature's inputs.
        parity: How the written file compares with TensorFlow; ``float32`` has the figures of the float model.
        repairs: What was mended, one line each.
        recipe: Name of the recipe by which the file was made.
        drop: Accuracy lost on rows held out, with its 95 % interval; None without real rows.
        labels: The number of labels that go with the model.
        calibration: The number of rows that were given and their digest, None without real inputs.
        search: All candidates with their figures, None where nothing was searched.
        operations: The operations of the written file, in their order.
        error: Why it was refused, None if it was not.
    """

    verdict: str
    reason: str
    evidence: list[str]
    output: str | None = None
    published: str | None = None
    name: str = ""
    sha256: str | None = None
    bytes: int = 0
    source_bytes: int = 0
    quantize: str = ""
    signatures: list[str] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    recipe: str = ""
    parity: dict[str, Any] = field(default_factory=dict)
    drop: dict[str, float] | None = None
    repairs: list[str] = field(default_factory=list)
    labels: int = 0
    calibration: dict[str, Any] | None = None
    versions: dict[str, str] = field(default_factory=dict)
    search: dict[str, Any] | None = None
    operations: list[dict[str, str]] = field(default_factory=list)
    seconds: float = 0.0
    error: dict[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the ``--json`` document."""
        return asdict(self)

    def as_text(self) -> str:
        """Return the summary for people."""
        parity = describe_parity(self.parity) if self.parity else ""
        notes = [line for line in self.evidence if not parity or not line.endswith(parity)]
        place = "beside the folder" if self.verdict == FULL_TF else "in the file"
        lines = [
            f"{self.name}: {self.verdict}: {self.reason}",
            *(f"  repaired  {line}" for line in self.repairs),
            *([f"  parity    {parity}"] if parity else []),
            *(f"  note      {line}" for line in notes),
            f"  size      {describe_bytes(self.source_bytes)} SavedModel, {describe_bytes(self.bytes)} now",
            *([f"  labels    {self.labels} {place}"] if self.labels else []),
            *(f"  written   {path}" for path in dict.fromkeys((self.output, self.published)) if path),
        ]
        if self.verdict == FULL_TF:
            lines.append("  next      serve it on a machine with TensorFlow: pip install 'mmdaemon[tensorflow]'")
        elif self.published:
            lines.append(f"  next      mmctl wait {self.name} && {self._predict(self.name)}")
        else:
            name = Path(self.output or "").stem  # in the model folder, the file's name is the model's
            lines.append(f"  next      copy it into the daemon's model folder, then: {self._predict(name)}")
        return "\n".join(lines)

    def _predict(self, name: str) -> str:
        each = [f"-i {shlex.quote(given)}=INPUT" for given in self.inputs]
        return f"mmctl predict {name} {' '.join(each) if len(each) > 1 else '-i INPUT'} (npy, npz, csv, an image)"


def tell(conversion: Conversion, seconds: float) -> Outcome:
    """Return the outcome of a conversion that is over."""
    job, error = conversion.job, conversion.refusal
    evidence = list(conversion.evidence)
    if error is not None:
        return Outcome(REJECT, error.message, evidence, name=job.name, seconds=seconds, error=error.as_dict())
    subject, product, places = conversion.subject, conversion.product, conversion.places
    facts = product.provenance
    return Outcome(
        verdict=product.verdict,
        reason=product.reason,
        evidence=evidence,
        output=str(places[0]),
        published=str(places[-1]) if job.publish is not None else None,
        name=job.name,
        sha256=hashlib.sha256(product.content).hexdigest(),
        bytes=product.total_bytes,
        source_bytes=subject.stamp.total_bytes,
        quantize=job.quantize,
        signatures=facts["signatures"],
        inputs=[tensor.name for tensor in subject.signatures[0].inputs],
        recipe=facts.get("recipe", {}).get("recipe", ""),
        parity=facts.get("parity", {}),
        drop=facts.get("drop"),
        repairs=facts["repairs"],
        labels=len(subject.labels),
        calibration=facts["calibration"],
        versions=facts["versions"],
        search=conversion.search,
        operations=list(product.operations),
        seconds=seconds,
    )
