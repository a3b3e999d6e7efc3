"""Memory that two sides see."""

from __future__ import annotations

import os

import pytest

from mmdaemon.isolation.arena import Arena, open_arena


@pytest.fixture
def sides() -> tuple[Arena, Arena]:
    descriptor = open_arena()
    return Arena(descriptor), Arena(os.dup(descriptor))


def test_what_one_side_writes_the_other_reads(sides: tuple[Arena, Arena]) -> None:
    ours, theirs = sides
    ours.reserve(5)[:5] = b"hello"
    assert bytes(theirs.reserve(5)[:5]) == b"hello"
    ours.is_cancelled, theirs.invocations = True, 7
    assert theirs.is_cancelled and ours.invocations == 7


def test_it_grows_from_either_side_and_what_is_in_it_stays(sides: tuple[Arena, Arena]) -> None:
    ours, theirs = sides
    ours.reserve(5)[:5] = b"hello"
    large = 8 << 20
    theirs.reserve(large)[large - 1] = 42
    memory = ours.reserve(large)
    assert memory[large - 1] == 42 and bytes(memory[:5]) == b"hello"


def test_a_view_outlives_growth(sides: tuple[Arena, Arena]) -> None:
    ours, _ = sides
    view = ours.reserve(5)[:5]
    view[:] = b"hello"
    ours.reserve(8 << 20)
    ours.close()
    assert bytes(view) == b"hello"


def test_nobody_can_shrink_it() -> None:
    descriptor = open_arena()
    with pytest.raises(PermissionError):
        os.ftruncate(descriptor, 4096)
    os.close(descriptor)
