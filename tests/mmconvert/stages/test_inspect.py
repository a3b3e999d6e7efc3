import json
import os
import shutil
import zipfile

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

pytestmark = pytest.mark.tensorflow


def cut_variables(folder):
    (data,) = (folder / "variables").glob("*.data-*")
    os.truncate(data, data.stat().st_size // 3)


def cut_graph(folder):
    os.truncate(folder / "saved_model.pb", 3000)


def test_a_keras_3_file_gives_what_its_saved_model_gives(mmconvert, rejected, converted, saved_models, tmp_path):
    document = converted(mmconvert(saved_models / "digits.keras", "--json"))
    assert document["verdict"] == "LITE_FLOAT" and document["name"] == "digits"
    converted(mmconvert(saved_models / "digits", "-o", "other.tflite", "--json"))
    row = np.load(saved_models / "digits.npy")[:1]
    answers = []
    for name in ("digits.tflite", "other.tflite"):
        runner = Interpreter(model_path=str(tmp_path / name)).get_signature_runner()
        answers.append(next(iter(runner(**dict.fromkeys(runner.get_input_details(), row)).values())))
    assert np.allclose(*answers, atol=1e-6)
    (tmp_path / "junk.keras").write_bytes(b"PK no zip at all")
    assert "junk.keras is not a whole Keras file" in rejected(mmconvert("junk.keras", "--json"))
    with zipfile.ZipFile(tmp_path / "zip.keras", "w") as file:
        file.writestr("config.json", "{}")
    assert "Keras cannot load the file" in rejected(mmconvert("zip.keras", "--json"))


def test_an_old_keras_file_is_loaded_with_keras_2(mmconvert, rejected, converted, saved_models, tmp_path):
    done = mmconvert(saved_models / "keras_2.h5", "--publish", tmp_path, "--json")
    document = converted(done)
    assert document["verdict"] == "LITE_FLOAT" and document["parity"]["relative_error"] < 1e-5
    (groups, loaded) = sorted(document["repairs"])
    assert "'groups': 1" in groups and "Keras 2 (tf-keras)" in loaded
    row = np.random.default_rng(4).random((1, 16, 16, 3)).astype(np.float32)
    runner = Interpreter(model_path=str(tmp_path / "keras_2.tflite")).get_signature_runner()
    (answer,) = runner(**dict.fromkeys(runner.get_input_details(), row)).values()
    assert answer.shape == (1, 2) and answer.sum() == pytest.approx(1)
    (tmp_path / "junk.h5").write_bytes(b"no HDF5")
    assert "junk.h5 is not a whole Keras file" in rejected(mmconvert("junk.h5", "--json"))
    (tmp_path / "cut.h5").write_bytes((saved_models / "keras_2.h5").read_bytes()[:5000])
    assert "Keras cannot load the file" in rejected(mmconvert("cut.h5", "--json"))


def test_random_bytes_are_rejected_at_once(mmconvert, rejected, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "saved_model.pb").write_bytes(np.random.default_rng(1).bytes(10_000))
    assert "saved_model.pb" in rejected(mmconvert("model", "--json"))
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".tflite"] == []


def test_one_of_several_signatures_is_chosen_and_keeps_its_name(mmconvert, converted, saved_models, tmp_path):
    document = converted(mmconvert(saved_models / "two", "--signature", "encode", "--json"))
    assert "left out: decode" in document["evidence"][0]
    signatures = Interpreter(model_path=str(tmp_path / "two.tflite")).get_signature_list()
    assert signatures == {"encode": {"inputs": ["x"], "outputs": ["y"]}}


def test_a_refusal_is_a_verdict_with_its_reason(mmconvert, saved_models, tmp_path):
    done = mmconvert(saved_models / "python", "--json")
    document = json.loads(done.stdout)
    assert done.returncode == 1 and next(iter(document)) == "verdict"
    assert (document["verdict"], document["output"]) == ("REJECT", None)
    assert "calls Python code (EagerPyFunc" in document["reason"]
    assert json.loads(done.stderr)["error"] == document["error"]
    assert not list(tmp_path.glob("*python*"))


@pytest.mark.parametrize(("model", "part"), [("bare", "has no signature"), ("text", "'x' string")])
def test_a_model_without_any_tflite_form_is_refused(mmconvert, refused, saved_models, model, part):
    assert part in refused(mmconvert(saved_models / model))


@pytest.mark.parametrize(
    ("damage", "part"), [(cut_variables, "variables are missing, cut short"), (cut_graph, "damaged or cut short")]
)
def test_a_truncated_saved_model_is_refused(mmconvert, refused, saved_models, tmp_path, damage, part):
    shutil.copytree(saved_models / "classifier", tmp_path / "broken")
    damage(tmp_path / "broken")
    assert part in refused(mmconvert("broken"))
