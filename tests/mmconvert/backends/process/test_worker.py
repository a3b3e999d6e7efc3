import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmconvert.backends.process.limit import Limits
from mmconvert.backends.process.worker import Worker
from mmwire.errors import ConvertError
from rig.waiting import wait_for

CHILD = """
import ctypes, os, signal, sys, time
from mmconvert.backends.process.serve import serve
from mmwire.errors import ConvertError

def refuse(request):
    raise ConvertError("OP_UNSUPPORTED", "no such thing", "try another")

def explain(step, error):
    return ConvertError("CONVERTER_FAILED", f"{step}: {error}")

def chatter(request):
    print("a library prints")
    os.write(1, b"even natively\\n")
    return {"pid": os.getpid(), "tmp": os.environ["TMPDIR"], "gpu": os.environ["CUDA_VISIBLE_DEVICES"]}

serve({
    "add": lambda request: {"sum": request["a"] + request["b"]},
    "chatter": chatter,
    "refuse": refuse,
    "raise": lambda request: {}["missing"],
    "crash": lambda request: os.kill(os.getpid(), signal.SIGSEGV),
    "leave": lambda request: sys.exit("gave up"),
    "sleep": lambda request: time.sleep(60),
    "burn": lambda request: [None for _ in iter(int, 1)],
    "grow": lambda request: {"size": len(bytearray(1 << 40))},
}, explain)
"""


@pytest.fixture
def worker(tmp_path, monkeypatch):
    (tmp_path / "toychild.py").write_text(CHILD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    made = []

    def make(seconds=30.0, limits=None):
        limits = limits or Limits(memory_bytes=4 << 30, wall_s=seconds)
        made.append(Worker("toychild", tmp_path, limits, time.monotonic() + seconds))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def is_running(pid):
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_one_process_does_all_steps_and_may_print(worker, tmp_path):
    one = worker()
    assert one.call("add", a=1, b=2) == {"sum": 3}
    first, second = one.call("chatter"), one.call("chatter")
    assert first["pid"] == second["pid"]
    assert (first["tmp"], first["gpu"]) == (str(tmp_path), "-1")


def test_errors_cross_the_border_with_their_code(worker):
    one = worker()
    with pytest.raises(ConvertError) as caught:
        one.call("refuse")
    assert (caught.value.code, caught.value.hint) == ("OP_UNSUPPORTED", "try another")
    with pytest.raises(ConvertError, match="raise: 'missing'"):
        one.call("raise")
    assert one.call("add", a=1, b=1) == {"sum": 2}


def test_a_crash_names_step_and_signal_and_the_next_call_starts_anew(worker):
    one = worker()
    with pytest.raises(ConvertError, match=r"'crash' was killed by signal 11 \(SIGSEGV\)") as caught:
        one.call("crash")
    assert caught.value.code == "CONVERTER_CRASHED"
    assert one.call("add", a=2, b=2) == {"sum": 4}


def test_an_exit_without_a_reply_tells_the_last_words(worker):
    with pytest.raises(ConvertError, match="'leave' ended with status 1: gave up") as caught:
        worker().call("leave")
    assert caught.value.code == "CONVERTER_FAILED"


@pytest.mark.parametrize(
    ("step", "seconds", "text"),
    [("sleep", 0.5, r"took longer than 0\.5 s; it was at the step 'sleep'"), ("grow", 30, "'grow' needs more memory")],
)
def test_limits_of_time_and_memory(worker, step, seconds, text):
    with pytest.raises(ConvertError, match=text) as caught:
        worker(seconds).call(step)
    assert caught.value.code == "CONVERTER_LIMIT"


def test_the_limit_of_cpu_time(worker, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    one = worker(30, Limits(memory_bytes=4 << 30, wall_s=0.5))  # one second of CPU, many of wall
    with pytest.raises(ConvertError, match="used up its CPU time") as caught:
        one.call("burn")
    assert caught.value.code == "CONVERTER_LIMIT"


def test_the_child_dies_with_its_parent(worker, tmp_path):
    code = (
        "import os, sys, time; from pathlib import Path; from mmconvert.backends.process.worker import Worker;"
        "from mmconvert.backends.process.limit import Limits;"
        "w = Worker('toychild', Path(sys.argv[1]), Limits(), time.monotonic() + 30);"
        "print(w.call('chatter')['pid'], flush=True); os.kill(os.getpid(), 9)"
    )
    worker()
    parent = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True)
    assert parent.returncode == -signal.SIGKILL
    pid = int(parent.stdout)
    wait_for("the child ends with its parent", lambda: not is_running(pid))
