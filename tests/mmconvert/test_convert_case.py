"""Cases that must come out right: the best form is found and proved, or the reason why not is told."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from mmwire.golden import parse_goldens
from mmwire.tflite import outline

pytestmark = pytest.mark.tensorflow


def rejected(done):
    assert done.returncode == 1, done.stdout + done.stderr
    document = json.loads(done.stdout)
    assert document["verdict"] == "REJECT" and document["output"] is None
    return document["reason"]


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


def test_the_best_form_is_found_believed_and_found_again(mmconvert, converted, saved_models, tmp_path, digits):
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


def test_a_file_is_made_again_and_compared(mmconvert, converted, saved_models, tmp_path, normal_rows):
    np.save(tmp_path / "rows.npy", normal_rows(100, 16))
    model = tmp_path / "classifier"
    shutil.copytree(saved_models / "classifier", model)
    converted(mmconvert(model, "--quantize", "int8", "--calibration", "rows.npy", "-o", "out.tflite", "--json"))
    done = mmconvert("verify", "out.tflite", "--json")
    assert json.loads(done.stdout)["is_same"] and done.returncode == 0
    np.save(tmp_path / "other.npy", normal_rows(100, 16) * 2)
    done = mmconvert("verify", "out.tflite", "--calibration", "other.npy", "--json")
    result = json.loads(done.stdout)
    assert done.returncode == 1 and not result["is_same"]
    assert any(line.startswith("calibration: digest: ") for line in result["differences"])
    shutil.rmtree(model)
    done = mmconvert("verify", "out.tflite")
    assert done.returncode == 2 and f"{model} is gone" in done.stderr and "--source" in done.stderr
    content = bytearray((tmp_path / "out.tflite").read_bytes())
    content[len(content) // 2] ^= 4
    (tmp_path / "out.tflite").write_bytes(content)
    done = mmconvert("verify", "out.tflite")
    assert done.returncode == 1 and "content digest does not match" in done.stderr


@pytest.mark.parametrize(
    ("quantize", "verdict", "text"),
    [("float16", "LITE_FLOAT", "weights in float16"), ("int16x8", "LITE_MIXED", "tensors in int16")],
)
def test_a_form_that_was_asked_for(mmconvert, converted, saved_models, digits, quantize, verdict, text):
    document = converted(mmconvert(saved_models / "digits", "--quantize", quantize, *digits))
    assert (document["verdict"], document["recipe"]) == (verdict, quantize)
    assert text in document["reason"] and document["search"] is None
    assert document["drop"]["estimate"] <= 0.01
    key, value = {"float16": ("op", "DEQUANTIZE"), "int16x8": ("dtype", "INT16")}[quantize]
    assert value in {operation[key] for operation in document["operations"]}, "of the file that was written"


def test_a_keras_3_file_gives_what_its_saved_model_gives(mmconvert, converted, saved_models, tmp_path):
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
    assert "junk.keras is no whole Keras file" in rejected(mmconvert("junk.keras", "--json"))
    with zipfile.ZipFile(tmp_path / "zip.keras", "w") as file:
        file.writestr("config.json", "{}")
    assert "Keras cannot load the file" in rejected(mmconvert("zip.keras", "--json"))


def test_an_old_keras_file_is_loaded_with_what_wrote_it(mmconvert, converted, saved_models, tmp_path):
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
    assert "junk.h5 is no whole Keras file" in rejected(mmconvert("junk.h5", "--json"))
    (tmp_path / "cut.h5").write_bytes((saved_models / "keras_2.h5").read_bytes()[:5000])
    assert "Keras cannot load the file" in rejected(mmconvert("cut.h5", "--json"))


@pytest.mark.parametrize(
    ("rows", "part"),
    [
        (np.zeros((0, 16), np.float32), "no calibration rows"),
        (np.full((40, 16), np.nan, np.float32), "holds NaN, first in row 0"),
        (np.zeros((40, 16), np.float32), "is constant: every value is 0.0"),
        (np.full((40, 16), "a"), "wrong type: expected float32"),
        (np.ones((40, 15), np.float32), "wrong shape: expected [?, 16]"),
    ],
    ids=["no rows", "NaN", "zeros", "wrong type", "wrong shape"],
)
def test_data_that_would_ruin_the_model_is_rejected_before_tensorflow_starts(
    mmconvert, saved_models, tmp_path, rows, part
):
    np.save(tmp_path / "rows.npy", rows)
    done = mmconvert(saved_models / "classifier", "--calibration", "rows.npy", "--no-cache", "--json")
    assert part in rejected(done)
    assert json.loads(done.stdout)["seconds"] < 3, "TensorFlow alone takes longer to start"
    assert not list(tmp_path.glob("*.tflite"))


def test_the_search_goes_on_where_one_way_to_int8_crashes(mmconvert, converted, saved_models, tmp_path, normal_rows):
    np.save(tmp_path / "rows.npy", normal_rows(80, 4))
    document = converted(mmconvert(saved_models / "loop", "--calibration", "rows.npy", "--json"))
    failed = {item["name"]: item["refusal"] for item in document["search"]["candidates"]}
    assert "killed by signal 11 (SIGSEGV)" in failed["tensorflow_int8"]
    assert failed["static_int8"] and failed["float32"] == ""
    assert document["verdict"].startswith("LITE_")


def test_recurrent_layers_take_part_in_the_search(mmconvert, converted, saved_models, tmp_path, normal_rows):
    np.save(tmp_path / "rows.npy", normal_rows(80, 6, 4))
    document = converted(mmconvert(saved_models / "lstm", "--calibration", "rows.npy", "--json"))
    made = {item["name"] for item in document["search"]["candidates"] if item["latency_ms"]}
    assert "float32" in made and "tensorflow_int8" in made
    content = (tmp_path / "lstm.tflite").read_bytes()
    assert json.loads(outline(content).entry(content, "MM_IO"))["batches"] == [1], "whatever its shape says"


def test_state_is_compared_over_steps_and_signatures(mmconvert, converted, saved_models, tmp_path):
    document = converted(mmconvert(saved_models / "steps", "--json"))
    assert document["signatures"] == ["scaled", "step"]
    assert evidence(document, "over 3 steps in a row")
    interpreter = Interpreter(model_path=str(tmp_path / "steps.tflite"))
    one = np.ones((1, 4), np.float32)
    step, scaled = (interpreter.get_signature_runner(name) for name in ("step", "scaled"))
    assert [float(f(x=one)["sum"][0, 0]) for f in (step, scaled, step)] == [1, 3, 4]


def test_random_bytes_are_rejected_at_once(mmconvert, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "saved_model.pb").write_bytes(np.random.default_rng(1).bytes(10_000))
    assert "saved_model.pb" in rejected(mmconvert("model", "--json"))
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".tflite"] == []


def test_what_is_in_the_file(mmconvert, converted, saved_models, tmp_path, normal_rows):
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


def test_the_doctor_tells_without_converting(mmconvert, saved_models, tmp_path):
    text = mmconvert("doctor", saved_models / "slots").stdout
    assert "remove 3 optimizer slots" in text and "signature only" in text
    document = json.loads(mmconvert("doctor", saved_models / "lstm", "--json").stdout)
    assert any("recurrent" in line for line in document["repairs"]) and document["ops"]["TensorListReserve"] >= 1
    done = mmconvert("doctor", saved_models / "python")
    assert done.returncode == 1 and "calls Python code" in done.stderr and "EagerPyFunc" in done.stdout
    assert "keeps state" in mmconvert("doctor", saved_models / "step").stdout
    assert "open dimensions" in mmconvert("doctor", saved_models / "any_size").stdout
    assert [path.name for path in Path(tmp_path).iterdir()] == ["scratch"]


def test_what_fails_on_rows_held_out_makes_way_for_what_is_nearer_to_the_original(
    mmconvert, converted, saved_models, tmp_path
):
    data = saved_models / "shifted_eval.npz"
    document = converted(mmconvert(saved_models / "shifted", "--eval", data, "-o", "out.tflite", "--json"))
    search = document["search"]
    assert evidence(document, "accuracy gate failed: ") and " failed on rows held out; " in search["reason"]
    assert search["chosen"] == document["recipe"] and search["chosen"] not in ("float32", "static_int8")
    assert search["reason"] in document["reason"] and search["speedup"]["low"] > 1.02
    assert accuracy(tmp_path / "out.tflite", data) > 0.99


@pytest.mark.parametrize("row", [0, 1, 3], ids=["calibrates", "chooses", "verifies"])
def test_a_word_that_the_model_does_not_know_is_named_and_never_left_out(mmconvert, saved_models, tmp_path, row):
    words = np.random.default_rng(0).integers(0, 4, (80, 2)).astype(np.int32)
    words[row, 1] = 9
    np.savez(tmp_path / "words.npz", x=words)
    reason = rejected(mmconvert(saved_models / "words", "--calibration", "words.npz", "-o", "out.tflite", "--json"))
    assert reason == f"--calibration: the model itself refuses row {row}: indices[0,1] = 9 is not in [0, 4)"
