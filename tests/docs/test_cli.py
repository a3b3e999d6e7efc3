"""The sessions that docs/cli.md shows are run against a real daemon, and print what the page says."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from rig.daemon_process import QUICK, DaemonProcess
from rig.tiny_tflite import main_colour

PAGE = (Path(__file__).parents[2] / "docs/cli.md").read_text()
PICTURES = {"red.png": (200, 40, 30), "leaf.png": (60, 160, 70), "sky.png": (90, 150, 230)}
# What differs from run to run or box to box; everything else must be exactly as printed.
_CHANGING = (
    (r"\b[0-9a-f]{12,64}\b", "HASH"),
    (r"\b[\d.]+ (us|ms|s|bytes|KiB|MiB|GiB)\b", "QUANTITY"),
    (r"^(pid +)\d+", r"\1PID"),
    (r"(cores|version|batch) [\d.]+", r"\1 N"),
    (r"(models|store) /\S+?(,|$)", r"\1 PATH\2"),
    (r"^(colour +1 ).*\d$", r"\1COUNTS"),  # of ps
    (r" +", " "),
)
_CHANGING_KEYS = {"timing_us", "sha256", "traits", "pid", "uptime_s", "paths", "software", "cores"}
_COUNTS_OF_PS = {"instances", "requests", "run_us_mean"}  # they depend on how the rows met


def sessions() -> list[tuple[str, str]]:
    """Return the commands of all console blocks of the page, in order, each with its output."""
    blocks = re.findall(r"^```console\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    parts = [part for block in blocks for part in re.split(r"^\$ ", block, flags=re.MULTILINE) if part]
    return [(command, output) for command, _, output in (part.partition("\n") for part in parts)]


def settled(text: str) -> list[str]:
    """Return the lines of an output without what changes from run to run."""
    lines = []
    for line in text.rstrip().splitlines():
        for pattern, name in _CHANGING:
            line = re.sub(pattern, name, line)
        lines.append(line.rstrip())
    return lines


def settled_json(value: Any, key: str = "") -> Any:
    """Return a document without what changes from run to run."""
    if key in _CHANGING_KEYS | _COUNTS_OF_PS:
        return type(value).__name__
    if isinstance(value, dict):
        return {name: settled_json(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [settled_json(inner) for inner in value]
    return round(value, 3) if isinstance(value, float) else value


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[tuple[str, str, str]]]:
    """Each command with the output that the page shows and the output that it has."""
    process = DaemonProcess(tmp_path_factory.mktemp("box"), environment=QUICK)
    folder = tmp_path_factory.mktemp("work")
    (folder / "pictures").mkdir()
    for name, colour in PICTURES.items():
        for place in (folder / name, folder / "pictures" / name):
            Image.new("RGB", (32, 24), colour).save(place)
    (folder / "pictures/cut.png").write_bytes((folder / "sky.png").read_bytes()[:40])
    (folder / "values.csv").write_text("1;2;3\n")
    (process.models / "colour.labels.txt").write_text("red\ngreen\nblue\n")
    process.drop("colour.tflite", main_colour())
    process.drop("broken.tflite", b"not a model" * 20)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "MM_SOCKET": str(process.socket)}
    try:
        process.start()
        with process.client() as client, pytest.raises(Exception, match="not a TFLite file"):
            client.wait("broken")
        yield [(command, shown, _run(command, folder, environment)) for command, shown in sessions()]
    finally:
        process.kill()


def _run(command: str, folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    return done.stdout


def test_the_page_shows_every_verb() -> None:
    shown = {shlex.split(command)[1] for command, _ in sessions() if command.startswith("mmctl ")}
    assert {"predict", "ls", "show", "ps", "status", "wait", "load", "unload"} <= shown


@pytest.mark.parametrize("index", range(len(sessions())), ids=[command for command, _ in sessions()])
def test_the_output_is_real(outputs: list[tuple[str, str, str]], index: int) -> None:
    command, shown, real = outputs[index]
    if "--json" in command:
        assert settled_json(json.loads(shown)) == settled_json(json.loads(real))
    else:
        assert settled(shown) == settled(real)
