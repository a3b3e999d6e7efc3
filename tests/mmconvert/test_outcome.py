from mmconvert.outcome import Outcome
from mmconvert.verdict import LITE_INT8


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
