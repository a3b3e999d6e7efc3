"""What a conversion came to, as a document and as text."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """A conversion that was written. The fields, in this order, are the ``--json`` document.

    Attributes:
        evidence: What led to the verdict, one line each.
        output: File that was written; the published one when there is no other.
        published: File in the model folder, None when not published.
        source_bytes: Size of all files of the SavedModel.
        parity: Figures of the written file against TensorFlow; ``float32`` holds those of the float stage.
        repairs: What had to be mended, one line each.
        labels: How many labels are in the file.
        calibration: Rows given and their digest, None without calibration data.
    """

    verdict: str
    reason: str
    evidence: list[str]
    output: str
    published: str | None
    name: str
    sha256: str
    bytes: int
    source_bytes: int
    quantize: str
    signature: str
    parity: dict[str, Any]
    repairs: list[str]
    labels: int
    calibration: dict[str, Any] | None
    versions: dict[str, str]
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Return the ``--json`` document."""
        return asdict(self)

    def as_text(self) -> str:
        """Return the summary for people."""
        parity = describe_parity(self.parity)
        notes = [line for line in self.evidence if not line.endswith(parity)]
        lines = [
            f"{self.name}: {self.verdict}: {self.reason}",
            *(f"  repaired  {line}" for line in self.repairs),
            f"  parity    {parity}",
            *(f"  note      {line}" for line in notes),
            f"  size      {describe_bytes(self.source_bytes)} SavedModel, {describe_bytes(self.bytes)} now",
            *([f"  labels    {self.labels} in the file"] if self.labels else []),
            *(f"  written   {path}" for path in dict.fromkeys((self.output, self.published)) if path),
        ]
        if self.published:
            lines.append(f"  next      mmctl wait {self.name} && mmctl predict {self.name} -i INPUT.npy")
        else:
            lines.append(
                f"  next      copy it into the daemon's model folder, then: mmctl predict {self.name} -i INPUT.npy"
            )
        return "\n".join(lines)


def describe_parity(figures: dict[str, Any]) -> str:
    """Return the figures in words."""
    parts = []
    if figures["max_abs_error"] == 0:
        parts.append("equal to TensorFlow in every value")
    elif figures["relative_error"] is not None:
        parts.append(
            f"largest error {figures['max_abs_error']:.3g} ({figures['relative_error']:.3g} of the output's range)"
        )
    if figures["sqnr_db"] is not None:
        parts.append(f"SQNR {figures['sqnr_db']:.1f} dB")
    if figures["top1_agreement"] is not None:
        parts.append(f"same class in {figures['top1_agreement']:.1%} of the rows")
    if figures["equal_share"] is not None:
        parts.append(f"{figures['equal_share']:.1%} of the whole numbers equal")
    sizes = " and ".join(str(size) for size in figures["batches"])
    return f"{', '.join(parts)}; {figures['rows']} {figures['inputs']} rows, batch {sizes}"


def describe_bytes(count: int) -> str:
    """Return a size for people."""
    size = float(count)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.2f} GB"
