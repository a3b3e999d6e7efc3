"""The commands and programs of the guides run as they stand."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from docs.site.reference import with_reference

from rig.daemon_process import DaemonProcess

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"```(python|sh)\n(.*?)```", re.DOTALL)


def blocks(page: str, language: str, until: str = "") -> list[str]:
    """Return the code of a page in a language, up to a heading."""
    text = (ROOT / page).read_text()
    return [code for found, code in BLOCK.findall(text.partition(until)[0] if until else text) if found == language]


def test_the_reference_is_what_the_docstrings_say() -> None:
    page = (ROOT / "docs/client.md").read_text()
    assert page == with_reference(page), "write it again: .venv/bin/python -m docs.site.reference"
    for method in ("predict", "predict_many", "ask", "wait"):
        assert f"#### Client.{method}\n" in page


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DaemonProcess]:
    """Give a daemon that serves the digits, where a client finds it without being told."""
    daemon = DaemonProcess(tmp_path)
    shutil.copy(ROOT / "docs/quickstart/digits_v2.tflite", daemon.models / "digits.tflite")
    try:
        daemon.start()
        monkeypatch.setenv("MM_SOCKET", str(daemon.socket))
        monkeypatch.chdir(ROOT)
        with daemon.client() as client:
            client.wait("digits", timeout=60)
        yield daemon
    finally:
        daemon.kill()


def test_the_programs_of_the_client_page_run(served: DaemonProcess, capsys: pytest.CaptureFixture[str]) -> None:
    programs = blocks("docs/client.md", "python", until="## Reference")
    assert len(programs) >= 7
    names: dict[str, Any] = {}
    for program in programs:
        exec(compile(program, "client.md", "exec"), names)
    printed = capsys.readouterr().out
    assert printed.startswith("nine\n")
    assert "MODEL_NOT_FOUND" in printed and "digitz" in printed
    assert printed.endswith("1\n['digits']\n")
    assert len(names["read"]) == 1000 and set(names["read"]) == {9}


def test_the_program_of_the_readme_runs(served: DaemonProcess) -> None:
    [program] = blocks("README.md", "python")
    names: dict[str, Any] = {}
    exec(blocks("docs/client.md", "python")[0], names)
    exec(program, names)
    assert names["shares"].argmax() == 9


@pytest.mark.tensorflow
@pytest.mark.timeout(400)
@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="needs the convert extra")
def test_the_tutorial_runs_from_training_to_a_broken_file(tmp_path: Path) -> None:
    train, camera = blocks("docs/tutorial.md", "python")
    (tmp_path / "train.py").write_text(train)
    (tmp_path / "camera.py").write_text(camera)
    install, *commands = blocks("docs/tutorial.md", "sh", until="## On a box")
    assert "pip install" in install  # the environment of the tests stands in for it
    script = "set -e\n" + "echo ---\n".join(commands) + "kill $!\nwait\n"
    socket = str(tmp_path / "s")
    places = {"MM_SOCKET": socket, "MMDAEMON_PATHS_SOCKET": socket, "MMDAEMON_PATHS_STORE": str(tmp_path / "store")}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, **places, "PATH": path, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=360
    )
    assert done.returncode == 0, done.stdout + done.stderr
    parts = done.stdout.split("---\n")
    first, second, third = (re.findall(r"version (\d+): \w+ \d+%", part) for part in (parts[3], parts[4], parts[5]))
    assert set(first) == {"1"} and set(second) == {"2"} == set(third)
    assert len(first) == len(second) == len(third) > 400
    assert "digits version 2: ready" in parts[4]
    assert "quarantined" in parts[5]
