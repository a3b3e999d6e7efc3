"""Memory that two sides see."""

from __future__ import annotations

import os

import pytest

from mmdaemon.isolation.arena import Arena, open_arena


@pytest.fixture
def sides() -> tuple[Arena, Arena]:
    descriptor = open_arena()
    return Arena(descriptor), Arena(os.dup(descriptor))


def test_each_side_reads_what_the_other_wrote(sides: tuple[Arena, Arena]) -> None:
    ours, theirs = sides
    ours.reserve(5)[:5] = b"hello"
    assert bytes(theirs.reserve(5)[:5]) == b"hello"
    ours.is_cancelled, theirs.invocations = True, 7
    assert theirs.is_cancelled and ours.invocations == 7


def test_either_side_may_grow_the_arena_and_its_content_stays(sides: tuple[Arena, Arena]) -> None:
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


def test_the_arena_cannot_shrink() -> None:
    descriptor = open_arena()
    with pytest.raises(PermissionError):
        os.ftruncate(descriptor, 4096)
    os.close(descriptor)
