"""Folder against registry, driven synchronously: files, loads and time are all made up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mmdaemon.dispatch.deployment import Deployment
from mmdaemon.dispatch.dispatcher import Dispatcher
from mmdaemon.dispatch.request import Request
from mmdaemon.folder.identity import FileIdentity
from mmdaemon.folder.snapshot import FolderSource, Problem, Sidecar, Snapshot
from mmdaemon.loader.arrived import Arrived, Refused
from mmdaemon.loader.candidate import Candidate, StoredSource
from mmdaemon.loader.comparison import Comparison
from mmdaemon.loader.pace import Pace
from mmdaemon.loader.swap import Swap
from mmdaemon.registry.model import ServingFacts
from mmdaemon.registry.registry import Registry, Standing
from mmwire.errors import MmError, ModelError
from mmwire.manifest import ModelOptions
from mmwire.tensor import SignatureSpec, TensorSpec

SPEC = SignatureSpec("serving_default", (TensorSpec("x", "int8", (-1, 4)),), (TensorSpec("y", "int8", (-1, 4)),))
GRACE_S = 3.0
SETTLE_S = 0.2


class FakeRecords:
    def __init__(self) -> None:
        self.counter: dict[str, int] = {}
        self.unloaded: set[str] = set()
        self.stored: set[Path] = set()
        self.serving: list[tuple[str, int]] = []
        self.served_before: dict[str, int] = {}
        self.retired: list[str] = []

    def names_kept(self) -> list[str]:
        return [*{**self.served_before, **dict(self.serving), **dict.fromkeys(self.unloaded)}]

    def on_retired(self, name: str) -> None:
        self.retired.append(name)
        self.served_before.pop(name, None)
        self.serving = [served for served in self.serving if served[0] != name]
        self.unloaded.discard(name)

    def last_served(self, name: str) -> int:
        return self.served_before.get(name, 0)

    def next_version(self, name: str) -> int:
        return self.counter.get(name, 1)

    def is_stored(self, source: FolderSource) -> bool:
        return source.path in self.stored

    def is_unloaded(self, name: str) -> bool:
        return name in self.unloaded

    def is_kept(self, name: str, version: int) -> bool:
        return (name, version) in [served for served in self.serving if served[0] == name][-2:]

    def set_unloaded(self, name: str, unloaded: bool) -> None:
        (self.unloaded.add if unloaded else self.unloaded.discard)(name)

    def on_serving(self, name: str, version: int, options: ModelOptions) -> None:
        self.serving.append((name, version))


class NoReply:
    def on_answer(self, *_: Any) -> None:
        raise AssertionError("nothing is run here")

    on_error = on_answer


class World:
    """A folder, a clock, and loads that end when the test says so."""

    def __init__(self) -> None:
        self.records = FakeRecords()
        self.registry = Registry("fake")
        self.dispatcher = Dispatcher(2, 10, 1_000, lambda *_: None, lambda _: None)
        self.released: list[Deployment] = []
        self.swap = Swap(self.dispatcher, self.registry, self.released.append)
        self.started: list[tuple[Candidate, int]] = []
        self.discarded: list[Arrived] = []
        self.comparison = Comparison(self.records, self.registry, self.swap, self, Pace(10, SETTLE_S, 5, GRACE_S))
        self.now = 100.0
        self.files: dict[tuple[str, int | None], FolderSource] = {}
        self.problems: list[Problem] = []
        self.unsettled: set[Path] = set()
        self.available = True

    def start(self, candidate: Candidate, number: int) -> None:
        self.started.append((candidate, number))

    def discard(self, arrived: Arrived) -> None:
        self.discarded.append(arrived)

    def put(self, name: str, version: int | None = None, content: int = 1, **more: Any) -> FolderSource:
        path = Path(f"/m/{name}.tflite" if version is None else f"/m/{name}/{version}/model.tflite")
        source = FolderSource(name, version, more.pop("kind", "tflite"), path, FileIdentity(1, 2, 3, content, content))
        self.files[name, version] = replace(source, **more)
        return self.files[name, version]

    def look(self) -> float:
        sources: dict[str, list[FolderSource]] = {}
        for source in self.files.values():
            sources.setdefault(source.name, []).append(source)
        snapshot = Snapshot(self.available, "" if self.available else "gone", sources, self.problems)

        def is_settled(source: FolderSource, now: float) -> float | None:
            return now + 0.2 if source.path in self.unsettled else None

        return self.comparison.on_snapshot(snapshot, is_settled, self.now)

    def finish(self, good: bool = True, version: int = 0, retryable: bool = False, sha256: str = "") -> None:
        source, number = self.started.pop(0)
        number = version or number
        if source.version is None:
            self.records.counter[source.name] = max(self.records.counter.get(source.name, 1), number + 1)
        sha256 = sha256 or f"{source.identity.mtime_ns:064x}"
        if good:
            deployment = Deployment(source.name, number, {SPEC.name: SPEC}, 1, 1, [object()])
            options = ModelOptions(threads=source.options.identity.size if source.options else 1)
            facts = ServingFacts((SPEC,), ["cat"], options)
            self.comparison.on_result(source, Arrived(deployment, sha256, facts), self.now)
        else:
            error = ModelError("MODEL_INVALID", "it is broken", "mend it", retryable)
            self.comparison.on_result(source, Refused(error, number, sha256), self.now)

    def deploy(self, name: str, version: int | None = None, content: int = 1) -> None:
        self.put(name, version, content)
        self.look()
        self.finish()

    def serving(self, name: str) -> int:
        with self.dispatcher.scheduler() as scheduler:
            lane = scheduler.lanes.get(name)
            return lane.deployment.version if lane is not None and lane.deployment is not None else 0

    def told(self, name: str) -> str:
        with self.dispatcher.scheduler() as scheduler:
            try:
                scheduler.lane(name).serving()
            except MmError as error:
                return error.code
            return ""

    def states(self, name: str) -> dict[int, str]:
        return {v["version"]: v["state"] for v in self.registry.document(name)["versions"]}


@pytest.fixture
def world() -> World:
    return World()


def test_a_new_file_is_brought_up_once_and_served(world: World) -> None:
    world.put("a")
    world.look()
    world.look()
    assert [number for _, number in world.started] == [1]
    assert world.told("a") == "MODEL_LOADING"
    world.finish()
    assert world.serving("a") == 1
    world.look()
    assert not world.started
    assert world.records.serving == [("a", 1)]


def test_a_changing_file_settles_first(world: World) -> None:
    source = world.put("a")
    world.unsettled.add(source.path)
    assert world.look() == pytest.approx(world.now + 0.2)
    assert not world.started
    assert world.states("a") == {1: "settling"}
    assert world.told("a") == "MODEL_LOADING"
    world.unsettled.clear()
    world.look()
    assert len(world.started) == 1


def test_a_file_that_was_stored_before_need_not_settle_again(world: World) -> None:
    source = world.put("a")
    world.unsettled.add(source.path)
    world.records.stored.add(source.path)
    world.look()
    assert len(world.started) == 1


def test_the_old_version_serves_until_the_new_one_is_loaded(world: World) -> None:
    world.deploy("a")
    world.put("a", content=2)
    world.look()
    assert world.serving("a") == 1
    assert world.states("a") == {2: "loading", 1: "ready"}
    world.finish()
    assert world.serving("a") == 2
    assert world.states("a")[2] == "ready"


def test_a_bad_new_version_leaves_the_old_one_serving_and_is_not_tried_again(world: World) -> None:
    world.deploy("a")
    world.put("a", content=2)
    world.look()
    world.finish(good=False)
    world.look()
    assert world.serving("a") == 1
    assert world.states("a") == {2: "quarantined", 1: "ready"}
    assert not world.started
    assert world.registry.standing("a", 0, "")[0] is Standing.REFUSED
    world.put("a", content=3)
    world.look()
    assert len(world.started) == 1, "a changed file is tried again"


def test_a_bad_first_version_tells_requests_why(world: World) -> None:
    world.put("a")
    world.look()
    world.finish(good=False)
    assert world.told("a") == "MODEL_QUARANTINED"


def test_a_transient_failure_is_tried_again_later(world: World) -> None:
    world.put("a")
    world.look()
    world.finish(good=False, retryable=True)
    due = world.look()
    assert not world.started and world.told("a") == "MODEL_LOADING"
    world.now = due
    world.look()
    assert len(world.started) == 1
    world.finish(good=False, retryable=True)
    assert world.look() - world.now > due - 100.0, "and with more patience each time"


def test_the_same_bytes_again_are_no_new_version(world: World) -> None:
    world.deploy("a", content=1)
    world.put("a", content=2)
    world.look()
    assert world.states("a") == {2: "loading", 1: "ready"}
    world.finish(version=1, sha256=f"{1:064x}")
    assert world.states("a") == {1: "ready"}
    assert len(world.discarded) == 1, "what serves is not replaced by itself"


def test_versions_of_which_nothing_is_left_are_listed_no_more(world: World) -> None:
    for content in range(1, 6):
        world.deploy("a", content=content)
    world.look()
    assert world.states("a") == {5: "ready", 4: "unloaded"}


def test_new_options_load_the_same_version_again(world: World) -> None:
    world.deploy("a")
    world.put("a", options=Sidecar(Path("/m/a.toml"), FileIdentity(1, 1, 2, 1, 1)))
    world.look()
    world.finish(version=1, sha256=f"{1:064x}")
    assert world.registry.model("a").facts.options.threads == 2
    assert world.serving("a") == 1


def test_the_highest_good_version_folder_serves(world: World) -> None:
    for version in (1, 2, 3):
        world.put("a", version)
    world.look()
    assert [number for _, number in world.started] == [3]
    world.finish(good=False)
    world.look()
    assert [number for _, number in world.started] == [2]
    world.finish()
    world.look()
    assert not world.started
    assert world.states("a") == {3: "quarantined", 2: "ready", 1: "unloaded"}


def test_deleting_the_serving_version_folder_falls_back_after_the_grace_time(world: World) -> None:
    world.put("a", 1)
    world.deploy("a", 2)
    del world.files["a", 2]
    assert world.look() == world.now + GRACE_S
    assert not world.started
    world.now += GRACE_S
    world.look()
    assert [number for _, number in world.started] == [1]
    assert world.serving("a") == 2, "it serves until the other has been loaded"
    world.finish()
    assert world.serving("a") == 1
    assert world.registry.standing("a", 0, "")[0] is Standing.SERVES


def test_rm_then_cp_within_the_grace_time_never_stops_serving(world: World) -> None:
    world.put("b")
    world.deploy("a")
    del world.files["a", None]
    world.look()
    world.now += GRACE_S / 2
    world.put("a", content=2)
    world.look()
    assert world.serving("a") == 1
    world.now += GRACE_S
    world.look()
    assert world.serving("a") == 1


def test_a_deleted_file_retires_the_model_after_the_grace_time(world: World) -> None:
    world.deploy("b")
    world.deploy("a")
    del world.files["a", None]
    due = world.look()
    assert due == world.now + GRACE_S and world.serving("a") == 1
    world.now = due
    world.look()
    assert world.told("a") == "MODEL_NOT_FOUND" and "a" not in world.registry
    assert [deployment.name for deployment in world.released] == ["a"]


@pytest.mark.parametrize("available", [True, False])
def test_an_empty_or_vanished_folder_retires_nothing(world: World, available: bool) -> None:
    world.deploy("a")
    world.files.clear()
    world.available = available
    world.look()
    world.now += 10 * GRACE_S
    world.look()
    assert world.serving("a") == 1


def test_a_conflict_keeps_what_serves_and_shows_the_reason(world: World) -> None:
    world.deploy("a")
    world.put("a", 7)
    world.problems = [Problem("a", "/m/a", ModelError("MODEL_CONFLICT", "two layouts claim one name"))]
    world.look()
    assert not world.started and world.serving("a") == 1
    assert "two layouts" in world.registry.document("a")["reason"]
    del world.files["a", 7]
    world.problems = []
    world.look()
    assert "reason" not in world.registry.document("a")


def test_a_problem_without_a_source_is_shown_and_told(world: World) -> None:
    world.problems = [Problem("a", "/m/a.tflite", ModelError("MODEL_UNREADABLE", "it is a FIFO"))]
    world.look()
    assert world.told("a") == "MODEL_QUARANTINED"
    assert world.registry.document("a")["state"] == "quarantined"


KERAS = Problem("a", "/m/a.h5", ModelError("MODEL_INVALID", "a.h5 is a Keras model", "mmconvert a.h5"), is_foreign=True)


def test_a_foreign_file_is_told_until_it_is_gone(world: World) -> None:
    world.problems = [KERAS]
    world.look()
    assert world.told("a") == "MODEL_QUARANTINED" and "mmconvert a.h5" in world.registry.document("a")["reason"]
    world.problems = []
    world.look()
    world.now += GRACE_S
    world.look()
    assert world.told("a") == "MODEL_NOT_FOUND" and "a" not in world.registry


def test_a_foreign_file_does_not_keep_a_deleted_model_from_retiring(world: World) -> None:
    world.deploy("a")
    del world.files["a", None]
    world.problems = [KERAS]
    world.look()
    assert world.serving("a") == 1 and "reason" not in world.registry.document("a")
    world.now += GRACE_S
    world.look()
    assert [deployment.name for deployment in world.released] == ["a"]
    world.look()
    assert "a Keras model" in world.registry.document("a")["reason"]
    world.problems = []
    world.deploy("a", content=2)
    assert world.serving("a") == 2 and "reason" not in world.registry.document("a")


def test_a_problem_that_may_pass_counts_once_it_has_lasted(world: World) -> None:
    """As install(1) puts a file there: its owner's alone at first, then everybody's."""
    closed = Problem("a", "/m/a.tflite", ModelError("MODEL_UNREADABLE", "Permission denied", "chmod", True))
    world.problems = [closed]
    assert world.look() == world.now + SETTLE_S
    assert "a" not in world.registry
    world.problems = []
    world.deploy("a")
    world.now += 10
    world.problems = [closed]
    del world.files["a", None]
    world.look()
    assert "reason" not in world.registry.document("a") and world.serving("a") == 1
    world.now += SETTLE_S
    world.look()
    assert "Permission denied" in world.registry.document("a")["reason"] and world.serving("a") == 1


UNUSABLE = ModelError("MODEL_UNREADABLE", "it is a FIFO; expected a regular file", "put the file itself there")


@pytest.mark.parametrize(
    ("version", "place", "hides_all"), [(None, None, False), (2, 2, False), (2, None, True)], ids=["flat", "N", "NAME"]
)
def test_a_place_that_cannot_be_used_withdraws_nothing(
    world: World, version: int | None, place: int | None, hides_all: bool
) -> None:
    world.deploy("b")
    world.deploy("a", version)
    serving = world.serving("a")
    del world.files["a", version]
    world.problems = [Problem("a", "/m/a", UNUSABLE, place, hides_all)]
    for _ in range(3):
        world.look()
        world.now += 10 * GRACE_S
    assert world.serving("a") == serving and "FIFO" in world.registry.document("a")["reason"]
    world.problems = []
    world.look()
    world.now += GRACE_S
    world.look()
    assert not world.serving("a"), "now it is proven gone"


def test_a_problem_elsewhere_keeps_no_deleted_version(world: World) -> None:
    world.put("a", 1)
    world.deploy("a", 2)
    del world.files["a", 2]
    world.problems = [Problem("a", "/m/a/latest", UNUSABLE, 0)]
    world.look()
    world.now += GRACE_S
    world.look()
    assert [number for _, number in world.started] == [1]


def test_an_unloaded_model_stays_out_until_load_or_a_new_file(world: World) -> None:
    world.deploy("a")
    world.comparison.unload("a")
    world.look()
    assert world.told("a") == "MODEL_UNLOADED" and not world.started
    assert world.states("a") == {1: "unloaded"} and "a" in world.records.unloaded
    world.comparison.load("a")
    world.look()
    world.finish(version=1)
    assert world.serving("a") == 1 and "a" not in world.records.unloaded
    world.comparison.unload("a")
    world.put("a", content=2)
    world.look()
    assert len(world.started) == 1, "dropping a file is a deployment"


@pytest.mark.parametrize("bad", [True, False])
def test_an_unloaded_model_is_shown_so_whatever_became_of_its_newest_file(world: World, bad: bool) -> None:
    world.deploy("a")
    source = world.put("a", content=2)
    if bad:
        world.look()
        world.finish(good=False)
    else:
        world.unsettled.add(source.path)
        world.look()
    world.comparison.unload("a")
    assert world.states("a") == {2: "unloaded", 1: "unloaded"}
    world.look()
    assert world.registry.document("a")["state"] == "unloaded" and "reason" not in world.registry.document("a")
    assert world.told("a") == "MODEL_UNLOADED" and not world.started


def test_what_is_refused_after_an_unload_is_not_shown_as_refused(world: World) -> None:
    world.put("a")
    world.look()
    world.comparison.unload("a")
    world.finish(good=False)
    world.look()
    assert world.states("a") == {1: "unloaded"} and world.told("a") == "MODEL_UNLOADED"
    world.comparison.load("a")
    world.look()
    assert len(world.started) == 1


@pytest.mark.parametrize("comes", ["settling", "refused"])
def test_a_file_may_change_while_a_request_still_runs_on_what_it_was(world: World, comes: str) -> None:
    version = 1 if comes == "settling" else None
    world.deploy("a", version)
    with world.dispatcher.scheduler() as scheduler:
        assert scheduler.admit(Request(NoReply(), 1, "a", SPEC, b"1234", 0.0), 0.0, True)
    world.comparison.unload("a")
    assert world.states("a") == {1: "retiring"}
    if comes == "settling":
        world.unsettled.add(world.put("a", version, content=2).path)
        world.look()
    else:
        world.put("a", options=Sidecar(Path("/m/a.toml"), FileIdentity(1, 1, 2, 1, 1)))
        world.look()
        world.finish(good=False, version=1)
    assert world.states("a") == {1: "settling" if comes == "settling" else "quarantined"}


def test_unloading_is_remembered_over_a_restart(world: World) -> None:
    world.records.unloaded.add("a")
    world.put("a")
    world.look()
    assert not world.started and world.told("a") == "MODEL_UNLOADED"


def test_an_unload_during_a_load_discards_what_arrives(world: World) -> None:
    world.put("a")
    world.look()
    world.comparison.unload("a")
    world.finish()
    assert len(world.discarded) == 1 and not world.serving("a")
    world.look()
    assert not world.started and world.states("a") == {1: "unloaded"}


def test_load_tries_a_quarantined_model_again(world: World) -> None:
    world.put("a")
    world.look()
    world.finish(good=False)
    world.comparison.load("a")
    world.look()
    assert len(world.started) == 1


@pytest.mark.parametrize("verb", ["load", "unload"])
def test_an_unknown_name_cannot_be_loaded_or_unloaded(world: World, verb: str) -> None:
    with pytest.raises(MmError) as caught:
        getattr(world.comparison, verb)("nobody")
    assert caught.value.code == "MODEL_NOT_FOUND"


def restarted_with_a_bad_file(world: World, version: int = 2, **more: Any) -> None:
    """Version 1 served before the restart; its file now is one that is refused as ``version``."""
    world.records.served_before["a"] = 1
    world.records.counter["a"] = version
    world.put("a", content=7, **more)
    world.look()
    world.started.sort(key=lambda started: started[0].name)
    world.finish(good=False, version=version)
    world.look()


def test_after_a_restart_what_served_last_serves_though_its_file_was_overwritten_badly(world: World) -> None:
    world.records.served_before["a"], world.records.counter["a"] = 1, 2
    world.put("a", content=7)
    world.look()
    world.finish(good=False)
    assert world.told("a") == "MODEL_LOADING", "no client is refused meanwhile"
    assert world.comparison.is_undecided("a"), "who waits is not yet told"
    world.look()
    [(source, number)] = world.started
    assert isinstance(source, StoredSource) and number == 1 and source.version == 1
    assert world.told("a") == "MODEL_LOADING"
    assert world.comparison.is_undecided("a")
    world.finish()
    world.look()
    assert not world.comparison.is_undecided("a")
    assert world.serving("a") == 1 and world.states("a") == {1: "ready", 2: "quarantined"} and not world.started
    assert "version 2: it is broken" in world.registry.document("a")["reason"]
    world.put("a", content=8)
    world.look()
    world.finish()
    assert world.serving("a") == 3, "a good file takes over"


def test_after_a_restart_what_served_last_serves_while_its_new_file_settles(world: World) -> None:
    world.records.served_before["a"], world.records.counter["a"] = 1, 2
    world.unsettled.add(world.put("a", content=7).path)
    world.look()
    world.finish()
    assert world.serving("a") == 1 and world.states("a") == {1: "ready", 2: "settling"}
    world.unsettled.clear()
    world.look()
    world.finish()
    assert world.serving("a") == 2


def test_after_a_restart_a_slip_in_the_options_is_shown_while_the_bytes_serve(world: World) -> None:
    restarted_with_a_bad_file(world, version=1, options=Sidecar(Path("/m/a.toml"), FileIdentity(1, 1, 2, 1, 1)))
    world.finish()
    world.look()
    assert world.serving("a") == 1 and "it is broken" in world.registry.document("a")["reason"]
    assert world.registry.standing("a", 0, "")[0] is Standing.REFUSED
    world.put("a", content=7)
    world.look()
    world.finish(version=1)
    assert world.serving("a") == 1 and "reason" not in world.registry.document("a"), "the slip was mended"


def test_what_the_store_has_lost_leaves_the_reason_of_the_file(world: World) -> None:
    restarted_with_a_bad_file(world)
    world.finish(good=False)
    world.look()
    world.look()
    assert not world.started and world.states("a") == {2: "quarantined"} and world.told("a") == "MODEL_QUARANTINED"


def test_a_saved_model_folder_does_not_come_back(world: World) -> None:
    restarted_with_a_bad_file(world, kind="saved_model")
    assert not world.started and world.told("a") == "MODEL_QUARANTINED"


def test_a_model_that_its_owner_deleted_does_not_come_back(world: World) -> None:
    world.deploy("anchor")
    restarted_with_a_bad_file(world)
    assert not world.started, "it was not there when the daemon started"


def test_a_model_that_came_back_from_the_store_retires_with_its_file(world: World) -> None:
    world.put("anchor")
    restarted_with_a_bad_file(world)
    while world.started:
        world.finish()
    world.look()
    assert world.serving("a") == 1
    del world.files["a", None]
    world.look()
    world.now += GRACE_S
    world.look()
    assert not world.serving("a") and "a" not in world.registry
    world.put("a", content=9)
    world.look()
    world.finish(good=False)
    world.look()
    assert not world.started and world.told("a") == "MODEL_QUARANTINED"


def test_several_models_are_brought_up_side_by_side(world: World) -> None:
    for name in "abcd":
        world.put(name)
    world.look()
    assert sorted(source.name for source, _ in world.started) == list("abcd")


def test_versions_that_are_gone_are_listed_no_more(world: World) -> None:
    for version in range(1, 40):
        world.deploy("a", version)
        world.files.pop(("a", version - 1), None)
    world.look()
    assert len(world.states("a")) <= 3


def test_a_refused_change_of_what_serves_is_told_truly(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.deploy("a")
    world.put("a", options=Sidecar(Path("/m/a.toml"), FileIdentity(1, 1, 2, 1, 1)))
    world.look()
    world.finish(good=False, version=1)
    assert world.serving("a") == 1 and "it is broken" in world.registry.document("a")["reason"]
    assert "a: version 1 goes on as it was, its changed files cannot be served: it is broken" in caplog.text
    assert "quarantined" not in caplog.text


def test_the_last_words_of_a_trial_are_shown(world: World) -> None:
    world.put("a")
    world.look()
    [(source, number)] = world.started
    error = ModelError("MODEL_CRASHED", "killed by SIGSEGV")
    world.comparison.on_result(source, Refused(error, number, "a" * 64, "bad tensor"), world.now)
    [version] = world.registry.document("a")["versions"]
    assert version["detail"] == "bad tensor"


PASSING = ModelError("MODEL_UNREADABLE", "denied", "chmod", True)


def test_each_serving_version_has_its_own_grace_time(world: World) -> None:
    world.put("a", 1, 11)
    world.look()
    world.finish(good=False)
    world.put("a", 2, 12)
    world.deploy("a", 3, 13)
    del world.files["a", 3]
    world.look()
    world.now += GRACE_S
    world.look()
    del world.files["a", 2]
    world.finish()
    world.look()
    assert world.serving("a") == 2
    world.now += GRACE_S
    world.look()
    assert not world.serving("a")


def test_an_unloaded_model_stays_out_when_the_problem_of_its_place_is_mended(world: World) -> None:
    world.records.unloaded.add("a")
    world.problems = [Problem("a", "/m/a.tflite", PASSING)]
    world.look()
    world.now += SETTLE_S
    world.look()
    world.problems = []
    world.put("a")
    world.look()
    assert not world.started and world.told("a") == "MODEL_UNLOADED"


def test_an_unload_counts_the_files_of_a_look_in_doubt(world: World) -> None:
    world.deploy("a", 1, 11)
    world.put("a", 2, 12)
    world.problems = [Problem("a", "/m/a/3", PASSING, 3)]
    world.look()
    world.comparison.unload("a")
    world.now += SETTLE_S
    world.look()
    assert not world.started


def test_a_new_file_of_an_unloaded_model_retries_nothing_else(world: World) -> None:
    world.put("a", 2, 12)
    world.look()
    world.finish(good=False)
    world.comparison.unload("a")
    world.put("a", 1, 11)
    world.look()
    assert [number for _, number in world.started] == [1]


def test_a_deleted_model_takes_its_unload_with_it(world: World) -> None:
    world.deploy("b")
    world.deploy("a")
    world.comparison.unload("a")
    del world.files["a", None]
    world.look()
    world.now += GRACE_S
    world.look()
    assert "a" not in world.registry and "a" not in world.records.unloaded
    world.deploy("a", content=9)
    assert world.serving("a")


def test_a_refusal_while_the_mount_is_lost_leaves_nobody_waiting(world: World) -> None:
    world.records.served_before["a"], world.records.counter["a"] = 1, 2
    world.put("a")
    world.look()
    world.files.clear()
    world.look()
    world.finish(good=False)
    world.look()
    assert not world.comparison.is_undecided("a")


def test_a_conflict_at_the_start_does_not_forget_what_served(world: World) -> None:
    world.records.served_before["a"], world.records.counter["a"] = 1, 2
    world.put("a", content=11)
    world.put("a", 7, 17)
    world.problems = [Problem("a", "/m/a", ModelError("MODEL_CONFLICT", "two layouts"), 0)]
    world.look()
    files = dict(world.files)
    world.files.clear()
    world.problems = []
    world.look()
    world.now += GRACE_S
    world.look()
    world.files = files
    del world.files["a", 7]
    world.look()
    world.finish(good=False)
    world.look()
    assert [type(candidate) for candidate, _ in world.started] == [StoredSource]


def test_a_trial_may_fail_for_days(world: World) -> None:
    world.put("a")
    for _ in range(1100):
        world.now += 301
        world.look()
        world.finish(good=False, retryable=True)
        world.look()
        assert not world.started


def test_nothing_is_withdrawn_while_another_version_is_tried_again_soon(world: World) -> None:
    world.put("a", 1, 11)
    world.deploy("a", 2, 12)
    del world.files["a", 2]
    world.look()
    world.now += GRACE_S
    world.look()
    world.finish(good=False, retryable=True)
    due = world.look()
    assert world.serving("a") == 2
    world.now = due
    world.look()
    world.finish()
    assert world.serving("a") == 1


def test_a_version_folder_that_is_a_link_is_an_attempt_of_its_own(world: World) -> None:
    one = world.put("a", 1)
    world.files["a", 2] = replace(one, version=2)
    world.look()
    world.finish()
    del world.files["a", 2]
    world.look()
    world.now += GRACE_S
    for _ in range(5):
        world.look()
        if world.started:
            world.finish()
    assert world.serving("a") == 1 and not world.started


@pytest.mark.parametrize("how", ["settling", "failing"])
def test_nothing_below_what_serves_is_on_its_way(world: World, how: str) -> None:
    source = world.put("a", 1, 11)
    if how == "settling":
        world.unsettled.add(source.path)
        world.look()
    else:
        world.look()
        world.finish(good=False, retryable=True)
    world.deploy("a", 2, 12)
    world.unsettled.clear()
    world.now += 400
    world.look()
    assert world.states("a") == {1: "unloaded", 2: "ready"}


def test_what_arrives_after_an_unload_is_not_published_for_a_file_that_went_again(world: World) -> None:
    world.put("a", 1, 11)
    world.look()
    world.comparison.unload("a")
    world.put("a", 2, 12)
    world.look()
    world.finish()
    del world.files["a", 2]
    world.look()
    assert not world.serving("a") and world.told("a") == "MODEL_UNLOADED"


def test_the_store_lets_go_of_a_model_that_is_gone(world: World) -> None:
    world.records.served_before |= {"went": 1, "a": 1}
    world.deploy("b")
    world.deploy("a")
    assert world.records.retired == ["went", "a"], "neither was there at the first look"
    del world.files["a", None]
    world.look()
    world.now += GRACE_S
    world.look()
    assert world.records.retired == ["went", "a", "a"]


def test_the_store_lets_go_of_a_model_that_only_a_passing_problem_kept(world: World) -> None:
    world.records.served_before["a"] = 1
    world.problems = [Problem("a", "/m/a.tflite", PASSING)]
    world.deploy("b")
    assert world.records.retired == []
    world.problems = []
    world.look()
    assert world.records.retired == ["a"]


def test_a_model_that_went_while_the_daemon_did_not_run_took_its_unload_with_it(world: World) -> None:
    world.records.unloaded.add("a")
    world.deploy("b")
    world.deploy("a")
    assert world.serving("a") and "a" not in world.records.unloaded


def test_requests_are_not_told_to_wait_for_a_file_that_went(world: World) -> None:
    world.put("a", 1, 11)
    world.look()
    world.finish(good=False)
    world.put("a", 2, 12)
    world.look()
    del world.files["a", 2]
    world.finish(good=False, retryable=True)
    assert world.told("a") == "MODEL_LOADING"
    world.look()
    assert world.told("a") == "MODEL_QUARANTINED"


def test_an_unload_remembers_files_that_a_look_does_not_show(world: World) -> None:
    world.put("a", content=11)
    world.put("a", 7, 17)
    world.problems = [Problem("a", "/m/a", ModelError("MODEL_CONFLICT", "two layouts"), 0)]
    world.look()
    world.comparison.unload("a")
    seven = world.files.pop(("a", 7))
    world.problems = [Problem("a", "/m/a/7", UNUSABLE, 7)]
    world.look()
    world.files = {("a", 7): seven}
    world.problems = []
    world.look()
    assert not world.started and world.told("a") == "MODEL_UNLOADED"
