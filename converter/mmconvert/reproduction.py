"""Making a file again from what it says of itself, and saying what differs."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mmconvert.build import build
from mmconvert.job import Job
from mmconvert.origin import Origin, recall_origin
from mmconvert.progress import Progress
from mmwire.errors import ClientError, ConvertError
from mmwire.tflite import DIGEST_ENTRY, PROVENANCE_ENTRY, outline, verify_content


@dataclass(slots=True)
class Result:
    """What the comparison gave. The fields, in this order, are the ``--json`` document.

    Attributes:
        is_same: Whether converting again gave the same bytes.
        differences: What differs, one line each.
        error: None when it is the same.
    """

    file: str
    sha256: str
    is_same: bool = False
    differences: list[str] = field(default_factory=list)
    error: dict[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the ``--json`` document."""
        return asdict(self)

    def as_text(self) -> str:
        """Return the result for people."""
        if self.is_same:
            return f"{self.file}: whole, and converting again gives the same bytes (sha256 {self.sha256})"
        return "\n".join([f"{self.file}: not the same", *(f"  differs   {line}" for line in self.differences)])


def verify(file: Path, given: Origin, cache: Path, progress: Progress) -> Result:
    """Check a file's digest, make it again without any cache, and compare.

    Raises:
        MmError: ``MODEL_INVALID`` or ``DIGEST_MISMATCH``: the file is damaged; ``USAGE``: no mmconvert made it, or its
            source is not known; or what refused the conversion.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ConvertError("CONVERTER_FAILED", f"{file} cannot be read: {error.strerror}") from None
    found = outline(content)
    recorded = found.entry(content, PROVENANCE_ENTRY)
    if not verify_content(content, found) or recorded is None:
        raise ClientError("USAGE", f"{file} was not made by mmconvert: it carries no provenance and no digest")
    provenance: dict[str, Any] = json.loads(recorded)
    if "recipe" not in provenance:
        raise ClientError("USAGE", f"{file} was made by an older mmconvert, which did not write down the recipe")
    job = _job(file, content, provenance, given, cache)
    result = Result(str(file), hashlib.sha256(content).hexdigest())
    with build(job, progress, [], provenance["recipe"]) as product:
        result.is_same = product.content == content
        if not result.is_same:
            result.differences = _compare(content, product.content)
            result.error = ConvertError(
                "PARITY_FAILED", f"converting again gives another file: {result.differences[0]}"
            ).as_dict()
    return result


def _job(file: Path, content: bytes, provenance: dict[str, Any], given: Origin, cache: Path) -> Job:
    origin = given.completed_by(recall_origin(cache, content))
    if origin.source is None or not origin.source.exists():
        where = f"{origin.source} is gone" if origin.source is not None else "it is not remembered on this machine"
        message = f"the file is whole; to make it again, what it was made of is needed: {where}"
        raise ClientError("USAGE", message, "name it with --source, and --calibration and --eval as they were then")
    names = provenance["signatures"]
    return Job(
        source=origin.source,
        name=file.stem,
        quantize=provenance["quantize"],
        calibration=origin.calibration,
        evaluation=origin.evaluation,
        labels=origin.labels,
        signature=names[0] if len(names) == 1 else None,
    )


def _compare(wanted: bytes, got: bytes) -> list[str]:
    one, other = outline(wanted), outline(got)
    lines = []
    for name in sorted(set(one.metadata) | set(other.metadata)):
        before, after = one.entry(wanted, name), other.entry(got, name)
        if before == after or name == DIGEST_ENTRY:
            continue
        if name == PROVENANCE_ENTRY and before and after:
            lines += _compare_facts(json.loads(before), json.loads(after))
        else:
            lines.append(f"{name} ({len(before or b'')} bytes then, {len(after or b'')} now)")
    return lines or ["the graph: weights or operations"]


def _compare_facts(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    lines = []
    for name in sorted(set(before) | set(after)):
        old, new = before.get(name), after.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            lines += [
                f"{name}: {key}: {old.get(key)} then, {new.get(key)} now"
                for key in sorted(set(old) | set(new))
                if old.get(key) != new.get(key)
            ]
        elif old != new:
            lines.append(f"{name}: {old} then, {new} now")
    return lines
