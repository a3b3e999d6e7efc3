from mmconvert.candidate.recipe import (
    DYNAMIC_INT8,
    FLOAT32,
    STATIC_INT8,
    WEIGHTS_INT8,
)
from mmconvert.search.ranking import rank
from rig.candidates import candidate, rounds


def named(ranked):
    return [found.name for found, _ in ranked]


def test_each_pick_is_nearer_to_the_original_than_the_one_before():
    baseline = candidate(FLOAT32, rounds(1.0))
    fast, good = candidate(STATIC_INT8, rounds(0.4)), candidate(DYNAMIC_INT8, rounds(0.5))
    worse = candidate(WEIGHTS_INT8, rounds(0.45))
    fast.sqnr_db, good.sqnr_db, worse.sqnr_db = 40.0, 60.0, 30.0
    ranked = rank(baseline, [baseline, fast, good, worse], "latency")
    assert named(ranked) == ["static_int8", "dynamic_int8", "float32"]
    assert "2.00 times as fast" in ranked[1][1] and ranked[2][1].endswith("float32 stays")
    assert named(rank(baseline, [baseline], "latency")) == ["float32"]


def test_no_more_than_three_forms_are_tried():
    baseline = candidate(FLOAT32, rounds(1.0))
    found = [candidate(STATIC_INT8.keeping_float(["x"] * n), rounds(0.4 + n / 20)) for n in range(6)]
    for number, one in enumerate(found):
        one.sqnr_db = 40.0 + number
    assert [one for one, _ in rank(baseline, [baseline, *found], "latency")] == [*found[:3], baseline]
