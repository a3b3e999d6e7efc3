import numpy as np
import pytest

from mmconvert.parity.statistic import Interval, bootstrap_mean, bootstrap_median


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
