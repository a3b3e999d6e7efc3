"""Where the parts of a published file lie on this machine. The cache remembers it, the file does not."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from pathlib import Path

from mmconvert.cache import Cache, read_json, write_json
from mmconvert.job import Job

_FACTS_FILE = "origin.json"


@dataclass(frozen=True, slots=True)
class Origin:
    """The paths on this machine from which a file was made; None for a part that is not known or was not used."""

    source: Path | None = None
    calibration: Path | None = None
    evaluation: Path | None = None
    labels: Path | None = None

    def completed_by(self, other: Origin) -> Origin:
        """Return this origin, with its missing parts taken from another one."""
        return Origin(*(getattr(self, part.name) or getattr(other, part.name) for part in fields(self)))


def remember_origin(job: Job, content: bytes) -> None:
    """Note where the parts of a published file lie, so that it can be made again. Without a cache, do nothing."""
    if job.cache is None:
        return
    paths = [job.source, job.calibration, job.evaluation, job.labels]
    place = Cache(job.cache).get("origin", hashlib.sha256(content).hexdigest(), lambda folder: None)
    write_json(place / _FACTS_FILE, [None if path is None else str(path.resolve()) for path in paths])


def recall_origin(cache: Path, content: bytes) -> Origin:
    """Return what is remembered of a file; for a file that another machine made, an empty origin."""
    place = Cache(cache).place("origin", hashlib.sha256(content).hexdigest()) / _FACTS_FILE
    if not place.is_file():
        return Origin()
    return Origin(*(None if path is None else Path(path) for path in read_json(place)))
