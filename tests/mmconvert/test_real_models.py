import json
import os
from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.tensorflow, pytest.mark.real_models]
ROOT = Path(__file__).resolve().parents[2]
REAL_MODELS = Path(os.environ.get("MM_REAL_MODELS", ROOT.parent / "shared" / "models"))


def require(name):
    if not (REAL_MODELS / name).exists():
        pytest.skip(f"no {REAL_MODELS / name}; set MM_REAL_MODELS to the folder that holds it")
    return REAL_MODELS / name


def test_a_keras_2_model_with_its_optimizer_becomes_int8(mmconvert, tmp_path, normal_rows):
    np.savez(tmp_path / "rows.npz", input_1=normal_rows(200, 49, 10, 1) * 10)
    source = require("kws_ref_model")
    done = mmconvert(source, "--name", "kws", "--quantize", "int8", "--calibration", "rows.npz", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["verdict"] == "LITE_INT8"
    assert document["repairs"] == ["removed 76 optimizer slots, which TensorFlow cannot load (add_slot)"]
    assert document["parity"]["float32"]["relative_error"] < 1e-5
    assert document["bytes"] < 60_000


@pytest.mark.parametrize(("name", "side"), [("vww_96.h5", 96), ("pretrainedResnet.h5", 32)])
def test_an_old_keras_file_is_the_same_function(mmconvert, name, side):
    done = mmconvert(require(name), "--name", "old", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["verdict"] == "LITE_FLOAT" and document["parity"]["relative_error"] < 1e-4
    assert any("Keras 2" in repair for repair in document["repairs"])
