import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

pytestmark = pytest.mark.tensorflow


def evidence(document, part):
    return next(line for line in document["evidence"] if part in line)


def accuracy(path, evaluation):
    runner = Interpreter(model_path=str(path)).get_signature_runner()
    (takes,), (gives,) = runner.get_input_details().items(), runner.get_output_details().items()
    rows = np.load(evaluation)
    x = rows["x"]
    scale, zero_point = takes[1]["quantization"]
    if scale:
        x = np.clip(np.rint(x / scale) + zero_point, -128, 127).astype(np.int8)
    guesses = [int(runner(**{takes[0]: row[None]})[gives[0]].argmax()) for row in x]
    return float(np.mean(guesses == rows["labels"]))


def test_a_form_that_fails_on_rows_held_out_gives_way_to_a_nearer_one(mmconvert, converted, saved_models, tmp_path):
    data = saved_models / "shifted_eval.npz"
    document = converted(mmconvert(saved_models / "shifted", "--eval", data, "-o", "out.tflite", "--json"))
    search = document["search"]
    assert evidence(document, "accuracy gate failed: ") and " failed on rows held out; " in search["reason"]
    assert search["chosen"] == document["recipe"] and search["chosen"] not in ("float32", "static_int8")
    assert search["reason"] in document["reason"] and search["speedup"]["low"] > 1.02
    assert accuracy(tmp_path / "out.tflite", data) > 0.99


def test_a_crash_of_the_calibrator_is_a_refusal(mmconvert, refused, saved_models, tmp_path, normal_rows):
    np.save(tmp_path / "rows.npy", normal_rows(40, 4))
    text = refused(mmconvert(saved_models / "loop", "--quantize", "int8", "--calibration", "rows.npy"))
    assert "'quantize' was killed by signal 11 (SIGSEGV)" in text and "--quantize dynamic" in text


def test_calibration_that_is_not_like_the_inputs_fails_parity(mmconvert, refused, saved_models, tmp_path, normal_rows):
    rows = normal_rows(200, 16)
    rows[::2] *= 0.02  # the half that calibrates
    np.save(tmp_path / "rows.npy", rows)
    text = refused(
        mmconvert(saved_models / "classifier", "--quantize", "int8", "--calibration", "rows.npy", "-o", "out.tflite")
    )
    assert "wanted, got" in text and "calibration rows" in text
    assert not (tmp_path / "out.tflite").exists()
