import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from mmwire.tflite import outline, verify_content
from rig.waiting import wait_for

pytestmark = pytest.mark.tensorflow


def tree(folder):
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def run(path, **inputs):
    runner = Interpreter(model_path=str(path)).get_signature_runner()
    return runner(**inputs)


def children_of(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid):
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_int8_is_published_sealed_and_reproducible(mmconvert, converted, saved_models, tmp_path, normal_rows):
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
    children = wait_for("a child runs", lambda: children_of(process.pid))
    process.send_signal(number)
    assert "interrupted" in process.communicate(timeout=30)[1]
    assert process.returncode == status
    assert list(scratch.iterdir()) == [] and list(folder.iterdir()) == []
    # A child that has only just started ends by itself.
    wait_for("the children end with the command", lambda: not any(is_running(child) for child in children))
