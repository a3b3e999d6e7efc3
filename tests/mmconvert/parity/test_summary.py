import numpy as np

from mmconvert.parity.metric import compare
from mmconvert.parity.summary import summarise


def test_figures_in_the_summary_are_those_of_the_floating_point_outputs():
    original = [{"a": np.ones((1, 2), np.float32), "b": np.array([[30]], np.int32)}]
    figures = compare(original, [{"a": np.full((1, 2), 1.5, np.float32), "b": np.array([[10]], np.int32)}])
    assert summarise(figures)["max_abs_error"] == 0.5
