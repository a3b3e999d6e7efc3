"""The main job on models and photographs that nobody here made."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from rig.daemon_process import BIN, QUICK, DaemonProcess
from rig.waiting import LIMIT_S

REAL = Path(os.environ.get("MM_REAL_MODELS", Path(__file__).parents[3] / "shared" / "models"))

pytestmark = [
    pytest.mark.real_models,
    pytest.mark.skipif(not REAL.is_dir(), reason=f"no real models: {REAL} is not there (MM_REAL_MODELS)"),
]


def run(*command: object, **more: str) -> str:
    done = subprocess.run(
        [BIN / str(command[0]), *map(str, command[1:])],
        capture_output=True,
        text=True,
        timeout=5 * LIMIT_S,
        env={**os.environ, **more},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("beside", [True, False], ids=["labels beside it", "labels in its own metadata"])
def test_mobilenet_names_the_photographs(daemon: DaemonProcess, beside: bool) -> None:
    if beside:
        shutil.copy(REAL / "imagenet_labels.txt", daemon.models / "mobilenet.labels.txt")
    shutil.copy(REAL / "tf2_mobilenet_v2_1.0_224_ptq.tflite", daemon.models / "mobilenet.tflite")
    run("mmctl", "--socket", daemon.socket, "wait", "mobilenet")
    photographs = [REAL / name for name in ("cat.bmp", "grace_hopper.bmp", "sunflower.bmp")]
    inputs = [word for path in photographs for word in ("-i", path)]
    text = run("mmctl", "--socket", daemon.socket, "--json", "predict", "mobilenet", "--top", 1, *inputs)
    [output] = json.loads(text)["outputs"]
    named = [top["label"] for tops in output["top"] for top in (tops if isinstance(tops, list) else [tops])]
    assert named == ["Egyptian cat", "military uniform", "daisy"]


@pytest.mark.tensorflow
def test_the_keyword_spotter_is_converted_published_and_answers(daemon: DaemonProcess, tmp_path: Path) -> None:
    rows = np.random.default_rng(3).normal(size=(64, 49, 10, 1)).astype(np.float32)
    np.savez(tmp_path / "calibration.npz", rows)
    document = json.loads(
        run(
            *("mmconvert", REAL / "kws_ref_model", "--name", "kws", "--quantize", "int8"),
            *("--calibration", tmp_path / "calibration.npz", "--publish", daemon.models, "--json"),
        )
    )
    assert document["verdict"] == "LITE_INT8"
    run("mmctl", "--socket", daemon.socket, "wait", "kws", "--sha256", document["sha256"])
    with daemon.client() as client:
        scores = next(iter(client.predict("kws", rows[:5], dequantize=True).values()))
    assert scores.shape == (5, 12)
    assert np.allclose(scores.sum(axis=1), 1, atol=0.05), "they are probabilities"


@pytest.mark.tensorflow
def test_the_keyword_spotter_dropped_as_it_is_answers_like_its_int8_form(tmp_path: Path) -> None:
    """Keras 2 saved it with its optimizer's slots, which TensorFlow cannot load."""
    daemon = DaemonProcess(tmp_path, environment={**QUICK, "MMDAEMON_MODELS_TENSORFLOW": "always"}).start()
    try:
        shutil.copytree(REAL / "kws_ref_model", daemon.models / ".kws.part")
        (daemon.models / ".kws.part").rename(daemon.models / "kws")
        shutil.copy(REAL / "kws_ref_model.tflite", daemon.models / "int8.tflite")
        rows = np.random.default_rng(3).normal(size=(50, 49, 10, 1)).astype(np.float32)
        with daemon.client() as client:
            client.wait("kws", timeout=LIMIT_S)
            client.wait("int8", timeout=LIMIT_S)
            full = next(iter(client.predict("kws", rows).values()))
            lite = next(iter(client.predict("int8", rows, dequantize=True).values()))
    finally:
        daemon.kill()
    assert full.shape == (50, 12) and np.allclose(full.sum(axis=1), 1, atol=1e-5)
    assert (full.argmax(axis=1) == lite.argmax(axis=1)).mean() >= 0.9


def test_every_real_file_serves_and_rows_equal_single_calls(daemon: DaemonProcess) -> None:
    for path in sorted(REAL.glob("*.tflite")):
        shutil.copy(path, daemon.models / path.name)
    generator = np.random.default_rng(5)
    with daemon.client() as client:
        for path in sorted(REAL.glob("*.tflite")):
            shown = client.wait(path.stem, timeout=LIMIT_S)
            spec = shown["signatures"][0]["inputs"][0]
            shape = (35 if np.prod(spec["shape"][1:]) < 10_000 else 3, *spec["shape"][1:])
            if spec["dtype"] == "float32":
                rows = generator.random(shape, np.float32)
            else:
                span = np.iinfo(spec["dtype"])
                rows = generator.integers(span.min, span.max, shape, spec["dtype"], endpoint=True)
            together = next(iter(client.predict(path.stem, rows).values()))
            single = np.concatenate([next(iter(client.predict(path.stem, row[None]).values())) for row in rows])
            tolerance = 1e-3 * float(np.abs(single).max()) if spec["dtype"] == "float32" else 3
            assert np.abs(together.astype(np.float64) - single.astype(np.float64)).max() <= tolerance, path.stem
