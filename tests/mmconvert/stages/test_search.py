import json

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from mmwire.tflite import outline

pytestmark = pytest.mark.tensorflow


def evidence(document, part):
    return next(line for line in document["evidence"] if part in line)


def accuracy(path, evaluation):
    runner = Interpreter(model_path=str(path)).get_signature_runner()
    (takes,), (gives,) = runner.get_input_details().items(), runner.get_output_details().items()
    rows = np.load(evaluation)
    x = rows["x"]
    scale, zero_point = takes[1]["quantization"]
    if scale:
        x = np.clip(np.rint(x / scale) + zero_point, -128, 127).astype(np.int8)
    guesses = [int(runner(**{takes[0]: row[None]})[gives[0]].argmax()) for row in x]
    return float(np.mean(guesses == rows["labels"]))


def test_the_search_finds_the_best_form_and_finds_it_again(mmconvert, converted, saved_models, tmp_path, digits):
    folder = tmp_path / "models"
    folder.mkdir()
    arguments = (saved_models / "digits", *digits, "--publish", folder, "--report", "report.html")
    document = converted(mmconvert(*arguments))
    search = document["search"]
    assert search["drop_is"] == "accuracy lost on labelled rows" and search["rows"] == 256
    assert evidence(document, "200 calibrate, 256 choose among candidates, 400 only verify")
    assert evidence(document, "on rows held out: accuracy lost on labelled rows")
    assert document["drop"]["estimate"] <= 0.01
    found = {candidate["name"]: candidate for candidate in search["candidates"]}
    assert {"float32", "static_int8", "dynamic_int8", "weights_int8", "float16", "dense_int4", "int16x8"} <= set(found)
    assert len(found["static_int8"]["times_ms"]) == 24 and found["float32"]["memory_bytes"] > 0
    assert search["sensitivity"] and search["growth"][-1] == [200, 1.0] and search["ranges"]

    path = folder / "digits.tflite"
    kept = converted(mmconvert(saved_models / "digits", "--quantize", "float32", "-o", "float.tflite", "--json"))
    lost = accuracy(tmp_path / kept["output"], saved_models / "digits_eval.npz") - accuracy(
        path, saved_models / "digits_eval.npz"
    )
    assert lost <= 0.01
    chosen, best = (
        found[search["chosen"]],
        min(item["latency_ms"]["estimate"] for item in found.values() if item["latency_ms"] and not item["refusal"]),
    )
    assert chosen["latency_ms"]["estimate"] <= 1.05 * best or search["chosen"] == "float32"
    again = converted(mmconvert(*arguments))
    assert again["sha256"] == document["sha256"] and again["search"] == search


@pytest.mark.parametrize(
    ("quantize", "verdict", "text"),
    [("float16", "LITE_FLOAT", "weights in float16"), ("int16x8", "LITE_MIXED", "tensors in int16")],
)
def test_a_requested_form_is_made_without_a_search(mmconvert, converted, saved_models, digits, quantize, verdict, text):
    document = converted(mmconvert(saved_models / "digits", "--quantize", quantize, *digits))
    assert (document["verdict"], document["recipe"]) == (verdict, quantize)
    assert text in document["reason"] and document["search"] is None
    assert document["drop"]["estimate"] <= 0.01
    key, value = {"float16": ("op", "DEQUANTIZE"), "int16x8": ("dtype", "INT16")}[quantize]
    assert value in {operation[key] for operation in document["operations"]}, "of the file that was written"


def test_the_search_goes_on_where_one_way_to_int8_crashes(mmconvert, converted, saved_models, tmp_path, normal_rows):
    np.save(tmp_path / "rows.npy", normal_rows(80, 4))
    document = converted(mmconvert(saved_models / "loop", "--calibration", "rows.npy", "--json"))
    failed = {item["name"]: item["refusal"] for item in document["search"]["candidates"]}
    assert "killed by signal 11 (SIGSEGV)" in failed["tensorflow_int8"]
    assert failed["static_int8"] and failed["float32"] == ""
    assert document["verdict"].startswith("LITE_")


def test_recurrent_layers_take_part_in_the_search(mmconvert, converted, saved_models, tmp_path, normal_rows):
    np.save(tmp_path / "rows.npy", normal_rows(80, 6, 4))
    converted(mmconvert(saved_models / "lstm", "--json"))  # from here on the float model is in the cache
    document = converted(mmconvert(saved_models / "lstm", "--calibration", "rows.npy", "--json"))
    made = {item["name"] for item in document["search"]["candidates"] if item["latency_ms"]}
    assert "float32" in made and "tensorflow_int8" in made
    content = (tmp_path / "lstm.tflite").read_bytes()
    assert json.loads(outline(content).entry(content, "MM_IO"))["batches"] == [1], "whatever its shape says"
