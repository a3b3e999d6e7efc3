import pytest

from mmconvert.outcome import Outcome, describe_bytes
from mmconvert.verdict import LITE_FLOAT, LITE_INT8, LITE_MIXED, decide, require_int8, require_weights
from mmwire.errors import ConvertError


def census(weights, io=("INT8", "INT8"), float_ops=None):
    return {"ops": {}, "float_ops": float_ops or {}, "weights": weights, "inputs": [io[0]], "outputs": [io[1]]}


@pytest.mark.parametrize(
    ("counts", "quantize", "verdict", "text"),
    [
        (census({"INT8": 900, "INT32": 9}), "int8", LITE_INT8, "are int8"),
        (census({"INT8": 900}, float_ops={"WHILE": 1}), "int8", LITE_MIXED, "1 WHILE in floating point"),
        (census({"INT8": 900}, ("FLOAT32", "FLOAT32")), "dynamic", LITE_MIXED, "float32"),
        (census({"FLOAT32": 90}, ("FLOAT32", "FLOAT32")), "dynamic", LITE_FLOAT, "no weight was large enough"),
        (census({"FLOAT32": 90}, ("FLOAT32", "FLOAT32")), "float32", LITE_FLOAT, "float32"),
    ],
)
def test_the_file_decides_the_verdict(counts, quantize, verdict, text):
    assert decide(counts, quantize)[0] == verdict
    assert text in decide(counts, quantize)[1]


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
        "signature": "serving_default",
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
    published = outcome(output="m/a.tflite", published="m/a.tflite").as_text()
    assert published.count("m/a.tflite") == 1 and "mmctl wait a" in published


@pytest.mark.parametrize(("count", "text"), [(999, "999 B"), (1000, "1.0 kB"), (2_500_000, "2.5 MB"), (3e9, "3.00 GB")])
def test_sizes_are_readable(count, text):
    assert describe_bytes(count) == text
