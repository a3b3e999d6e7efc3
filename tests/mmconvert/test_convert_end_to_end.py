"""The command as a process on real SavedModels: what it makes, and what it refuses."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

from mmwire.tflite import outline, verify_content

pytestmark = pytest.mark.tensorflow


def tree(folder):
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def converted(done):
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def refused(done, status=1):
    assert done.returncode == status, done.stdout + done.stderr
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[0].startswith("error: ") and len(lines) <= 2
    return done.stderr


def run(path, **inputs):
    runner = Interpreter(model_path=str(path)).get_signature_runner()
    return runner(**inputs)


def test_int8_is_published_sealed_and_reproducible(mmconvert, saved_models, tmp_path, normal_rows):
    source, folder = saved_models / "classifier", tmp_path / "models"
    folder.mkdir()
    np.savez(tmp_path / "rows.npz", anything=normal_rows(200, 16))
    before = tree(source)
    options = ("--quantize", "int8", "--calibration", "rows.npz")
    arguments = (source, *options, "--publish", folder, "--name", "ants", "--json")
    document = converted(mmconvert(*arguments))
    path = folder / "ants.tflite"
    content = path.read_bytes()

    assert [entry.name for entry in folder.iterdir()] == ["ants.tflite"]
    assert next(iter(document)) == "verdict" and document["verdict"] == "LITE_INT8"
    assert (document["output"], document["published"], document["name"]) == (str(path), str(path), "ants")
    assert document["sha256"] == hashlib.sha256(content).hexdigest() and document["bytes"] == len(content)
    assert document["source_bytes"] == sum(len(file) for file in before.values())
    assert document["parity"]["inputs"] == "calibration" and document["parity"]["batches"] == [1, 8]
    assert document["parity"]["sqnr_db"] > 25 and document["parity"]["top1_agreement"] > 0.95
    assert document["parity"]["float32"]["relative_error"] < 1e-5
    assert document["calibration"]["rows"] == 200 and document["labels"] == 4
    assert any("left out: serve" in line for line in document["evidence"])
    assert tree(source) == before, "the input was touched"

    found = outline(content)
    assert verify_content(content, found)
    assert found.entry(content, "MM_LABELS") == b"ant\nbee\ncat\ndog"
    provenance = json.loads(found.entry(content, "MM_PROVENANCE"))
    assert provenance["parity"] == document["parity"] and provenance["versions"] == document["versions"]
    assert provenance["calibration"] == document["calibration"]
    assert len(provenance["source_digest"]) == 64 and "time" not in provenance

    interpreter = Interpreter(model_path=str(path))
    for details in (*interpreter.get_input_details(), *interpreter.get_output_details()):
        assert details["dtype"] is np.int8 and details["shape_signature"][0] == -1
    assert run(path, keras_tensor=np.zeros((5, 16), np.int8))["output_0"].shape == (5, 4)

    assert converted(mmconvert(*arguments))["sha256"] == document["sha256"]


def test_float_goes_into_the_current_folder_with_a_summary(mmconvert, saved_models, tmp_path):
    done = mmconvert(saved_models / "classifier")
    assert done.returncode == 0 and done.stderr == ""
    for part in ("classifier: LITE_FLOAT", "parity", "batch 1 and 8", "4 in the file", "mmctl predict classifier"):
        assert part in done.stdout
    assert verify_content(
        (tmp_path / "classifier.tflite").read_bytes(), outline((tmp_path / "classifier.tflite").read_bytes())
    )


def test_dynamic_is_mixed_and_both_places_are_written(mmconvert, saved_models, tmp_path):
    (tmp_path / "models").mkdir()
    arguments = ("--quantize", "dynamic", "-o", "out.tflite", "--publish", "models", "--json")
    document = converted(mmconvert(saved_models / "classifier", *arguments))
    assert document["verdict"] == "LITE_MIXED" and document["parity"]["inputs"] == "random"
    assert (document["output"], document["published"]) == ("out.tflite", "models/classifier.tflite")
    assert (tmp_path / "out.tflite").read_bytes() == (tmp_path / "models" / "classifier.tflite").read_bytes()


def test_weights_of_a_keras_3_model_saved_by_tensorflow_are_kept(mmconvert, saved_models, tmp_path):
    """``from_saved_model`` turns this one into NaN without an error."""
    document = converted(mmconvert(saved_models / "orphan", "--json"))
    assert document["parity"]["relative_error"] < 1e-5
    answer = run(tmp_path / "orphan.tflite", inputs=np.ones((1, 16), np.float32))["output_0"]
    assert answer.sum() == pytest.approx(1)


def test_recurrent_layers_are_repaired_and_their_batch_is_told_as_it_is(mmconvert, saved_models):
    document = converted(mmconvert(saved_models / "lstm", "--json"))
    assert any("TensorListReserve" in repair for repair in document["repairs"])
    assert document["parity"]["batches"] == [1]
    assert any("one row at a time" in line for line in document["evidence"])


def test_optimizer_slots_are_removed_in_a_copy(mmconvert, saved_models):
    before = tree(saved_models / "slots")
    document = converted(mmconvert(saved_models / "slots", "--json"))
    assert document["repairs"] == ["removed 3 optimizer slots, which TensorFlow cannot load (add_slot)"]
    assert document["signatures"] == ["only"]
    assert tree(saved_models / "slots") == before


def test_every_signature_is_converted_and_calibrated(mmconvert, saved_models, tmp_path, normal_rows):
    np.savez(tmp_path / "rows.npz", **{"encode/x": normal_rows(80, 4), "decode/x": normal_rows(80, 4) * 3})
    document = converted(mmconvert(saved_models / "two", "--quantize", "int8", "--calibration", "rows.npz", "--json"))
    assert document["signatures"] == ["decode", "encode"] and document["verdict"] == "LITE_INT8"
    interpreter = Interpreter(model_path=str(tmp_path / "two.tflite"))
    scales = {}
    for name in ("encode", "decode"):  # TensorFlow leaves one of them in float32 when only the other is calibrated
        (details,) = interpreter.get_signature_runner(name).get_input_details().values()
        assert details["dtype"] is np.int8
        scales[name] = details["quantization"][0]
    assert scales["decode"] == pytest.approx(3 * scales["encode"], rel=0.01)
    np.savez(tmp_path / "half.npz", **{"encode/x": normal_rows(80, 4)})
    assert "'decode/x'" in refused(mmconvert(saved_models / "two", "--quantize", "int8", "--calibration", "half.npz"))


def test_one_of_several_signatures_is_chosen_and_keeps_its_name(mmconvert, saved_models, tmp_path):
    document = converted(mmconvert(saved_models / "two", "--signature", "encode", "--json"))
    assert "left out: decode" in document["evidence"][0]
    signatures = Interpreter(model_path=str(tmp_path / "two.tflite")).get_signature_list()
    assert signatures == {"encode": {"inputs": ["x"], "outputs": ["y"]}}


def test_two_inputs_are_calibrated_by_name(mmconvert, saved_models, tmp_path, normal_rows):
    np.savez(tmp_path / "rows.npz", a=normal_rows(80, 4).astype(np.float64), b=np.arange(80).reshape(80, 1) % 4)
    document = converted(mmconvert(saved_models / "pair", "--quantize", "int8", "--calibration", "rows.npz", "--json"))
    assert document["verdict"] == "LITE_INT8" and document["parity"]["equal_share"] == 1
    assert any("'a' was float64" in line for line in document["evidence"])


def test_images_calibrate_an_image_model(mmconvert, saved_models, tmp_path):
    random = np.random.default_rng(2)
    (tmp_path / "photos").mkdir()
    for index in range(20):
        pixels = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{index}.png")
    document = converted(mmconvert(saved_models / "image", "--quantize", "int8", "--calibration", "photos", "--json"))
    assert document["verdict"] == "LITE_INT8" and document["calibration"]["rows"] == 20
    details = Interpreter(model_path=str(tmp_path / "image.tflite")).get_input_details()[0]
    assert details["quantization"][0] == pytest.approx(1 / 255, rel=0.02)  # the range is [0, 1]


def test_state_starts_anew_for_every_row(mmconvert, saved_models, tmp_path):
    document = converted(mmconvert(saved_models / "step", "--json"))
    assert document["parity"]["max_abs_error"] == 0
    runner = Interpreter(model_path=str(tmp_path / "step.tflite")).get_signature_runner()
    one = np.ones((1, 4), np.float32)
    assert [float(runner(x=one)["sum"][0, 0]) for _ in range(2)] == [1, 2]


def test_where_tensorflow_is_not_finite_the_rest_is_compared(mmconvert, saved_models):
    assert converted(mmconvert(saved_models / "blows_up", "--json"))["parity"]["relative_error"] < 1e-5


@pytest.mark.parametrize(("model", "op"), [("svd", "Svd"), ("inverse", "MatrixInverse")])
def test_what_litert_cannot_run_becomes_a_folder_for_full_tensorflow(mmconvert, saved_models, tmp_path, model, op):
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


def test_a_folder_that_mmconvert_did_not_make_is_not_replaced(mmconvert, saved_models, tmp_path):
    (tmp_path / "svd").mkdir()
    (tmp_path / "svd" / "mine").touch()
    assert "not made by mmconvert" in refused(mmconvert(saved_models / "svd"))
    assert [path.name for path in (tmp_path / "svd").iterdir()] == ["mine"]


def test_a_refusal_is_a_verdict_with_its_reason(mmconvert, saved_models, tmp_path):
    done = mmconvert(saved_models / "python", "--json")
    document = json.loads(done.stdout)
    assert done.returncode == 1 and next(iter(document)) == "verdict"
    assert (document["verdict"], document["output"]) == ("REJECT", None)
    assert "calls Python code (EagerPyFunc" in document["reason"]
    assert json.loads(done.stderr)["error"] == document["error"]
    assert not list(tmp_path.glob("*python*"))


def test_open_height_and_width_are_kept_open(mmconvert, saved_models, tmp_path):
    assert converted(mmconvert(saved_models / "any_size", "--json"))["verdict"] == "LITE_FLOAT"
    assert run(tmp_path / "any_size.tflite", x=np.ones((1, 5, 9, 3), np.float32))["mean"].tolist() == [[0.5] * 3]


def test_a_crash_of_the_calibrator_is_a_refusal(mmconvert, saved_models, tmp_path, normal_rows):
    np.save(tmp_path / "rows.npy", normal_rows(40, 4))
    text = refused(mmconvert(saved_models / "loop", "--quantize", "int8", "--calibration", "rows.npy"))
    assert "'quantize' was killed by signal 11 (SIGSEGV)" in text and "--quantize dynamic" in text


def test_calibration_that_is_not_like_the_inputs_fails_parity(mmconvert, saved_models, tmp_path, normal_rows):
    rows = normal_rows(200, 16)
    rows[::2] *= 0.02  # the half that calibrates
    np.save(tmp_path / "rows.npy", rows)
    text = refused(
        mmconvert(saved_models / "classifier", "--quantize", "int8", "--calibration", "rows.npy", "-o", "out.tflite")
    )
    assert "wanted, got" in text and "calibration rows" in text
    assert not (tmp_path / "out.tflite").exists()


def test_bad_data_and_bad_labels_are_refused(mmconvert, saved_models, tmp_path, normal_rows):
    rows = normal_rows(50, 16)
    rows[7, 3] = np.nan
    np.save(tmp_path / "rows.npy", rows)
    text = refused(mmconvert(saved_models / "classifier", "--calibration", "rows.npy"))
    assert "NaN, first in row 7" in text
    (tmp_path / "labels.txt").write_text("one\ntwo\n")
    text = refused(mmconvert(saved_models / "classifier", "--labels", "labels.txt"), status=2)
    assert "2 labels for the 4 classes of output 'output_0'" in text


@pytest.mark.parametrize(("model", "part"), [("bare", "has no signature"), ("text", "'x' string")])
def test_what_has_no_tflite_form_at_all(mmconvert, saved_models, model, part):
    assert part in refused(mmconvert(saved_models / model))


def cut_variables(folder):
    (data,) = (folder / "variables").glob("*.data-*")
    os.truncate(data, data.stat().st_size // 3)


def cut_graph(folder):
    os.truncate(folder / "saved_model.pb", 3000)


@pytest.mark.parametrize(
    ("damage", "part"), [(cut_variables, "variables are missing, cut short"), (cut_graph, "damaged or cut short")]
)
def test_a_truncated_saved_model_is_refused(mmconvert, saved_models, tmp_path, damage, part):
    shutil.copytree(saved_models / "classifier", tmp_path / "broken")
    damage(tmp_path / "broken")
    assert part in refused(mmconvert("broken"))


@pytest.mark.parametrize(
    ("option", "value", "part"),
    [("--time-limit", 1, "took longer than 1 s"), ("--memory-limit", 700, "more memory than its limit")],
)
def test_limits_end_a_conversion(mmconvert, saved_models, option, value, part):
    assert part in refused(mmconvert(saved_models / "classifier", option, value, "--no-cache"))


def children_of(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid):
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_conversion_leaves_nothing(saved_models, tmp_path, number, status):
    scratch, folder = tmp_path / "scratch", tmp_path / "models"
    scratch.mkdir()
    folder.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "mmconvert", saved_models / "classifier", "--no-cache", "--publish", folder],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(scratch)},
    )
    deadline = time.monotonic() + 30
    while not (children := children_of(process.pid)):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    assert "interrupted" in process.communicate(timeout=30)[1]
    assert process.returncode == status
    assert list(scratch.iterdir()) == [] and list(folder.iterdir()) == []
    while any(is_running(child) for child in children):  # one that was only just started ends by itself
        assert time.monotonic() < deadline, "a child outlived the command"
        time.sleep(0.01)
