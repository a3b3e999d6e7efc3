import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.tensorflow


def test_the_doctor_diagnoses_without_converting(mmconvert, saved_models, tmp_path):
    text = mmconvert("doctor", saved_models / "slots").stdout
    assert "remove 3 optimizer slots" in text and "signature only" in text
    document = json.loads(mmconvert("doctor", saved_models / "lstm", "--json").stdout)
    assert any("recurrent" in line for line in document["repairs"]) and document["ops"]["TensorListReserve"] >= 1
    done = mmconvert("doctor", saved_models / "python")
    assert done.returncode == 1 and "calls Python code" in done.stderr and "EagerPyFunc" in done.stdout
    assert "keeps state" in mmconvert("doctor", saved_models / "step").stdout
    assert "open dimensions" in mmconvert("doctor", saved_models / "any_size").stdout
    assert [path.name for path in Path(tmp_path).iterdir()] == ["scratch"]
