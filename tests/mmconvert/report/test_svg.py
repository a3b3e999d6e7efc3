from itertools import pairwise

import pytest

from mmconvert.report.svg import Axis


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
