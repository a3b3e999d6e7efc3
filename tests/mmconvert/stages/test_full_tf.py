import hashlib
import json

import pytest

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize(("model", "op"), [("svd", "Svd"), ("inverse", "MatrixInverse")])
def test_a_model_that_litert_cannot_run_becomes_a_folder_for_full_tensorflow(
    mmconvert, converted, saved_models, tmp_path, model, op
):
    folder = tmp_path / "models"
    folder.mkdir()
    (tmp_path / "labels.txt").write_text("one\ntwo\nthree\n")
    document = converted(mmconvert(saved_models / model, "--publish", folder, "--labels", "labels.txt", "--json"))
    made = folder / model
    assert next(iter(document)) == "verdict" and document["verdict"] == "FULL_TF"
    assert f"operation {op} has no TFLite form" in document["reason"]
    assert document["output"] == document["published"] == str(made)
    assert any("answers as before: 3" in line for line in document["evidence"])
    assert sorted(path.name for path in folder.iterdir()) == [model, f"{model}.labels.txt"]
    record = json.loads((made / "mmconvert.json").read_text())
    assert (record["made_by"], record["verdict"], record["reason"]) == ("mmconvert", "FULL_TF", document["reason"])
    assert list(record["signatures"]) == ["serving_default"] and len(record["provenance"]["source_digest"]) == 64
    found = {str(path.relative_to(made)): path for path in made.rglob("*") if path.is_file()}
    assert record["files"] == {
        name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in found.items() if name != "mmconvert.json"
    }
    assert json.loads(mmconvert(saved_models / model, "--publish", folder, "--json").stdout)["sha256"]  # replaces it


def test_a_folder_that_mmconvert_did_not_make_is_not_replaced(mmconvert, refused, saved_models, tmp_path):
    (tmp_path / "svd").mkdir()
    (tmp_path / "svd" / "mine").touch()
    assert "mmconvert did not make the folder" in refused(mmconvert(saved_models / "svd"))
    assert [path.name for path in (tmp_path / "svd").iterdir()] == ["mine"]
