from pathlib import Path

import pytest

from mmconvert.job import decide_quantize, derive_name
from mmwire.errors import ClientError, ConvertError
from mmwire.manifest import is_model_name


@pytest.mark.parametrize(
    ("asked", "has_calibration", "decided"),
    [("auto", True, "int8"), ("auto", False, "float32"), ("dynamic", False, "dynamic"), ("float32", True, "float32")],
)
def test_auto_is_int8_only_with_data(asked, has_calibration, decided):
    assert decide_quantize(asked, has_calibration) == decided


def test_int8_without_data_is_a_usage_error():
    with pytest.raises(ConvertError) as caught:
        decide_quantize("int8", has_calibration=False)
    assert (caught.value.code, caught.value.exit_status) == ("CALIBRATION_MISSING", 2)


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("models/kws", "kws"),
        ("models/kws/12", "kws"),  # the folder of a version
        ("my model (final)", "my-model-final"),
        (".hidden_model", "hidden_model"),
        ("ünïcode", "n-code"),
        ("x" * 100, "x" * 64),
    ],
)
def test_name_comes_from_the_folder(tmp_path, folder, name):
    assert derive_name(tmp_path / folder, None) == name
    assert is_model_name(name)


def test_name_of_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "digits").mkdir()
    monkeypatch.chdir(tmp_path / "digits")
    assert derive_name(Path(), None) == "digits"


@pytest.mark.parametrize(("folder", "asked"), [("kws", "a/b"), ("kws", ""), ("---", None)])
def test_impossible_names_are_usage_errors(tmp_path, folder, asked):
    with pytest.raises(ClientError) as caught:
        derive_name(tmp_path / folder, asked)
    assert caught.value.exit_status == 2
