import json
import re
from pathlib import Path

import numpy as np
import pytest

from mmconvert.candidate.candidate import Candidate
from mmconvert.candidate.pick import Pick, read_pick
from mmconvert.candidate.recipe import (
    DENSE_INT4,
    DYNAMIC_INT8,
    DYNAMIC_INT8_DENSE,
    FLOAT32,
    INT16X8,
    RECIPES,
    STATIC_INT8,
    WEIGHTS_INT8,
    keep_float,
    recipes_for,
)
from mmconvert.parity.drop import accuracies, drop_of_rows, kind_of_drop
from mmconvert.parity.statistic import Interval, bootstrap_mean, bootstrap_median
from mmconvert.search.choice import choose, pareto, speedup
from mmconvert.search.ranking import rank

MIB = 1 << 20


def column(values, name="y"):
    return [{name: np.asarray(value, np.float32)[None]} for value in values]


def test_an_interval_holds_what_the_data_does_not_exclude():
    rare = bootstrap_mean(np.r_[np.ones(5), np.zeros(495)])
    assert rare.estimate == pytest.approx(0.01)
    assert 0.002 < rare.low < 0.01 < rare.high < 0.02
    few = bootstrap_mean(np.r_[np.ones(1), np.zeros(99)])
    assert few.estimate == rare.estimate and few.high > rare.high, "fewer rows tell less"
    assert bootstrap_mean(np.zeros(50)) == Interval(0, 0, 0)
    assert bootstrap_mean(np.arange(9.0)) == bootstrap_mean(np.arange(9.0)), "the same values give the same interval"


def test_a_median_is_not_moved_by_a_burst():
    assert bootstrap_median(np.r_[np.full(20, 2.0), 90.0, 80.0]) == Interval(2, 2, 2)


def test_with_classes_the_drop_is_what_was_right_and_no_longer_is():
    reference = column([[9, 1], [9, 1], [1, 9], [1, 9]])
    answers = column([[9, 1], [1, 9], [9, 1], [1, 9]])
    classes = np.array([0, 0, 0, 1])
    assert drop_of_rows(reference, answers, classes).tolist() == [0, 1, -1, 0]
    assert "labelled" in kind_of_drop(reference, classes)


