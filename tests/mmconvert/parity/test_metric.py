import math

import numpy as np
import pytest

from mmconvert.parity.gate import require_float_parity, require_quantized_parity
from mmconvert.parity.metric import compare
from mmconvert.parity.summary import summarise


def answers(*rows, dtype=np.float32):
    return [{"y": np.array([row], dtype=dtype)} for row in rows]


def test_figures_follow_their_formulas():
    (figure,) = compare(answers([0, 4], [2, -4]), answers([1, 4], [2, -4]))
    assert figure.max_abs_error == 1
    assert figure.relative_error == 1 / 8  # the range is -4 to 4
    assert figure.sqnr_db == pytest.approx(10 * math.log10(36 / 1))
    assert figure.top1_agreement is None and figure.equal_share is None


def test_equal_outputs_have_no_error_even_when_all_are_zero():
    (figure,) = compare(answers([0, 0]), answers([0, 0]))
    assert (figure.max_abs_error, figure.relative_error, figure.sqnr_db) == (0, 0, math.inf)
    assert summarise([figure])["sqnr_db"] is None
    require_float_parity([figure])
    require_quantized_parity([figure], "int8", rows_are_real=True)


def test_classes_are_compared_when_the_original_gives_probabilities():
    original = answers([0.9, 0.1], [0.2, 0.8], [0.501, 0.499])
    (figure,) = compare(original, answers([0.4, 0.6], [0.1, 0.9], [0.499, 0.501]))
    assert figure.top1_agreement == pytest.approx(2 / 3)  # the third is a tie to an int8 output


def test_values_that_are_not_finite_in_the_original_are_left_out():
    (figure,) = compare(answers([np.nan, 1], [-np.inf, 2]), answers([0, 1], [5, 2]))
    assert (figure.non_finite, figure.compared, figure.max_abs_error) == (0, 2, 0)
    require_float_parity([figure])
