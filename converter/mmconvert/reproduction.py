"""Making a file again from its own provenance, and telling what differs."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mmconvert.candidate.pick import read_pick
from mmconvert.conversion import Conversion
from mmconvert.job import Job
from mmconvert.origin import Origin, recall_origin
from mmconvert.pipeline import STAGES, run_stages
from mmconvert.progress import Progress
from mmconvert.workshop import open_workshop
from mmwire.errors import ClientError, ConvertError
from mmwire.tflite import DIGEST_ENTRY, IDENTIFIER, PROVENANCE_ENTRY, outline, verify_content


@dataclass(frozen=True, slots=True)
class Reproduction:
    """A file beside the one that converting again gives. The fields, in this order, are the ``--json`` document.

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
        return "\n".join(
            [f"{self.file}: converting again gives other bytes", *(f"  differs   {line}" for line in self.differences)]
        )


def reproduce(file: Path, given: Origin, cache: Path, progress: Progress) -> Reproduction:
    """Check a file's digest, make it again without any cache, and compare.

    Args:
        file: The file.
        given: Where the parts that it was made of lie, as far as the user named them.
        cache: The folder that remembers the places that are not given.
        progress: Shows the stages.

    Raises:
        MmError: ``MODEL_INVALID`` or ``DIGEST_MISMATCH``: the file is damaged; ``USAGE``: mmconvert did not make it, or
            its source is not known; or the reason why converting again was refused.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ConvertError("CONVERTER_FAILED", f"{file} cannot be read: {error.strerror}") from None
    found = outline(content)
    recorded = found.entry(content, PROVENANCE_ENTRY)
    if not verify_content(content, found) or recorded is None:
        raise ClientError(
            "USAGE",
            f"mmconvert did not make {file}: it carries no provenance and no digest",
            "give a .tflite file that mmconvert wrote",
        )
    provenance: dict[str, Any] = json.loads(recorded)
    if "recipe" not in provenance:
        raise ClientError(
            "USAGE",
            f"an older mmconvert made {file}, and did not write down the recipe",
            "convert the model again",
        )
    job = _job(file, content, provenance, given, cache)
    conversion = Conversion(job=job, picks=(read_pick(provenance["recipe"]),))
    stages = {name: stage for name, stage in STAGES.items() if name != "publish"}
    with open_workshop(job, progress) as workshop:
        conversion = run_stages(conversion, workshop, stages)
    if conversion.refusal is not None:
        raise conversion.refusal
    return _compare(file, content, conversion.product.content)


def _job(file: Path, content: bytes, provenance: dict[str, Any], given: Origin, cache: Path) -> Job:
    origin = given.completed_by(recall_origin(cache, content))
    if origin.source is None or not origin.source.exists():
        where = f"{origin.source} is gone" if origin.source is not None else "this machine does not remember it"
        message = f"the file is whole; making it again needs the model that it was made from, and {where}"
        raise ClientError(
            "USAGE", message, "name it with --source, and give --calibration and --eval as they were then"
        )
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


def _compare(file: Path, content: bytes, again: bytes) -> Reproduction:
    sha256 = hashlib.sha256(content).hexdigest()
    if again == content:
        return Reproduction(str(file), sha256, is_same=True)
    differences = _list_differences(content, again)
    error = ConvertError("PARITY_FAILED", f"converting again gives another file: {differences[0]}")
    return Reproduction(str(file), sha256, False, differences, error.as_dict())


def _list_differences(wanted: bytes, got: bytes) -> list[str]:
    if not got.startswith(IDENTIFIER, 4):
        return ["a FULL_TF folder instead of a file"]
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
