import pytest

pytestmark = pytest.mark.tensorflow


def test_dynamic_is_mixed_and_both_places_are_written(mmconvert, converted, saved_models, tmp_path):
    (tmp_path / "models").mkdir()
    arguments = ("--quantize", "dynamic", "-o", "out.tflite", "--publish", "models", "--json")
    document = converted(mmconvert(saved_models / "classifier", *arguments))
    assert document["verdict"] == "LITE_MIXED" and document["parity"]["inputs"] == "random"
    assert (document["output"], document["published"]) == ("out.tflite", "models/classifier.tflite")
    assert (tmp_path / "out.tflite").read_bytes() == (tmp_path / "models" / "classifier.tflite").read_bytes()
