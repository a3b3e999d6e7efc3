import json
import shutil

import numpy as np
import pytest

pytestmark = pytest.mark.tensorflow


def test_converting_again_elsewhere_gives_the_same_bytes(mmconvert, converted, saved_models, tmp_path, normal_rows):
    np.save(tmp_path / "rows.npy", normal_rows(100, 16))
    shutil.copytree(saved_models / "classifier", tmp_path / "elsewhere" / "classifier")
    options = ("--quantize", "int8", "--calibration", "rows.npy", "--no-cache", "--json")
    one = converted(mmconvert(saved_models / "classifier", *options, "-o", "one.tflite"))
    other = converted(mmconvert(tmp_path / "elsewhere" / "classifier", *options, "-o", "other.tflite"))
    assert one["sha256"] == other["sha256"]


def test_a_file_is_made_again_and_compared(mmconvert, converted, saved_models, tmp_path, normal_rows):
    np.save(tmp_path / "rows.npy", normal_rows(100, 16))
    model = tmp_path / "classifier"
    shutil.copytree(saved_models / "classifier", model)
    converted(mmconvert(model, "--quantize", "int8", "--calibration", "rows.npy", "-o", "out.tflite", "--json"))
    done = mmconvert("verify", "out.tflite", "--json")
    assert json.loads(done.stdout)["is_same"] and done.returncode == 0
    np.save(tmp_path / "other.npy", normal_rows(100, 16) * 2)
    done = mmconvert("verify", "out.tflite", "--calibration", "other.npy", "--json")
    result = json.loads(done.stdout)
    assert done.returncode == 1 and not result["is_same"]
    assert any(line.startswith("calibration: digest: ") for line in result["differences"])
    shutil.rmtree(model)
    done = mmconvert("verify", "out.tflite")
    assert done.returncode == 2 and f"{model} is gone" in done.stderr and "--source" in done.stderr
    content = bytearray((tmp_path / "out.tflite").read_bytes())
    content[len(content) // 2] ^= 4
    (tmp_path / "out.tflite").write_bytes(content)
    done = mmconvert("verify", "out.tflite")
    assert done.returncode == 1 and "content digest does not match" in done.stderr
