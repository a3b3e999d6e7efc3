import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

pytestmark = pytest.mark.tensorflow


def evidence(document, part):
    return next(line for line in document["evidence"] if part in line)


def test_state_is_compared_over_steps_and_signatures(mmconvert, converted, saved_models, tmp_path):
    document = converted(mmconvert(saved_models / "steps", "--json"))
    assert document["signatures"] == ["scaled", "step"]
    assert evidence(document, "over 3 steps in a row")
    interpreter = Interpreter(model_path=str(tmp_path / "steps.tflite"))
    one = np.ones((1, 4), np.float32)
    step, scaled = (interpreter.get_signature_runner(name) for name in ("step", "scaled"))
    assert [float(f(x=one)["sum"][0, 0]) for f in (step, scaled, step)] == [1, 3, 4]


@pytest.mark.parametrize("row", [0, 1, 3], ids=["calibrates", "chooses", "verifies"])
def test_a_row_with_a_word_that_the_model_does_not_know_is_named(mmconvert, rejected, saved_models, tmp_path, row):
    words = np.random.default_rng(0).integers(0, 4, (80, 2)).astype(np.int32)
    words[row, 1] = 9
    np.savez(tmp_path / "words.npz", x=words)
    reason = rejected(mmconvert(saved_models / "words", "--calibration", "words.npz", "-o", "out.tflite", "--json"))
    assert reason == f"--calibration: the model itself refuses row {row}: indices[0,1] = 9 is not in [0, 4)"


def test_state_starts_anew_for_every_row(mmconvert, converted, saved_models, tmp_path):
    document = converted(mmconvert(saved_models / "step", "--json"))
    assert document["parity"]["max_abs_error"] == 0
    runner = Interpreter(model_path=str(tmp_path / "step.tflite")).get_signature_runner()
    one = np.ones((1, 4), np.float32)
    assert [float(runner(x=one)["sum"][0, 0]) for _ in range(2)] == [1, 2]


def test_values_that_are_not_finite_in_tensorflow_are_left_out(mmconvert, converted, saved_models):
    assert converted(mmconvert(saved_models / "blows_up", "--json"))["parity"]["relative_error"] < 1e-5
