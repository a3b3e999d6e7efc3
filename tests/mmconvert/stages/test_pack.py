import json
import zipfile

import numpy as np
import pytest

from mmwire.golden import parse_goldens
from mmwire.tflite import outline

pytestmark = pytest.mark.tensorflow


def test_the_file_carries_all_its_entries(mmconvert, converted, saved_models, tmp_path, normal_rows):
    np.save(tmp_path / "rows.npy", normal_rows(100, 16))
    converted(mmconvert(saved_models / "classifier", "--quantize", "int8", "--calibration", "rows.npy", "--json"))
    path = tmp_path / "classifier.tflite"
    content = path.read_bytes()
    found = outline(content)
    (golden, _) = parse_goldens(found.entry(content, "MM_GOLDEN"))
    assert golden.signature == "serving_default" and golden.inputs[0].dtype == golden.outputs[0].dtype == "int8"
    assert 4 <= golden.outputs[0].tolerance < 40
    facts = json.loads(found.entry(content, "MM_IO"))
    assert facts["batches"] == [1, 2, 4, 8, 16, 32]
    assert facts["signatures"]["serving_default"]["inputs"][0]["scale"] > 0
    with zipfile.ZipFile(path) as archive:  # what readers of TFLite's own metadata look for
        assert archive.namelist() == ["labels.txt"] and archive.read("labels.txt") == b"ant\nbee\ncat\ndog\n"
    (tmp_path / "recipe.json").write_bytes(found.entry(content, "MM_RECIPE"))
    from litert_quantizer import recipe_manager

    manager = recipe_manager.RecipeManager()
    manager.load_quantization_recipe(json.loads((tmp_path / "recipe.json").read_text()))
    assert manager.need_calibration()
