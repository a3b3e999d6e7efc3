import pytest

from mmconvert.backends.tensorflow.refusal import full_tf_ground
from mmconvert.outcome import Outcome
from mmconvert.report.quantity import describe_bytes
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
def test_the_file_decides_the_verdict(counts, verdict, text):
    assert decide(counts)[0] == verdict
    assert text in decide(counts)[1]


@pytest.mark.parametrize(
    ("code", "leads"),
    [("OP_UNSUPPORTED", True), ("CONVERTER_CRASHED", True), ("PARITY_FAILED", True), ("CONVERTER_LIMIT", False)],
)
def test_what_leads_to_full_tensorflow(code, leads):
    assert (full_tf_ground(ConvertError(code, "why")) is not None) == leads


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


def test_an_int8_model_is():
    require_int8(census({"INT8": 100, "FLOAT32": 3}))
    require_int8(census({}, ("INT32", "INT8")))


def test_dropped_weights_are_seen():
    require_weights(census({"INT8": 800, "INT32": 30}), 1000)
    require_weights(census({}), 0)
    with pytest.raises(ConvertError, match="uses 1000 parameters, the file holds 20 values"):
        require_weights(census({"FLOAT32": 20}), 1000)


def outcome(**changes):
    parity = {
        "rows": 33,
        "inputs": "random",
        "batches": [1, 8],
        "max_abs_error": 0.5,
        "relative_error": 0.25,
        "sqnr_db": 21.0,
        "top1_agreement": 0.975,
        "equal_share": None,
    }
    fields = {
        "verdict": LITE_INT8,
        "reason": "all of it",
        "evidence": ["one thing"],
        "output": "a.tflite",
        "published": None,
        "name": "a",
        "sha256": "0" * 64,
        "bytes": 1000,
        "source_bytes": 5_000_000,
        "quantize": "int8",
        "signatures": ["serving_default"],
        "parity": parity,
        "repairs": ["mended it"],
        "labels": 2,
        "calibration": None,
        "versions": {},
        "seconds": 1.0,
    }
    return Outcome(**{**fields, **changes})


def test_the_document_begins_with_the_verdict():
    assert list(outcome().as_dict())[:3] == ["verdict", "reason", "evidence"]


def test_the_summary_says_what_was_done_and_what_comes_next():
    text = outcome().as_text()
    for part in ("a: LITE_INT8", "mended it", "21.0 dB", "97.5%", "batch 1 and 8", "5.0 MB", "1.0 kB", "a.tflite"):
        assert part in text
    assert "mmctl predict a" in text
    assert "mmctl predict small -i INPUT" in outcome(output="out/small.tflite", inputs=["x"]).as_text()
    assert "mmctl predict a -i 'x y'=INPUT -i z=INPUT" in outcome(inputs=["x y", "z"]).as_text()
    published = outcome(output="m/a.tflite", published="m/a.tflite").as_text()
    assert published.count("m/a.tflite") == 1 and "mmctl wait a" in published


@pytest.mark.parametrize(("count", "text"), [(999, "999 B"), (1000, "1.0 kB"), (2_500_000, "2.5 MB"), (3e9, "3.00 GB")])
def test_sizes_are_readable(count, text):
    assert describe_bytes(count) == text
