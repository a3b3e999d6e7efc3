"""The parts of a picture: axes, names, figures with their units, what is on the front."""

from itertools import pairwise

import pytest

from mmconvert.report.name import layer_of, operation_of, shorten
from mmconvert.report.plane import _front, draw_fidelity
from mmconvert.report.quantity import percent, time_unit
from mmconvert.report.strip import draw_operations
from mmconvert.report.svg import NARROW, WIDE, Axis


@pytest.mark.parametrize(
    ("tensor", "layer"),
    [
        ("model/conv2d/Relu;model/conv2d/BiasAdd;model/conv2d/Conv2D1", "conv2d"),
        (
            "functional_1/depthwise_conv2d/depthwise;functional_1/depthwise_conv2d/BiasAdd/ReadVariableOp1;",
            "depthwise_conv2d",
        ),
        ("model/block_1/expand/Conv2D", "block_1/expand"),
        ("StatefulPartitionedCall:0", "StatefulPartitionedCall:0"),
        ("model/Relu", "Relu"),
        ("", ""),
    ],
)
def test_a_tensor_is_called_after_its_layer(tensor, layer):
    assert layer_of(tensor) == layer


def test_an_operation_that_its_layer_is_called_after_is_not_told_twice():
    output = "model/depthwise_conv2d_1/BiasAdd"
    assert operation_of({"op": "DEPTHWISE_CONV_2D", "output": output}) == "depthwise_conv2d_1"
    assert operation_of({"op": "ADD", "output": output}) == "depthwise_conv2d_1 (add)"


def test_a_name_is_cut_at_its_beginning():
    assert shorten("block_1/expand", 14) == "block_1/expand"
    assert shorten("block_1/expand", 7) == "…expand" and shorten("abc", 1).startswith("…")


@pytest.mark.parametrize("high", [1.0003, 1.3, 7.0, 90.0, 1e4, 1e9])
@pytest.mark.parametrize("length", [200, 600])
def test_a_logarithmic_axis_has_some_round_figures_and_not_too_many(high, length):
    axis = Axis(0.97, high, 0, length, is_log=True)
    ticks = axis.ticks()
    assert 1 <= len(ticks) <= length // 55 and ticks == sorted(ticks)
    assert all(0.97 <= tick <= high for tick in ticks)


@pytest.mark.parametrize(("low", "high"), [(0, 0.1), (-3.2, 17), (0, 200), (50, 100), (-1e-3, 2e-3)])
def test_an_even_axis_has_some_round_figures_and_not_too_many(low, high):
    axis = Axis(low, high, 0, 600)
    ticks = axis.ticks()
    assert 2 <= len(ticks) <= 11 and all(low <= tick <= high for tick in ticks)
    steps = {round(b - a, 9) for a, b in pairwise(ticks)}
    assert len(steps) == 1


def test_an_axis_of_both_signs_shows_small_and_large_values_apart():
    axis = Axis(-43.0, 512.0, 0, 600, even_to=1.0)
    assert axis.ticks() == [-10.0, -1.0, 0.0, 1.0, 10.0, 100.0]
    assert axis.at(1.0) - axis.at(0.0) > 40 and axis.at(512.0) - axis.at(100.0) > 40
    assert (axis.at(-43.0), axis.at(512.0)) == (0, 600)


@pytest.mark.parametrize(
    ("fastest", "shown"),
    [(0.00153, "1.53 µs"), (0.0227, "22.7 µs"), (0.1, "100 µs"), (0.25, "0.250 ms"), (31.4, "31.4 ms")],
)
def test_times_have_three_digits_of_the_fastest_in_a_unit_that_fits_it(fastest, shown):
    search = {"candidates": [{"latency_ms": {"estimate": fastest}}, {"latency_ms": None}]}
    assert time_unit(search).say(fastest) == shown


def test_a_share_is_never_torn_from_its_sign():
    assert percent(0.0123) == "1.23\N{NO-BREAK SPACE}%"


def test_the_front_is_what_no_other_place_beats():
    assert _front([(5, 5), (1, 9), (3, 6), (4, 8), (5, 4), (3, 6)]) == [(1, 9), (3, 6), (5, 4)]


def candidate(name, ms, refusal=""):
    return {"name": name, "sqnr_db": 20.0, "bytes": 1000, "latency_ms": ms and {"estimate": ms}, "refusal": refusal}


def test_a_candidate_is_drawn_as_what_it_is_and_one_without_a_time_not_at_all():
    found = [
        candidate("float32", 2.0),
        candidate("int8", 1.0),
        candidate("bad", 1.5, "drop"),
        candidate("none", None, "no"),
    ]
    search = {"candidates": found, "chosen": "int8"}
    for width in (WIDE, NARROW):
        picture = draw_fidelity(search, width)
        assert picture.count("<circle") == 3
        for kind in ("good", "chosen", "refused"):
            assert picture.count(f'class="{kind}"') == 1
    assert ">int8<" in draw_fidelity(search, WIDE) and ">none<" not in draw_fidelity(search, WIDE)


def test_names_of_operations_are_left_out_where_there_are_many():
    operation = {"op": "CONV_2D", "dtype": "INT8", "output": "<conv>"}
    few, many = (draw_operations([operation] * count, WIDE) for count in (60, 61))
    assert few.count(">conv_2d<") == 60 and ">conv_2d<" not in many and many.count("<rect") == 61
    assert "<conv>" not in few and "&lt;conv&gt;" in few
