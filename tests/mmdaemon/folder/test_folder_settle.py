from __future__ import annotations

from dataclasses import replace

from mmdaemon.folder.identity import FileIdentity
from mmdaemon.folder.settle import Settling

WALL = 1_700_000_000_000_000_000
FRESH = FileIdentity(1, 2, 10, WALL, WALL)
SECOND = 1_000_000_000


def aged(seconds: float) -> FileIdentity:
    then = WALL - int(seconds * SECOND)
    return replace(FRESH, mtime_ns=then, ctime_ns=then)


def begun() -> Settling:
    settling = Settling()
    settling.begin_look(0.2, 5.0)
    return settling


def test_a_whole_file_settles_after_its_time() -> None:
    settling = begun()
    assert settling.observe("a", FRESH, True, False, 100.0, WALL) == 100.2
    assert settling.observe("a", FRESH, True, False, 100.1, WALL + SECOND // 10) == 100.2
    assert settling.observe("a", FRESH, True, False, 100.2, WALL + SECOND // 5) is True


def test_a_file_that_changes_begins_again() -> None:
    settling = begun()
    settling.observe("a", FRESH, True, False, 100.0, WALL)
    grown = replace(FRESH, size=11, ctime_ns=WALL + SECOND // 10)
    assert settling.observe("a", grown, True, False, 100.1, WALL + SECOND // 10) == 100.1 + 0.2


def test_a_file_that_is_not_whole_waits_longer_and_then_goes_on() -> None:
    settling = begun()
    assert settling.observe("a", FRESH, False, False, 100.0, WALL) == 105.0
    assert settling.observe("a", FRESH, False, False, 105.0, WALL) is True


def test_a_rename_of_a_whole_file_needs_no_time() -> None:
    settling = begun()
    assert settling.observe("a", FRESH, True, True, 100.0, WALL) is True


def test_a_rename_is_remembered_until_the_file_changes() -> None:
    settling = begun()
    assert settling.observe("a", FRESH, False, True, 100.0, WALL) == 105.0
    assert settling.observe("a", FRESH, True, False, 100.1, WALL) is True
    written = replace(FRESH, ctime_ns=WALL + 1)
    assert settling.observe("a", written, True, False, 100.1, WALL) == 100.1 + 0.2


def test_a_rename_noticed_later_counts() -> None:
    settling = begun()
    assert settling.observe("a", FRESH, True, False, 100.0, WALL) == 100.2
    assert settling.observe("a", FRESH, True, True, 100.01, WALL) is True


def test_an_old_file_needs_no_waiting_at_first_sight() -> None:
    settling = begun()
    assert settling.observe("a", aged(0.2), True, False, 100.0, WALL) is True
    assert settling.observe("b", aged(1.0), False, False, 100.0, WALL) == 104.0
    assert settling.observe("c", aged(5.0), False, False, 100.0, WALL) is True


def test_a_tool_that_sets_an_old_mtime_does_not_hide_a_fresh_write() -> None:
    copied_with_times = replace(FRESH, mtime_ns=WALL - 3600 * SECOND)
    assert begun().observe("a", copied_with_times, True, False, 100.0, WALL) == 100.2


def test_a_date_in_the_future_waits_its_time_and_no_longer() -> None:
    settling = begun()
    future = aged(-3600.0)  # a box whose clock is not set yet
    assert settling.observe("a", future, True, False, 100.0, WALL) == 100.2
    assert settling.observe("a", future, True, False, 100.2, WALL) is True


def test_files_are_told_apart_and_forgotten() -> None:
    settling = begun()
    settling.observe("a", FRESH, True, False, 100.0, WALL)
    assert settling.observe("b", FRESH, True, False, 100.2, WALL) == 100.4
    settling.end_look()
    assert settling.observe("b", FRESH, True, False, 100.3, WALL) == 100.4, "the last look asked about it"
    settling.begin_look(0.2, 5.0)
    settling.end_look()
    assert settling.observe("a", FRESH, True, False, 100.2, WALL) == 100.4
