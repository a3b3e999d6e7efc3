import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

pytestmark = pytest.mark.tensorflow


def tree(folder):
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def run(path, **inputs):
    runner = Interpreter(model_path=str(path)).get_signature_runner()
    return runner(**inputs)


def test_weights_of_a_keras_3_model_saved_by_tensorflow_are_kept(mmconvert, converted, saved_models, tmp_path):
    """``from_saved_model`` turns this one into NaN without an error."""
    document = converted(mmconvert(saved_models / "orphan", "--json"))
    assert document["parity"]["relative_error"] < 1e-5
    answer = run(tmp_path / "orphan.tflite", inputs=np.ones((1, 16), np.float32))["output_0"]
    assert answer.sum() == pytest.approx(1)


def test_recurrent_layers_are_repaired_and_take_one_row_at_a_time(mmconvert, converted, saved_models):
    document = converted(mmconvert(saved_models / "lstm", "--json"))
    assert any("TensorListReserve" in repair for repair in document["repairs"])
    assert document["parity"]["batches"] == [1]
    assert any("one row at a time" in line for line in document["evidence"])


def test_optimizer_slots_are_removed_in_a_copy(mmconvert, converted, saved_models):
    before = tree(saved_models / "slots")
    document = converted(mmconvert(saved_models / "slots", "--json"))
    assert document["repairs"] == ["removed 3 optimizer slots, which TensorFlow cannot load (add_slot)"]
    assert document["signatures"] == ["only"]
    assert tree(saved_models / "slots") == before


def test_open_height_and_width_are_kept_open(mmconvert, converted, saved_models, tmp_path):
    assert converted(mmconvert(saved_models / "any_size", "--json"))["verdict"] == "LITE_FLOAT"
    assert run(tmp_path / "any_size.tflite", x=np.ones((1, 5, 9, 3), np.float32))["mean"].tolist() == [[0.5] * 3]
