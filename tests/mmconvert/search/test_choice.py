import numpy as np
import pytest

from mmconvert.candidate.recipe import (
    DYNAMIC_INT8,
    FLOAT32,
    INT16X8,
    STATIC_INT8,
    WEIGHTS_INT8,
)
from mmconvert.search.choice import choose, pareto, speedup
from rig.candidates import MIB, candidate, rounds


def test_the_fastest_that_keeps_the_accuracy_is_chosen():
    baseline = candidate(FLOAT32, rounds(1.0))
    fast = candidate(STATIC_INT8, rounds(0.4), refusal="it lost too much")
    good = candidate(DYNAMIC_INT8, rounds(0.5))
    chosen, reason = choose(baseline, [baseline, fast, good], "latency")
    assert chosen is good and "2.00 times as fast" in reason


def test_of_equally_fast_ones_the_smaller_is_better():
    baseline = candidate(FLOAT32, rounds(1.0))
    large, small = candidate(STATIC_INT8, rounds(0.5), 90), candidate(DYNAMIC_INT8, rounds(0.505), 50)
    assert choose(baseline, [baseline, large, small], "latency")[0] is small
    slower = candidate(DYNAMIC_INT8, rounds(0.6), 50)
    assert choose(baseline, [baseline, large, slower], "latency")[0] is large


def test_without_a_significant_gain_float_stays():
    noisy = 1 + 0.3 * np.sin(np.arange(24) * 7.0)
    baseline = candidate(FLOAT32, noisy)
    chosen, reason = choose(baseline, [baseline, candidate(STATIC_INT8, noisy[::-1] * 0.99)], "latency")
    assert chosen is baseline and "no significant gain" in reason
    assert choose(baseline, [baseline], "latency") == (baseline, "no candidate kept the accuracy; float32 stays")


@pytest.mark.parametrize(("objective", "winner"), [("latency", 0), ("size", 1), ("memory", 2)])
def test_the_objective_decides(objective, winner):
    baseline = candidate(FLOAT32, rounds(1.0), 100, memory=100 * MIB)
    others = [
        candidate(STATIC_INT8, rounds(0.5), 60, memory=80 * MIB),
        candidate(WEIGHTS_INT8, rounds(0.9), 30, memory=70 * MIB),
        candidate(DYNAMIC_INT8, rounds(0.8), 50, memory=40 * MIB),
    ]
    chosen, reason = choose(baseline, [baseline, *others], objective)
    told = ["2.00 times as fast", "30% of float32's size, 1.11 times as fast", "40% of float32's memory, 1.25 times"]
    assert chosen is others[winner] and told[winner] in reason


def test_among_those_that_need_about_the_same_memory_the_fastest_is_chosen():
    baseline = candidate(FLOAT32, rounds(1.0), memory=10 * MIB)
    least = candidate(WEIGHTS_INT8, rounds(1.4), memory=4 * MIB)
    fast = candidate(STATIC_INT8, rounds(0.5), memory=int(4.4 * MIB))
    assert choose(baseline, [baseline, least, fast], "memory")[0] is fast
    fast.memory_bytes = 5 * MIB
    assert choose(baseline, [baseline, least, fast], "memory")[0] is least


def test_memory_within_the_allocators_rounding_is_not_a_gain():
    baseline = candidate(FLOAT32, rounds(1.0), memory=200 << 10)
    chosen, reason = choose(baseline, [baseline, candidate(STATIC_INT8, rounds(0.5), memory=150 << 10)], "memory")
    assert chosen is baseline and "75% of float32's memory" in reason
    small = candidate(STATIC_INT8, rounds(0.5), memory=100 << 10)
    assert choose(baseline, [baseline, small], "memory")[0] is small


@pytest.mark.parametrize("objective", ["size", "memory"])
def test_a_much_slower_form_is_not_chosen_for_its_size_or_memory(objective):
    baseline = candidate(FLOAT32, rounds(1.0), 1000, memory=10 * MIB)
    least, bearable = candidate(INT16X8, rounds(40.0), 200, memory=MIB), candidate(STATIC_INT8, rounds(1.9), 600)
    bearable.memory_bytes = 6 * MIB
    assert choose(baseline, [baseline, least, bearable], objective)[0] is bearable
    chosen, reason = choose(baseline, [baseline, least], objective)
    assert chosen is baseline and "more than 2 times as slow as float32" in reason


def test_unknown_memory_is_not_a_gain():
    baseline, unknown = candidate(FLOAT32, rounds(1.0)), candidate(STATIC_INT8, rounds(0.5), memory=None)
    chosen, reason = choose(baseline, [baseline, unknown], "memory")
    assert chosen is baseline and "could not be measured" in reason
    known = candidate(STATIC_INT8, rounds(0.5), memory=1)
    baseline.memory_bytes = None
    assert choose(baseline, [baseline, known], "memory")[0] is baseline


def test_among_those_of_about_the_same_size_the_fastest_is_chosen():
    baseline = candidate(FLOAT32, rounds(1.0), 1000)
    least, fast = candidate(WEIGHTS_INT8, rounds(1.4), 300), candidate(STATIC_INT8, rounds(0.5), 340)
    assert choose(baseline, [baseline, least, fast], "size")[0] is fast


def test_a_slow_round_does_not_change_the_speedup():
    burst = np.r_[np.ones(12), np.full(12, 5.0)]
    ratio = speedup(candidate(FLOAT32, burst), candidate(STATIC_INT8, burst / 2))
    assert (ratio.low, ratio.estimate, ratio.high) == (2, 2, 2)


def test_the_front_holds_candidates_that_nothing_beats_in_both():
    fast = candidate(STATIC_INT8, rounds(0.5), drop=0.02)
    exact = candidate(FLOAT32, rounds(1.0), drop=0.0)
    beaten = candidate(DYNAMIC_INT8, rounds(1.5), drop=0.01)
    assert pareto([fast, exact, beaten]) == [fast, exact]
