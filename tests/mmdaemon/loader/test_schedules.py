"""Random schedules against the loader: whatever happens in whatever order, what is promised holds.

A seed that fails prints the shortest schedule that was found to fail in the same way. ``make test`` plays 200 seeds.
``make test-soak`` (``MM_SOAK=1``) plays 10,000 others each time. ``MM_SOAK_SEED`` says which seed is the first: a run
with the seed of a failure begins with it.
"""

from __future__ import annotations

import os
import time
import traceback
from dataclasses import dataclass

import pytest

from mmdaemon.folder.snapshot import Snapshot
from mmdaemon.loader.name_state import NameState
from mmdaemon.log.logger import LOG
from mmdaemon.registry.state import VersionState
from rig.loader_schedule import ANCHOR, NAMES, Step, draw, play
from rig.loader_world import PACE, World
from rig.made_up_folder import content_of, threads_of

IS_SOAK = bool(os.environ.get("MM_SOAK"))
FIRST = int(os.environ.get("MM_SOAK_SEED") or (time.time_ns() % 10**9 if IS_SOAK else 0))
SEEDS = range(FIRST, FIRST + (10_000 if IS_SOAK else 200))


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The diary of the schedule that fails says it better than the log of all that were played."""
    monkeypatch.setattr(LOG, "disabled", True)


# After every event and every look.


def registry_and_dispatcher_agree(world: World) -> None:
    for name in (ANCHOR, *NAMES):
        serving = world.serving(name)
        if name not in world.registry:
            assert not serving, f"{name}: the registry does not know what serves"
            continue
        model = world.registry.model(name)
        ready = [version.number for version in model.versions.values() if version.state is VersionState.READY]
        assert model.serving == serving, f"{name}: the registry shows another version than serves"
        assert ready == ([serving] if serving else []), f"{name}: the versions shown as ready are not those that serve"


def one_load_at_a_time(world: World) -> None:
    names = [load.candidate.name for load in world.loads]
    assert len(names) == len(set(names)), "two loads of one name are under way"
    for name, state in world.comparison._states.items():
        assert (state.load is not None) == (name in names), f"{name}: the loader does not know what it loads"


def an_unload_holds(world: World) -> None:
    for name in world.unloaded:
        assert world.records.is_unloaded(name), f"{name}: its unload was forgotten"
        assert not world.serving(name), f"{name} serves though it was unloaded"
    begun = {load.candidate.name for load in world.loads if not load.is_outdated}
    assert not begun & world.unloaded.keys(), "a load begins though its name was unloaded"


def a_refused_file_rests(world: World) -> None:
    """Only a change of its files, or its owner, makes the daemon try again what it refused."""
    for load in world.loads:
        assert load.candidate not in world.refused, f"{load.candidate.name}: what was refused is tried again unchanged"


def attempts_stay_few(world: World) -> None:
    """Those of files that went may stay until the name is decided upon again."""
    for name, state in world.comparison._states.items():
        assert len(state.attempts._attempts) <= len(state.sources) + 8, f"{name}: its attempts grow without end"


def the_next_look_is_to_come(world: World) -> None:
    assert world.look_due > world.now, "the daemon looks again at once, for ever"


def nobody_is_told_too_early(world: World, snapshot: Snapshot) -> None:
    """Nobody who waits for a name in the folder is told that there is none."""
    for name in {*snapshot.sources, *(problem.name for problem in snapshot.problems)}:
        assert name in world.registry or world.comparison.is_undecided(name), f"{name} is seen, and nothing is due"


def nobody_waits_for_nothing(world: World, snapshot: Snapshot) -> None:
    there = {*snapshot.sources, *(problem.name for problem in snapshot.problems)}
    for name in {*world.registry.names()} - there - {load.candidate.name for load in world.loads}:
        assert not world.comparison.is_undecided(name), f"{name} is undecided, and nothing of it is seen or loaded"


def a_lost_mount_retires_nothing(world: World, snapshot: Snapshot) -> None:
    if snapshot.is_empty:
        assert not world.retired & world.seen.keys(), "a name was retired when its folder could not be seen"


def what_serves_goes_on(world: World, before: dict[str, int], snapshot: Snapshot | None) -> None:
    """Only a look may end it: no file that may serve is there, and nothing lies in the place of what served."""
    for name, version in before.items():
        if not version or world.serving(name):
            continue
        assert snapshot is not None, f"{name} was dropped, and not by a look"
        assert snapshot.available and not snapshot.is_empty, f"{name} was dropped while its folder could not be seen"
        there = world.folder.versions(name)
        assert version not in there and None not in there, f"{name} was dropped while its file is there"
        assert not any(map(world.may_serve, snapshot.sources.get(name, ()))), f"{name} was dropped, and could be served"
        missed, since = world.gone_since[name]
        assert missed == version and world.now >= since + PACE.retire_grace_s, f"{name} was dropped before its time"


def numbers_of_a_flat_file_only_grow(world: World) -> None:
    numbers = world.published.get("flat", [])
    assert numbers == sorted(numbers), "an older version of flat serves again"


def check(world: World, before: dict[str, int], snapshot: Snapshot | None) -> None:
    registry_and_dispatcher_agree(world)
    one_load_at_a_time(world)
    an_unload_holds(world)
    a_refused_file_rests(world)
    attempts_stay_few(world)
    numbers_of_a_flat_file_only_grow(world)
    what_serves_goes_on(world, before, snapshot)
    if snapshot is not None:
        a_lost_mount_retires_nothing(world, snapshot)
    if snapshot is not None and snapshot.available:
        the_next_look_is_to_come(world)
        nobody_is_told_too_early(world, snapshot)
        nobody_waits_for_nothing(world, snapshot)


# At the end, when nothing is due any more.


def everything_is_decided(world: World) -> None:
    for name in world.registry.names():
        assert not world.comparison.is_undecided(name), f"{name} is undecided"
        for version in world.registry.model(name).versions.values():
            on_its_way = (VersionState.SETTLING, VersionState.LOADING, VersionState.RETIRING)
            assert version.state not in on_its_way, f"version {version.number} of {name} is {version.state} for ever"


def the_highest_usable_version_serves(world: World) -> None:
    for name, sources in world.folder.snapshot().sources.items():
        usable = [source for source in sources if world.may_serve(source)]
        if name in world.unloaded or not usable:
            continue
        best, serving = usable[-1], world.serving(name)
        assert serving, f"{name} can be served, and nothing serves"
        assert world.told(name) == ""
        is_flat = best.version is None
        # Where the file of the version that serves was overwritten badly, what was there goes on.
        is_kept = any(source.version == serving for source in sources if source not in usable)
        if not is_kept:
            assert is_flat or serving == best.version, f"{name}: version {serving} serves, not {best.version}"
            model = world.registry.model(name)
            assert model.versions[serving].sha256 == f"{content_of(best):064x}", f"{name}: other bytes serve"
            assert model.facts.options.threads == threads_of(best), f"{name}: it serves with other options"


def nothing_is_left_of_names_that_are_gone(world: World) -> None:
    names = {name for name, _ in world.folder.files}
    assert set(world.registry.names()) == names
    assert world.comparison._states.keys() == names
    for name in {*NAMES} - names:
        assert world.told(name) == "MODEL_NOT_FOUND"
        assert not world.records.last_served(name), f"the store keeps the bytes of {name}"
        assert not world.records.is_unloaded(name), f"the store keeps the unload of {name}"


def requests_are_told_why_nothing_serves(world: World) -> None:
    for name in world.registry.names():
        if not world.serving(name):
            expected = "MODEL_UNLOADED" if name in world.unloaded else "MODEL_QUARANTINED"
            assert world.told(name) == expected, name


def check_end(world: World) -> None:
    everything_is_decided(world)
    the_highest_usable_version_serves(world)
    nothing_is_left_of_names_that_are_gone(world)
    requests_are_told_why_nothing_serves(world)


# Playing, and shortening what fails.


@dataclass(frozen=True, slots=True)
class Failure:
    """A schedule that fails.

    Attributes:
        kind: Where: schedules of one kind fail in the same way.
        text: What is wrong, and what led there.
    """

    kind: str
    text: str


def failure_of(schedule: list[Step]) -> Failure | None:
    """Play a schedule; return None when every promise holds."""
    world = World()
    try:
        play(world, schedule, check)
        check_end(world)
    except Exception as error:  # a bug may raise anything
        where = traceback.extract_tb(error.__traceback__)[-1]
        what = "".join(traceback.format_exception_only(error)).strip()
        kind = f"{type(error).__name__} in {where.name}, line {where.lineno}"
        return Failure(kind, "\n".join([*world.diary, f"{kind}: {what}"]))
    return None


def shortened(schedule: list[Step], failure: Failure) -> tuple[list[Step], Failure]:
    """Leave out whatever is not needed for a failure of the same kind: halves first, single steps last."""
    size = len(schedule) // 2
    while size:
        for start in reversed(range(0, len(schedule), size)):
            shorter = schedule[:start] + schedule[start + size :]
            found = failure_of(shorter)
            if found is not None and found.kind == failure.kind:
                schedule, failure = shorter, found
        size //= 2
    return schedule, failure


@pytest.mark.parametrize("seed", SEEDS)
def test_every_promise_holds_in_every_schedule(seed: int) -> None:
    schedule = draw(seed)
    failure = failure_of(schedule)
    if failure is not None:
        shorter, failure = shortened(schedule, failure)
        pytest.fail(f"seed {seed}, {len(shorter)} of its {len(schedule)} steps:\n{failure.text}", pytrace=False)


def test_a_bug_is_found_and_its_schedule_is_shortened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NameState, "stays_unloaded", lambda _: False)
    schedule, failure = next((schedule, found) for schedule in map(draw, range(20)) if (found := failure_of(schedule)))
    assert failure.kind.startswith("AssertionError in an_unload_holds")
    shorter, failure = shortened(schedule, failure)
    assert len(shorter) < 10
    assert "mmctl unload" in failure.text and "its unload was forgotten" in failure.text
