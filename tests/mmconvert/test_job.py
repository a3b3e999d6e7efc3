from pathlib import Path

import pytest

from mmconvert.job import Job, derive_name, require_apart, require_data
from mmwire.errors import ClientError, ConvertError
from mmwire.manifest import is_model_name


@pytest.mark.parametrize(
    ("asked", "data", "searches"), [("auto", True, True), ("auto", False, False), ("int8", True, False)]
)
def test_auto_searches_only_with_data(asked, data, searches):
    assert Job(Path("a"), "a", asked, calibration=Path("rows.npy") if data else None).searches == searches
    assert Job(Path("a"), "a", asked, evaluation=Path("rows.npy") if data else None).searches == searches


@pytest.mark.parametrize("quantize", ["int8", "int16x8"])
def test_a_calibrated_form_without_data_is_a_usage_error(quantize):
    require_data(quantize, has_data=True)
    require_data("dynamic", has_data=False)
    with pytest.raises(ConvertError) as caught:
        require_data(quantize, has_data=False)
    assert (caught.value.code, caught.value.exit_status) == ("CALIBRATION_MISSING", 2)


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("models/kws", "kws"),
        ("models/kws/12", "kws"),  # the folder of a version
        ("my model (final)", "my-model-final"),
        (".hidden_model", "hidden_model"),
        ("vww_96.h5", "vww_96"),
        ("digits.keras", "digits"),
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


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"output": "shapes/saved_model.pb"}, "-o .* would overwrite the model"),
        ({"source": "s.keras", "output": "./s.keras"}, "would overwrite the model"),
        ({"report": "rows.npz"}, "--report .* would overwrite --calibration"),
        ({"report": "eval.npz"}, "would overwrite --eval"),
        ({"output": "labels.txt"}, "would overwrite --labels"),
    ],
)
def test_nothing_is_written_over_what_is_read(tmp_path, monkeypatch, change, text):
    monkeypatch.chdir(tmp_path)
    given = {"source": "shapes", "calibration": "rows.npz", "evaluation": "eval.npz", "labels": "labels.txt"}
    paths = {name: Path(value) for name, value in ({**given, "output": "shapes.tflite"} | change).items()}
    with pytest.raises(ClientError, match=text):
        require_apart(Job(name="shapes", **paths))
    require_apart(Job(name="shapes", **{name: Path(value) for name, value in given.items()}, output=Path("o.tflite")))


@pytest.mark.parametrize(("folder", "asked"), [("kws", "a/b"), ("kws", ""), ("---", None)])
def test_impossible_names_are_usage_errors(tmp_path, folder, asked):
    with pytest.raises(ClientError) as caught:
        derive_name(tmp_path / folder, asked)
    assert caught.value.exit_status == 2
