"""Stage search: settles which forms may be published, the best first."""

from __future__ import annotations

import platform
from pathlib import Path

from mmconvert.cache import read_json, write_json
from mmconvert.calibration.dataset import Dataset
from mmconvert.candidate.maker import Maker
from mmconvert.candidate.pick import Pick, read_pick
from mmconvert.candidate.recipe import EXPLICIT
from mmconvert.conversion import Conversion
from mmconvert.digest import file_digest
from mmconvert.search.search import Goal, Search
from mmconvert.workshop import Workshop

_FACTS_FILE = "search.json"


def run(conversion: Conversion, workshop: Workshop) -> Conversion:
    """Return the conversion with its picks.

    A file that is made again brings its own pick, and a form that was asked for is the only pick. Otherwise the forms
    are searched, or the cache has an earlier search of the same model and data on this machine.

    Raises:
        ConvertError: The float model itself cannot be run; or a child ended while it ran.
    """
    job, dataset = conversion.job, conversion.dataset
    if conversion.picks:
        return conversion
    if dataset is None or not job.searches:
        return conversion.adding(picks=(Pick(EXPLICIT["float32" if job.quantize == "auto" else job.quantize]),))
    workshop.progress.on_step("looking for the best form")
    return _search(conversion, dataset, workshop)


def _search(conversion: Conversion, dataset: Dataset, workshop: Workshop) -> Conversion:
    job, subject, model = conversion.job, conversion.subject, conversion.model
    operations = tuple(workshop.litert.describe(model.path)["operations"])
    takes_batches = all(signature.takes_batches for signature in subject.signatures)
    goal = Goal(job.preset, job.objective, job.max_drop, takes_batches, operations)

    def make(place: Path) -> None:
        maker = Maker(workshop, subject, model, dataset)
        picks, document = Search(goal, maker, dataset, workshop).run()
        write_json(place / _FACTS_FILE, {"picks": [pick.as_dict() for pick in picks], "search": document})

    key = [
        file_digest(model.path),
        dataset.digest,
        dataset.has_classes,
        [job.preset, job.objective, job.max_drop, job.calibration is None, job.evaluation is None],
        workshop.versions,
        describe_cpu(),
    ]
    facts = read_json(workshop.cache.get("search", key, make) / _FACTS_FILE)
    return conversion.adding(picks=tuple(map(read_pick, facts["picks"])), search=facts["search"])


def describe_cpu() -> str:
    """Return the name of this machine's CPU: times of another one say nothing here."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{platform.machine()} {names[0] if names else ''}".strip()
