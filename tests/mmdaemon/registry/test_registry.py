"""What the registry shows, what may follow what, and how a wait stands."""

from __future__ import annotations

import itertools

import pytest

from mmdaemon.registry.model import Model, ServingFacts
from mmdaemon.registry.registry import Registry, Standing
from mmdaemon.registry.state import TRANSITIONS, VersionState, check_transition
from mmwire.errors import ModelError

S = VersionState
BROKEN = ModelError("MODEL_INVALID", "it is broken", "mend it")


@pytest.fixture
def registry() -> Registry:
    made = Registry("fake")
    model = Model("m")
    made.add(model)
    model.move(1, S.LOADING, "a" * 64)
    model.set_serving(1, ServingFacts())
    return made


@pytest.mark.parametrize(("before", "after"), list(itertools.product([None, *S], repeat=2)))
def test_only_what_the_table_allows_may_follow(before: VersionState | None, after: VersionState | None) -> None:
    if before is after or after in TRANSITIONS[before]:
        check_transition(before, after)
    else:
        with pytest.raises(AssertionError, match="cannot go"):
            check_transition(before, after)


def test_every_state_can_be_reached_and_left() -> None:
    reached = set().union(*TRANSITIONS.values())
    assert reached == {None, *S}
    assert all(TRANSITIONS[state] for state in S)


def test_the_document_describes_what_serves(registry: Registry) -> None:
    registry.model("m").move(2, S.QUARANTINED, "b" * 64, BROKEN)
    document = registry.document("m")
    assert (document["state"], document["version"], document["sha256"]) == ("ready", 1, "a" * 64)
    assert document["reason"].startswith("version 2: ")
    assert document["versions"] == [
        {"version": 2, "sha256": "b" * 64, "state": "quarantined", "reason": "it is broken (mend it)"},
        {"version": 1, "sha256": "a" * 64, "state": "ready"},
    ]


def test_the_document_describes_the_newest_when_nothing_serves() -> None:
    registry = Registry("fake")
    registry.add(Model("m"))
    registry.model("m").move(1, S.UNLOADED)
    registry.model("m").move(2, S.QUARANTINED, reason=BROKEN)
    document = registry.document("m")
    assert (document["state"], document["version"], document["reason"]) == ("quarantined", 2, "it is broken (mend it)")
    assert document["sha256"] is None


def test_a_new_version_lets_the_old_one_retire(registry: Registry) -> None:
    registry.model("m").move(2, S.LOADING)
    registry.model("m").set_serving(2, ServingFacts())
    assert {number: version.state for number, version in registry.model("m").versions.items()} == {
        1: S.RETIRING,
        2: S.READY,
    }


def test_a_version_without_a_file_is_not_the_newest(registry: Registry) -> None:
    registry.model("m").move(5, S.UNLOADED)
    registry.model("m").versions[5].has_file = False
    newest = registry.model("m").newest
    assert newest is not None and newest.number == 1


@pytest.mark.parametrize(
    ("version", "sha256", "expected"),
    [
        (0, "", Standing.REFUSED),
        (1, "", Standing.SERVES),
        (2, "", Standing.REFUSED),
        (3, "", Standing.WAIT),
        (0, "a" * 64, Standing.SERVES),
        (0, "b" * 64, Standing.REFUSED),
        (0, "c" * 64, Standing.WAIT),
    ],
)
def test_how_a_wait_stands(registry: Registry, version: int, sha256: str, expected: Standing) -> None:
    registry.model("m").move(2, S.QUARANTINED, "b" * 64, BROKEN)
    standing, reason = registry.standing("m", version, sha256)
    assert standing is expected
    assert (reason is BROKEN) == (expected is Standing.REFUSED)


def test_an_unknown_name_is_waited_for(registry: Registry) -> None:
    assert registry.standing("nobody", 0, "")[0] is Standing.WAIT


def test_a_problem_refuses_who_waits_for_the_newest(registry: Registry) -> None:
    registry.model("m").problem = BROKEN
    assert registry.standing("m", 0, "") == (Standing.REFUSED, BROKEN)
    assert registry.standing("m", 1, "")[0] is Standing.SERVES


def test_counts_are_by_what_is_shown(registry: Registry) -> None:
    registry.add(Model("n"))
    registry.model("n").move(1, S.QUARANTINED, reason=BROKEN)
    assert registry.counts() == {"ready": 1, "quarantined": 1}
