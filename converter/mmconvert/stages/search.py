"""Stage search: run it, or take the result of an earlier run on the same model, data and machine."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

from mmconvert.backends.litert.backend import LiteRTBackend
from mmconvert.cache import Cache, read_json, write_json
from mmconvert.calibration.dataset import Dataset
from mmconvert.candidate.maker import Maker
from mmconvert.candidate.pick import Pick, read_pick
from mmconvert.digest import file_digest
from mmconvert.job import Job
from mmconvert.progress import Progress
from mmconvert.search.search import Search
from mmconvert.source.subject import Subject

_FACTS_FILE = "search.json"


def search(
    job: Job,
    subject: Subject,
    maker: Maker,
    produced: LiteRTBackend,
    dataset: Dataset,
    operations: list[dict[str, str]],
    cache: Cache,
    versions: dict[str, str],
    progress: Progress,
) -> tuple[list[Pick], dict[str, Any]]:
    """Return what may be published, the best first, and the whole search as a document.

    Raises:
        ConvertError: The float model itself cannot be run; or a child ended while it ran.
    """

    def make(place: Path) -> None:
        found = Search(
            maker,
            produced,
            dataset,
            operations,
            all(signature.takes_batches for signature in subject.signatures),
            job.preset,
            job.objective,
            job.max_drop,
            progress,
        )
        picks, document = found.run()
        write_json(place / _FACTS_FILE, {"picks": [pick.as_dict() for pick in picks], "search": document})

    key = [
        file_digest(maker.model.path),
        dataset.digest,
        dataset.has_answers,
        [job.preset, job.objective, job.max_drop, job.calibration is None, job.evaluation is None],
        versions,
        describe_cpu(),
    ]
    facts = read_json(cache.get("search", key, make) / _FACTS_FILE)
    return list(map(read_pick, facts["picks"])), facts["search"]


def describe_cpu() -> str:
    """Return the name of this machine's CPU: times of another one say nothing here."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{platform.machine()} {names[0] if names else ''}".strip()
