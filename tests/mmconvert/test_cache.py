import os

import pytest

from mmconvert.cache import Cache, read_json, write_json


def make_note(text):
    return lambda place: (place / "note").write_text(text)


def test_a_result_is_made_once_for_the_same_facts(tmp_path):
    cache = Cache(tmp_path / "cache")
    first = cache.get("stage", {"a": 1, "b": [2]}, make_note("one"))
    assert cache.get("stage", {"b": [2], "a": 1}, make_note("two")) == first
    assert (first / "note").read_text() == "one"
    for stage, facts in (("stage", {"a": 2}), ("other", {"a": 1, "b": [2]})):
        assert (cache.get(stage, facts, make_note("two")) / "note").read_text() == "two"


def test_a_failure_leaves_nothing(tmp_path):
    cache = Cache(tmp_path)

    def fail(place):
        (place / "half").touch()
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        cache.get("stage", 1, fail)
    assert list(tmp_path.iterdir()) == []
    assert cache.get("stage", 1, make_note("whole")).is_dir()


def test_two_that_make_the_same_keep_the_first(tmp_path):
    cache = Cache(tmp_path)

    def slow(place):
        cache.get("stage", 1, make_note("quick"))
        (place / "note").write_text("slow")

    assert (cache.get("stage", 1, slow) / "note").read_text() == "quick"
    assert len(list(tmp_path.iterdir())) == 1


def test_the_entry_unused_for_longest_goes_first(tmp_path):
    cache = Cache(tmp_path)
    places = [cache.get("stage", number, make_note("x" * 100)) for number in range(3)]
    for age, place in enumerate(places):
        os.utime(place, (1000 - age, 1000 - age))
    cache.get("stage", 2, make_note(""))  # used again
    cache.trim(max_bytes=250)
    assert [place.is_dir() for place in places] == [True, False, True]


def test_documents_come_back_as_they_were(tmp_path):
    write_json(tmp_path / "a.json", {"ä": [1, None]})
    assert read_json(tmp_path / "a.json") == {"ä": [1, None]}
