"""Every program in examples/ runs as its page says, against a real daemon."""

from __future__ import annotations

import csv
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rig import tiny_tflite as tiny
from rig.daemon_process import QUICK, DaemonProcess
from rig.waiting import LIMIT_S, wait_for

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[DaemonProcess]:
    made = DaemonProcess(tmp_path, environment=QUICK).start()
    try:
        yield made
    finally:
        made.kill()


def start(
    daemon: DaemonProcess, program: str, *arguments: object, stderr: int = subprocess.PIPE
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", EXAMPLES / program, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        env={**os.environ, "MM_SOCKET": str(daemon.socket)},
    )


def run(daemon: DaemonProcess, program: str, *arguments: object, given: str = "") -> tuple[int, str, str]:
    """Return the exit status and what was printed to stdout and stderr."""
    with start(daemon, program, *arguments) as process:
        told, failed = process.communicate(given, timeout=LIMIT_S)
    assert "Traceback" not in failed, failed
    return process.returncode, told, failed


def test_the_page_names_every_program() -> None:
    page = (EXAMPLES / "README.md").read_text()
    programs = {path.name for path in EXAMPLES.glob("*.py")}
    assert set(re.findall(r"\]\((\w+\.py)\)", page)) == programs
    assert set(re.findall(r"^python examples/(\w+\.py)", page, re.MULTILINE)) == programs


@pytest.mark.parametrize("program", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_a_model_that_is_not_there_is_two_lines(daemon: DaemonProcess, tmp_path: Path, program: str) -> None:
    arguments = {
        "camera.py": (tmp_path,),
        "sensor.py": ("--threshold", 1),
        "batch.py": (tmp_path, "-o", tmp_path / "out.csv"),
    }
    status, _, failed = run(daemon, program, "nothing", *arguments[program], given="1,2\n")
    assert status == 1 and "nothing" in failed


def test_camera_names_the_class_of_each_picture(daemon: DaemonProcess, tmp_path: Path) -> None:
    daemon.deploy("grey", tiny.brighten(0))
    (daemon.models / "grey.labels.txt").write_text("".join(f"pixel {number}\n" for number in range(64)))
    with daemon.client() as client:
        client.load("grey")
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in (3, 60):
        pixels = np.zeros((8, 8), np.uint8)
        pixels.flat[number] = 255
        Image.fromarray(pixels).save(pictures / f"{number:02}.png")
    (pictures / "notes.txt").write_text("not a picture")
    status, told, failed = run(daemon, "camera.py", "grey", pictures)
    assert status == 0, failed
    lines = [line.partition(" (")[0] for line in told.splitlines()]
    assert lines == ["03.png: pixel 3 1.000", "60.png: pixel 60 1.000"]


def test_sensor_tells_what_is_not_normal(daemon: DaemonProcess) -> None:
    daemon.deploy("small", tiny.quantized(scale=0.5, zero_point=10))  # repeats numbers up to 58 and no larger ones
    given = "1,2,3,4\n1,2,3,1000\nno number\n5,5,5,5\n"
    status, told, failed = run(daemon, "sensor.py", "small", "--threshold", 1, given=given)
    assert status == 1
    assert [line.endswith("ALARM") for line in told.splitlines()] == [False, True, False]
    assert told.splitlines()[0] == "1: 0"
    assert "3: not examined: expected numbers" in failed


@pytest.mark.parametrize("trouble", ["stalled", "away"])
def test_sensor_goes_on_after_readings_without_an_answer(daemon: DaemonProcess, trouble: str) -> None:
    daemon.deploy("small", tiny.quantized(scale=0.5, zero_point=10))
    assert daemon.process is not None
    options = ("small", "--threshold", 1, "--period", 1)
    with start(daemon, "sensor.py", *options, stderr=subprocess.STDOUT) as sensor:
        assert sensor.stdin is not None and sensor.stdout is not None

        def said() -> str:
            """Give it a reading; return the line that follows, without its number."""
            sensor.stdin.write("1,2,3,4\n")
            sensor.stdin.flush()
            return str(sensor.stdout.readline().partition(": ")[2])

        wait_for("it examines", lambda: said() == "0\n")
        if trouble == "stalled":
            daemon.process.send_signal(signal.SIGSTOP)
        else:
            daemon.stop()
        assert re.match(r"not examined \([A-Z_]+: ", said())
        if trouble == "stalled":
            daemon.process.send_signal(signal.SIGCONT)
        else:
            daemon.start()
        wait_for("it examines again", lambda: said() == "0\n")
        sensor.stdin.close()
        assert sensor.wait(LIMIT_S) == 0


def test_batch_writes_a_line_for_each_file(daemon: DaemonProcess, tmp_path: Path) -> None:
    (daemon.models / "plus.labels.txt").write_text("a\nb\nc\nd\n")
    daemon.deploy("plus", tiny.add_constant(1))
    folder = tmp_path / "rows"
    folder.mkdir()
    for number in range(200):
        np.save(folder / f"{number:03}.npy", np.eye(4, dtype=np.float32)[number % 4])
    status, told, failed = run(daemon, "batch.py", "plus", folder, "-o", tmp_path / "out.csv")
    assert status == 0 and told.startswith("200 files"), failed
    with (tmp_path / "out.csv").open(newline="") as file:
        found = list(csv.reader(file))
    assert found[0] == ["file", "class", "score"]
    assert found[1:] == [[f"{number:03}.npy", "abcd"[number % 4], "2"] for number in range(200)]


def test_batch_names_a_file_that_is_not_an_array(daemon: DaemonProcess, tmp_path: Path) -> None:
    daemon.deploy("plus", tiny.add_constant(1))
    (tmp_path / "bad.npy").write_text("not an array")
    status, _, failed = run(daemon, "batch.py", "plus", tmp_path, "-o", tmp_path / "out.csv")
    assert status == 1 and "bad.npy cannot be read as an array" in failed
