from __future__ import annotations

import fcntl
import json
import math
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mmclient.cli.main import main
from mmwire.errors import CODES, InternalError, error_from_dict
from mmwire.frame import Frame, FrameType
from rig.fake_daemon import FakeDaemon, Peer, refuse

Ctl = Callable[..., tuple[int, str, str]]
MMCTL = [sys.executable, "-m", "mmclient.cli.main"]


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_its_status(ctl: Ctl, daemon: FakeDaemon, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # A failure that mmctl waits out comes back as itself at the deadline, which is always near here.
    monkeypatch.setattr("mmclient.retry.time", SimpleNamespace(monotonic=lambda: math.inf))
    error = error_from_dict({"code": code, "message": "what happened", "hint": "what to do"})
    daemon.fault(FrameType.ADMIN, refuse(error))
    status, out, err = ctl("--json", "wait", "m")
    assert status == CODES[code].exit_status and out == ""
    told = json.loads(err)["error"]
    assert told == {"code": code, "message": "what happened", "hint": "what to do", "retryable": told["retryable"]}


def test_errors_are_one_line_and_a_hint(ctl: Ctl) -> None:
    assert ctl("show", "nope") == (1, "", "mmctl: no model named 'nope'\nhint: mmctl ls lists the models\n")


@pytest.mark.parametrize(
    "arguments", [["bogus"], ["--bogus", "ls"], ["show"], ["predict", "m"], ["wait", "m", "--timeout", "x"]]
)
def test_usage(ctl: Ctl, arguments: list[str]) -> None:
    status, out, err = ctl(*arguments)
    assert (status, out) == (2, "") and "Usage:" in err
    status, out, err = ctl("--json", *arguments)
    assert (status, out) == (2, "") and json.loads(err)["error"]["code"] == "USAGE"


@pytest.mark.parametrize(
    ("verb", "says"),
    [
        ("list", "mmctl has no verb 'list': did you mean mmctl ls?"),
        ("logs", "mmctl has no verb 'logs': read the daemon's log with journalctl -u mmdaemon"),
        ("rm", "mmctl has no verb 'rm': delete the model's file from the daemon's model folder"),
        ("predcit", "did you mean mmctl predict?"),
        ("infer", "did you mean mmctl predict?"),
        ("bogus", "the verbs are predict, ls, show, ps, status, wait, load, unload"),
    ],
)
def test_a_verb_of_another_tool_leads_to_ours(ctl: Ctl, verb: str, says: str) -> None:
    status, out, err = ctl(verb, "kws")
    assert (status, out) == (2, "") and says in err
    assert says in json.loads(ctl("--json", verb)[2])["error"]["message"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["predict", "m", "x", "--top", "few"], "--top': expected a whole number of at least 0, got 'few'"),
        (["predict", "m", "x", "--version", "0"], "--version': expected a whole number of at least 1, got '0'"),
        (["wait", "m", "--timeout", "0"], "--timeout': expected seconds above 0, at most 1000000, got '0'"),
        (["wait", "m", "--timeout", "soon"], "--timeout': expected seconds above 0, at most 1000000, got 'soon'"),
        (["wait", "m", "--version", "1", "--sha256", "00ffee"], "give --version or --sha256, not both"),
        (["predict", "m", "x", "-o", "o.txt"], "--output o.txt: expected a file that ends in .npy, .npz, .csv, .jsonl"),
    ],
)
def test_a_value_that_an_option_does_not_take(ctl: Ctl, arguments: list[str], says: str) -> None:
    status, out, err = ctl(*arguments)
    assert (status, out) == (2, "") and says in err


def test_no_daemon(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--socket", str(tmp_path / "none"), "ls"]) == 3
    assert "no daemon answers: there is no socket" in capsys.readouterr().err
    assert main(["--socket", "/" + "x" * 200, "--json", "ls"]) == 3
    assert "of at most 107 bytes, got 201" in json.loads(capsys.readouterr().err)["error"]["message"]


def test_a_bug_is_named_in_one_line(
    ctl: Ctl, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(self: object) -> None:
        raise ZeroDivisionError("oops\nsecond line")

    monkeypatch.setattr("mmclient.client.Client.models", broken)
    status, out, err = ctl("ls")
    assert (status, out) == (70, "") and err.startswith("mmctl: a bug in mmctl: ZeroDivisionError: oops\nhint: ")
    monkeypatch.setenv("MM_DEBUG", "1")
    assert "Traceback" in ctl("ls")[2]
    assert json.loads(ctl("ls", "--json")[2].splitlines()[-1])["error"]["code"] == "INTERNAL"


def test_a_bug_of_the_daemon(ctl: Ctl, daemon: FakeDaemon) -> None:
    daemon.fault(FrameType.ADMIN, refuse(InternalError("INTERNAL", "a bug, request 7")))
    assert ctl("ls")[0] == 70


def run(daemon: FakeDaemon, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "MM_SOCKET": daemon.path}
    return subprocess.run([*MMCTL, *arguments], input=text, capture_output=True, text=True, timeout=30, env=environment)


def test_as_a_process(daemon: FakeDaemon) -> None:
    done = run(daemon, "predict", "double", "-i", "-", "--json", text='{"input": [1, 2, 3, 4]}')
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["outputs"][0]["data"] == [[2, 4, 6, 8]]
    assert run(daemon, "predict", "double", "-i", "-", text="[1]").returncode == 1
    assert run(daemon, "bogus").returncode == 2
    assert run(daemon, "--socket", daemon.path + "x", "ls").returncode == 3


def test_ls_loads_no_numpy(daemon: FakeDaemon) -> None:
    code = (
        "import sys; from mmclient.cli.main import main\n"
        "status = main(['ls'])\n"
        "sys.exit(status or bool({'numpy', 'PIL', 'tqdm', 'mmdaemon'} & set(sys.modules)))"
    )
    environment = {**os.environ, "MM_SOCKET": daemon.path}
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30, env=environment, stdout=subprocess.DEVNULL)


def test_interrupt_is_quiet(daemon: FakeDaemon) -> None:
    asked = threading.Event()

    def note(peer: Peer, frame: Frame) -> bool:
        asked.set()
        return True

    daemon.fault(FrameType.ADMIN, note)
    with subprocess.Popen(
        [*MMCTL, "--socket", daemon.path, "wait", "double"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert asked.wait(30)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, "", "")


def test_progress_bar_on_a_terminal_only(daemon: FakeDaemon, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((50, 4), np.float32))
    command = [*MMCTL, "--socket", daemon.path, "--json", "predict", "double", "-i", str(tmp_path / "x.npy")]
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    os.set_blocking(controller, False)
    with os.fdopen(controller, "rb", buffering=0) as screen, os.fdopen(terminal, "wb", buffering=0) as theirs:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, timeout=30)
        shown = screen.read(4096) or b""
    assert b"row/s" in shown or b"/50" in shown
    assert len(json.loads(done.stdout)["outputs"][0]["data"]) == 50
    assert subprocess.run(command, capture_output=True, timeout=30).stderr == b""


def test_broken_pipe_is_quiet(daemon: FakeDaemon) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as closed:
        done = subprocess.run(
            [*MMCTL, "--socket", daemon.path, "ls"], stdout=closed, stderr=subprocess.PIPE, text=True, timeout=30
        )
    assert (done.returncode, done.stderr) == (141, "")