def test_how_often_both_are_right_is_told():
    wanted = column([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    got = column([[0.9, 0.1], [0.7, 0.3], [0.6, 0.4]])
    assert accuracies(wanted, got, np.array([0, 1, 1])) == (2 / 3, 1 / 3)
    assert accuracies(column([[1.0]]), column([[1.0]]), np.array([0])) is None


def test_without_classes_the_float_models_own_probabilities_tell_what_a_flip_costs():
    reference = column([[0.9, 0.1], [0.52, 0.48], [0.3, 0.7]])
    answers = column([[0.1, 0.9], [0.48, 0.52], [0.1, 0.9]])
    assert drop_of_rows(reference, answers, None) == pytest.approx([0.8, 0.04, 0], abs=1e-6)
    assert "probabilities" in kind_of_drop(reference, None)


def test_without_probabilities_the_drop_is_noise_power():
    reference, answers = column([[3, 4], [3, 4]]), column([[3, 4], [3, 4.5]])
    assert drop_of_rows(reference, answers, None) == pytest.approx([0, 0.01])
    assert "noise" in kind_of_drop(reference, None)


def test_answers_that_are_none_cost_everything():
    reference = column([[0.9, 0.1]])
    assert np.isinf(drop_of_rows(reference, column([[np.nan, 0.1]]), None)).all()
    assert np.isinf(drop_of_rows(reference, column([[0.9, 0.1, 0.0]]), None)).all()


def test_of_several_outputs_the_worst_counts():
    reference = [{"a": np.array([[3.0, 4.0]]), "b": np.array([[3.0, 4.0]])}]
    answers = [{"a": np.array([[3.0, 4.0]]), "b": np.array([[3.0, 5.0]])}]
    assert drop_of_rows(reference, answers, None) == pytest.approx([0.04])


def candidate(recipe, times, size=100, drop=0.0, refusal="", memory=100):
    made = Candidate(recipe, path=Path("model.tflite"), bytes=size, refusal=refusal, times_ms=list(times))
    made.latency_ms = bootstrap_median(np.array(made.times_ms))
    made.drop = Interval(drop, drop, drop)
    made.memory_bytes = memory
    return made


def rounds(ms):
    return ms * (1 + 0.01 * np.sin(np.arange(24)))


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


def named(ranked):
    return [found.name for found, _ in ranked]


def test_what_may_be_published_comes_nearer_to_the_original_step_by_step():
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


def test_a_pick_survives_being_written_down():
    pick = Pick(STATIC_INT8.keeping_float(["a;"]), True, {"chosen": "it"})
    assert read_pick(json.loads(json.dumps(pick.as_dict()))) == pick


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


def test_memory_that_differs_by_the_allocators_pages_is_no_gain():
    baseline = candidate(FLOAT32, rounds(1.0), memory=200 << 10)
    chosen, reason = choose(baseline, [baseline, candidate(STATIC_INT8, rounds(0.5), memory=150 << 10)], "memory")
    assert chosen is baseline and "75% of float32's memory" in reason
    small = candidate(STATIC_INT8, rounds(0.5), memory=100 << 10)
    assert choose(baseline, [baseline, small], "memory")[0] is small


@pytest.mark.parametrize("objective", ["size", "memory"])
def test_what_is_much_slower_than_float_is_not_chosen_for_its_size_or_memory(objective):
    baseline = candidate(FLOAT32, rounds(1.0), 1000, memory=10 * MIB)
    least, bearable = candidate(INT16X8, rounds(40.0), 200, memory=MIB), candidate(STATIC_INT8, rounds(1.9), 600)
    bearable.memory_bytes = 6 * MIB
    assert choose(baseline, [baseline, least, bearable], objective)[0] is bearable
    chosen, reason = choose(baseline, [baseline, least], objective)
    assert chosen is baseline and "more than 2 times as slow as float32" in reason


def test_memory_that_could_not_be_measured_is_no_gain():
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


def test_what_slows_a_round_slows_both_and_does_not_show_in_the_speedup():
    burst = np.r_[np.ones(12), np.full(12, 5.0)]
    ratio = speedup(candidate(FLOAT32, burst), candidate(STATIC_INT8, burst / 2))
    assert (ratio.low, ratio.estimate, ratio.high) == (2, 2, 2)


def test_the_front_holds_what_nothing_beats_in_both():
    fast = candidate(STATIC_INT8, rounds(0.5), drop=0.02)
    exact = candidate(FLOAT32, rounds(1.0), drop=0.0)
    beaten = candidate(DYNAMIC_INT8, rounds(1.5), drop=0.01)
    assert pareto([fast, exact, beaten]) == [fast, exact]


def test_only_what_differs_on_this_graph_is_tried():
    names = [recipe.name for recipe in recipes_for("default", ["CONV_2D", "SOFTMAX"], has_calibration=True)]
    assert "static_int8" in names and "float16" in names and "int16x8" in names
    assert DYNAMIC_INT8_DENSE.name not in names and DENSE_INT4.name not in names
    depthwise = recipes_for("quick", ["DEPTHWISE_CONV_2D"], has_calibration=False)
    assert [recipe.name for recipe in depthwise] == ["dynamic_int8_no_depthwise", "float16"]


def test_a_kept_operation_is_named_whole():
    rule = keep_float("a/b.c;d")
    assert re.search(rule["regex"], "a/b.c;d;") and not re.search(rule["regex"], "a/b.c;d2;")
    twice = STATIC_INT8.keeping_float(["a"]).keeping_float(["b"])
    assert twice.kept_float == ("a", "b") and [r["algorithm_key"] for r in twice.rules[1:]] == ["no_quantize"] * 2
    assert STATIC_INT8.kept_float == () and len(STATIC_INT8.rules) == 1
    assert Candidate(twice, is_static=True).name == "static_int8_2_float_one_row"


def test_every_recipe_is_in_the_form_that_the_library_reads():
    from litert_quantizer import recipe_manager

    for recipe in RECIPES.values():
        manager = recipe_manager.RecipeManager()
        manager.load_quantization_recipe(recipe.rules)
        assert len(manager.get_quantization_recipe()) == len(recipe.rules)
