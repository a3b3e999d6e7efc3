import os
import signal
import subprocess
import sys

import pytest

from rig.waiting import wait_for

pytestmark = pytest.mark.tensorflow


def test_a_second_run_needs_no_tensorflow(mmconvert, converted, saved_models, tmp_path, cache_home, digits):
    first = converted(mmconvert(saved_models / "digits", *digits, "-o", "out.tflite"))
    broken = tmp_path / "broken" / "tensorflow"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('TensorFlow was imported')")

    def run(*arguments):
        command = [sys.executable, "-m", "mmconvert", saved_models / "digits", *digits, *arguments]
        environment = {**os.environ, "PYTHONPATH": str(broken.parent), "XDG_CACHE_HOME": str(cache_home)}
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=100)

    assert converted(run("-o", "out.tflite"))["sha256"] == first["sha256"]
    assert "TensorFlow was imported" in run("--no-cache").stdout, "the check itself must be able to fail"


def test_a_run_that_was_killed_goes_on_where_it_was(mmconvert, converted, saved_models, tmp_path, digits):
    arguments = [saved_models / "digits", "--quantize", "int8", *digits, "-o", "out.tflite", "--cache", "kept"]
    scratch = tmp_path / "of the killed run"
    scratch.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "mmconvert", *map(str, arguments)],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(scratch)},
        stdout=subprocess.DEVNULL,
    )
    found = wait_for("the float model is kept", lambda: list(tmp_path.glob("kept/float_model-*")))
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "out.tflite").exists()
    ((half, made),) = [(path.stat().st_ino, path) for path in found]
    resumed = converted(mmconvert(*arguments))
    assert made.stat().st_ino == half, "the float model was made again"
    whole = converted(mmconvert(*arguments[:-2], "--cache", "another", "-o", "whole.tflite"))
    assert resumed["sha256"] == whole["sha256"]


@pytest.mark.parametrize(
    ("option", "value", "part"),
    [("--time-limit", 1, "took longer than 1 s"), ("--memory-limit", 700, "more memory than its limit")],
)
def test_limits_end_a_conversion(mmconvert, refused, saved_models, option, value, part):
    assert part in refused(mmconvert(saved_models / "classifier", option, value, "--no-cache"))
