"""The keyword-spotting reference model of MLPerf Tiny, as its authors exported it from TensorFlow 2.3."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
REAL_MODELS = Path(os.environ.get("MM_REAL_MODELS", ROOT.parent / "shared" / "models"))
KWS = REAL_MODELS / "kws_ref_model"

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.real_models,
    pytest.mark.skipif(not KWS.is_dir(), reason=f"no {KWS}; set MM_REAL_MODELS to the folder that holds it"),
]


def test_a_keras_2_model_with_its_optimizer_becomes_int8(mmconvert, tmp_path, normal_rows):
    np.savez(tmp_path / "rows.npz", input_1=normal_rows(200, 49, 10, 1) * 10)
    done = mmconvert(KWS, "--name", "kws", "--quantize", "int8", "--calibration", "rows.npz", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["verdict"] == "LITE_INT8"
    assert document["repairs"] == ["removed 76 optimizer slots, which TensorFlow cannot load (add_slot)"]
    assert document["parity"]["float32"]["relative_error"] < 1e-5
    assert document["bytes"] < 60_000
