import numpy as np
import pytest

from mmconvert.parity.gate import require_comparable, require_float_parity, require_quantized_parity
from mmconvert.parity.metric import compare
from mmconvert.parity.summary import summarise
from mmwire.errors import ConvertError


def answers(*rows, dtype=np.float32):
    return [{"y": np.array([row], dtype=dtype)} for row in rows]


REFUSED = {
    "NaN or infinite where TensorFlow's are finite": (answers([1, 2]), answers([np.nan, 2])),
    "the shapes differ": (answers([1, 2]), answers([1, 2, 3])),
    "no finite value": (answers([np.nan]), answers([1])),
}


def test_outputs_are_each_judged_and_the_worst_is_told():
    original = [{"a": np.ones((1, 2), np.float32), "b": np.array([[3]], np.int32)}]
    figures = compare(original, [{"a": np.ones((1, 2), np.float32), "b": np.array([[4]], np.int32)}])
    assert [figure.name for figure in figures] == ["a", "b"]
    assert summarise(figures)["equal_share"] == 0
    with pytest.raises(ConvertError, match=r"output 'b': share of equal values: at least 0\.99 wanted, got 0"):
        require_float_parity(figures)


@pytest.mark.parametrize("text", REFUSED)
def test_both_gates_refuse_what_cannot_be_right(text):
    figures = compare(*REFUSED[text])
    for gate in (require_float_parity, lambda outputs: require_quantized_parity(outputs, "int8", rows_are_real=True)):
        with pytest.raises(ConvertError, match=text) as caught:
            gate(figures)
        assert caught.value.hint
        assert caught.value.code == ("SAVED_MODEL_INVALID" if text == "no finite value" else "PARITY_FAILED")


def test_random_rows_beside_real_ones_are_only_held_to_be_finite():
    require_comparable(compare(answers([0, 1]), answers([0, 2])))
    with pytest.raises(ConvertError, match="NaN or infinite"):
        require_comparable(compare(answers([0, 1]), answers([0, np.inf])))


@pytest.mark.parametrize(("error", "passes"), [(0.0009, True), (0.0011, False)])
def test_a_float_model_may_be_off_by_a_thousandth_of_the_range(error, passes):
    figures = compare(answers([0, 1]), answers([0, 1 + error]))
    if passes:
        require_float_parity(figures)
    else:
        with pytest.raises(ConvertError, match=r"at most 0\.001 allowed, got 0\.0011"):
            require_float_parity(figures)


@pytest.mark.parametrize(("error", "passes"), [(0.3, True), (0.33, False)])
def test_a_quantized_model_needs_ten_decibels(error, passes):
    figures = compare(answers([1, 1]), answers([1 + error, 1 - error]))
    if passes:
        require_quantized_parity(figures, "int8", rows_are_real=True)
    else:
        with pytest.raises(ConvertError, match=r"dB\): at least 10 wanted, got 9\.63") as caught:
            require_quantized_parity(figures, "int8", rows_are_real=True)
        assert "--quantize dynamic" in caught.value.hint


def test_the_class_matters_only_on_real_rows():
    figures = compare(answers(*[[0.52, 0.48]] * 10), answers(*[[0.48, 0.52]] * 10))
    require_quantized_parity(figures, "dynamic", rows_are_real=False)
    with pytest.raises(ConvertError, match=r"top-1 agreement: at least 0\.9 wanted, got 0"):
        require_quantized_parity(figures, "dynamic", rows_are_real=True)
