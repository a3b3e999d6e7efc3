import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmconvert.backends.process.death import explain_death
from mmconvert.backends.process.limit import Limits
from mmconvert.backends.process.worker import Worker
from mmconvert.backends.tensorflow.refusal import explain, first_reason
from mmwire.errors import ConvertError

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


def test_steps_are_answered_by_one_process_that_may_print(worker, tmp_path):
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


def test_an_exit_without_an_answer_tells_the_last_words(worker):
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


def test_limits_are_only_ever_lowered():
    code = (
        "import os, resource; from mmconvert.backends.process.limit import apply_limits;"
        "resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 3 << 30));"
        "apply_limits(16 << 30, 50, os.getppid());"
        "print(resource.getrlimit(resource.RLIMIT_AS), resource.getrlimit(resource.RLIMIT_CPU))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"{(3 << 30, 3 << 30)} (50, 51)\n"


def is_running(pid):
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


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
    deadline = time.monotonic() + 10
    while is_running(pid):
        assert time.monotonic() < deadline, "the child outlived its parent"
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("code", "chatter", "wanted"),
    [
        (-signal.SIGSEGV, "std::bad_alloc long ago", "CONVERTER_CRASHED"),
        (-signal.SIGABRT, "terminate called after throwing an instance of 'std::bad_alloc'", "CONVERTER_LIMIT"),
        (-signal.SIGABRT, "Thread creation via pthread_create() failed.", "CONVERTER_LIMIT"),
        (-signal.SIGABRT, "Check failed: a == b", "CONVERTER_CRASHED"),
        (-signal.SIGXCPU, "", "CONVERTER_LIMIT"),
        (-signal.SIGKILL, "", "CONVERTER_CRASHED"),
        (1, "ImportError: libx.so: failed to map segment from shared object", "CONVERTER_LIMIT"),
        (1, "", "CONVERTER_FAILED"),
    ],
)
def test_deaths_are_told_apart(code, chatter, wanted):
    assert explain_death("quantize", code, chatter).code == wanted


SELECT = """Could not translate MLIR to FlatBuffer.
Some ops are not supported by the native TFLite runtime, you can enable TF kernels fallback using TF Select.
TF Select ops: MatrixInverse, Foo, Foo
Details:
"""


@pytest.mark.parametrize(
    ("step", "text", "code", "part"),
    [
        ("convert", SELECT, "OP_UNSUPPORTED", "the operations MatrixInverse, Foo have no TFLite form"),
        ("convert", "x.py:1:1: error: 'tf.Svd' op is neither a custom op nor a flex op", "OP_UNSUPPORTED", "Svd"),
        ("load", "Op type not registered 'Zap' in binary running on x", "OP_UNSUPPORTED", "Zap"),
        ("quantize", "Quantization to 8-bit not yet supported for op: 'ERF'", "OP_UNSUPPORTED", "ERF"),
        ("load", "Read less bytes than requested", "SAVED_MODEL_INVALID", "variables are missing, cut short"),
        (
            "load",
            "{{function_node x}} Checksum does not match: a vs. b [Op:RestoreV2]",
            "SAVED_MODEL_INVALID",
            "Checksum",
        ),
        ("load", "'_UserObject' object has no attribute 'x'", "SAVED_MODEL_INVALID", "cannot load"),
        ("answer", "indices[0] = 5 is not in [0, 3)", "SAVED_MODEL_INVALID", "TensorFlow itself cannot run"),
        ("convert", "Model size is bigger than 2gb", "CONVERTER_FAILED", "2 GB"),
        ("quantize", "\n\nsomething else\nmore", "CONVERTER_FAILED", "refused the model: something else"),
        ("convert", "OOM: Resource exhausted", "CONVERTER_LIMIT", "memory"),
    ],
)
def test_the_texts_of_tensorflow_become_one_line(step, text, code, part):
    error = explain(step, ValueError(text))
    assert error.code == code and part in error.message
    assert "\n" not in error.message and "function_node" not in error.message


def test_long_texts_are_cut():
    assert len(first_reason("x" * 10_000)) < 300
    assert first_reason("\n \n") == "TensorFlow gives no reason"


def test_what_stands_before_the_reason_is_left_out():
    text = """Graph execution error:

Detected at node embedding/GatherV2 defined at (most recent call last):
<stack traces unavailable>
indices[0,0] = 851 is not in [0, 100)
\t [[{{node embedding/GatherV2}}]] [Op:__inference_signature_wrapper_259]"""
    assert first_reason(text) == "indices[0,0] = 851 is not in [0, 100)"
