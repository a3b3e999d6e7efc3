import pytest

from mmconvert.verdict import LITE_FLOAT, LITE_INT8, LITE_MIXED, decide, require_int8, require_weights
from mmwire.errors import ConvertError


def census(weights, io=("INT8", "INT8"), float_ops=None, ops=None, int16_ops=0):
    return {
        "ops": ops or {"CONV_2D": 4},
        "float_ops": float_ops or {},
        "edge_ops": 0,
        "int16_ops": int16_ops,
        "weights": weights,
        "inputs": [io[0]],
        "outputs": [io[1]],
    }


FLOATS = ("FLOAT32", "FLOAT32")


@pytest.mark.parametrize(
    ("counts", "verdict", "text"),
    [
        (census({"INT8": 900, "INT32": 9}), LITE_INT8, "are int8"),
        (census({"INT8": 900}, FLOATS), LITE_INT8, "inputs or outputs float32"),
        (census({"INT8": 900}, float_ops={"WHILE": 1}), LITE_MIXED, "1 WHILE in floating point"),
        (census({"INT8": 900}, FLOATS, {"CONV_2D": 4}), LITE_MIXED, "arithmetic and tensors in float32"),
        (census({"INT8": 9, "INT4": 9}, FLOATS, {"CONV_2D": 4}), LITE_MIXED, "int4 and int8 weights"),
        (census({"INT8": 900}, ("INT16", "INT16"), int16_ops=4), LITE_MIXED, "tensors in int16"),
        (census({"FLOAT32": 90}, FLOATS, {"CONV_2D": 4}), LITE_FLOAT, "are float32"),
        (census({"FLOAT16": 90}, FLOATS, {"CONV_2D": 4}), LITE_FLOAT, "weights in float16"),
    ],
)
def test_the_verdict_is_read_off_the_file(counts, verdict, text):
    assert decide(counts)[0] == verdict
    assert text in decide(counts)[1]


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        (census({"FLOAT32": 900}, ("FLOAT32", "FLOAT32")), "gave back a model with FLOAT32 tensors"),
        (census({"INT8": 900}, ("INT8", "FLOAT32")), "gave back a model with FLOAT32 tensors"),
        (census({"INT8": 100, "FLOAT32": 900}, float_ops={"WHILE": 2}), "left 90% of the weights .*2 WHILE"),
    ],
)
def test_a_float_model_is_not_taken_for_int8(counts, text):
    with pytest.raises(ConvertError, match=text):
        require_int8(counts)


def test_an_int8_model_is_accepted():
    require_int8(census({"INT8": 100, "FLOAT32": 3}))
    require_int8(census({}, ("INT32", "INT8")))


def test_dropped_weights_are_refused():
    require_weights(census({"INT8": 800, "INT32": 30}), 1000)
    require_weights(census({}), 0)
    with pytest.raises(ConvertError, match="uses 1000 parameters, the file holds 20 values"):
        require_weights(census({"FLOAT32": 20}), 1000)
