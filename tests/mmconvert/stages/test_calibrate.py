import json

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize(
    ("rows", "part"),
    [
        (np.zeros((0, 16), np.float32), "there are no rows"),
        (np.full((40, 16), np.nan, np.float32), "hold NaN, first in row 0"),
        (np.zeros((40, 16), np.float32), "are constant: every value is 0.0"),
        (np.full((40, 16), "a"), "wrong type: expected float32"),
        (np.ones((40, 15), np.float32), "wrong shape: expected [?, 16]"),
    ],
    ids=["no rows", "NaN", "zeros", "wrong type", "wrong shape"],
)
def test_data_that_would_ruin_the_model_is_rejected_before_tensorflow_starts(
    mmconvert, rejected, saved_models, tmp_path, rows, part
):
    np.save(tmp_path / "rows.npy", rows)
    done = mmconvert(saved_models / "classifier", "--calibration", "rows.npy", "--no-cache", "--json")
    assert part in rejected(done)
    assert json.loads(done.stdout)["seconds"] < 3, "TensorFlow alone takes longer to start"
    assert not list(tmp_path.glob("*.tflite"))


def test_every_signature_is_converted_and_calibrated(
    mmconvert, refused, converted, saved_models, tmp_path, normal_rows
):
    np.savez(tmp_path / "rows.npz", **{"encode/x": normal_rows(80, 4), "decode/x": normal_rows(80, 4) * 3})
    document = converted(mmconvert(saved_models / "two", "--quantize", "int8", "--calibration", "rows.npz", "--json"))
    assert document["signatures"] == ["decode", "encode"] and document["verdict"] == "LITE_INT8"
    interpreter = Interpreter(model_path=str(tmp_path / "two.tflite"))
    scales = {}
    for name in ("encode", "decode"):  # TensorFlow leaves one of them in float32 when only the other is calibrated
        (details,) = interpreter.get_signature_runner(name).get_input_details().values()
        assert details["dtype"] is np.int8
        scales[name] = details["quantization"][0]
    assert scales["decode"] == pytest.approx(3 * scales["encode"], rel=0.01)
    np.savez(tmp_path / "half.npz", **{"encode/x": normal_rows(80, 4)})
    assert "'decode/x'" in refused(mmconvert(saved_models / "two", "--quantize", "int8", "--calibration", "half.npz"))


def test_two_inputs_are_calibrated_by_name(mmconvert, converted, saved_models, tmp_path, normal_rows):
    np.savez(tmp_path / "rows.npz", a=normal_rows(80, 4).astype(np.float64), b=np.arange(80).reshape(80, 1) % 4)
    document = converted(mmconvert(saved_models / "pair", "--quantize", "int8", "--calibration", "rows.npz", "--json"))
    assert document["verdict"] == "LITE_INT8" and document["parity"]["equal_share"] == 1
    assert any("'a' were float64" in line for line in document["evidence"])


def test_images_calibrate_an_image_model(mmconvert, converted, saved_models, tmp_path):
    random = np.random.default_rng(2)
    (tmp_path / "photos").mkdir()
    for index in range(20):
        pixels = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{index}.png")
    document = converted(mmconvert(saved_models / "image", "--quantize", "int8", "--calibration", "photos", "--json"))
    assert document["verdict"] == "LITE_INT8" and document["calibration"]["rows"] == 20
    details = Interpreter(model_path=str(tmp_path / "image.tflite")).get_input_details()[0]
    assert details["quantization"][0] == pytest.approx(1 / 255, rel=0.02)  # the range is [0, 1]


def test_bad_data_and_bad_labels_are_refused(mmconvert, refused, saved_models, tmp_path, normal_rows):
    rows = normal_rows(50, 16)
    rows[7, 3] = np.nan
    np.save(tmp_path / "rows.npy", rows)
    text = refused(mmconvert(saved_models / "classifier", "--calibration", "rows.npy"))
    assert "NaN, first in row 7" in text
    (tmp_path / "labels.txt").write_text("one\ntwo\n")
    text = refused(mmconvert(saved_models / "classifier", "--labels", "labels.txt"), status=2)
    assert "2 labels for the 4 classes of output 'output_0'" in text
