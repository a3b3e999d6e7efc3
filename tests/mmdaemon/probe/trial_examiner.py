"""An examiner for tests: the "model" is a word that says what happens to the process that tries it."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmwire.errors import ModelError

FACTS = {
    "signatures": [{"signature": "s", "inputs": [], "outputs": []}],
    "batch": 4,
    "state": "none",
    "load_ms": 1.0,
    "run_us": 2,
    "memory_bytes": 3,
}


def warm_up() -> None:
    if os.environ.get("TRIAL_WARM_UP") == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)


def examine(path: str, threads: int, announce: Callable[[str], None]) -> dict[str, Any]:
    word, _, argument = Path(path).read_text().partition(" ")
    announce("load")
    return _WORDS[word](argument, threads, announce)


def _ok(argument: str, threads: int, announce: Callable[[str], None]) -> dict[str, Any]:
    return FACTS | {"batch": threads}


def _kill(argument: str, threads: int, announce: Callable[[str], None]) -> dict[str, Any]:
    announce("run")
    print("last words", file=sys.stderr, flush=True)
    os.kill(os.getpid(), getattr(signal, argument))
    time.sleep(60)
    return FACTS


def _abort(argument: str, threads: int, announce: Callable[[str], None]) -> dict[str, Any]:
    os.write(2, f"terminate called after throwing an instance of '{argument}'\n".encode())
    os.abort()


def _hang(argument: str, threads: int, announce: Callable[[str], None]) -> dict[str, Any]:
    announce("batch")
    if argument:
        (Path(argument) / str(os.getpid())).touch()
    time.sleep(600)
    return FACTS


def _spin(argument: str, threads: int, announce: Callable[[str], None]) -> dict[str, Any]:
    while True:
        pass


def _hog(argument: str, threads: int, announce: Callable[[str], None]) -> dict[str, Any]:
    hoard = [bytearray(1 << 20)]
    while True:
        hoard.append(bytearray(1 << 20))


def _refuse(argument: str, threads: int, announce: Callable[[str], None]) -> dict[str, Any]:
    raise ModelError("MODEL_INVALID", "no such operator", "convert it again")


def _starve(argument: str, threads: int, announce: Callable[[str], None]) -> dict[str, Any]:
    try:
        bytearray(int(argument))
    except MemoryError:
        raise ModelError("MODEL_INVALID", "the runtime says something vague") from None
    return FACTS


def _bug(argument: str, threads: int, announce: Callable[[str], None]) -> dict[str, Any]:
    raise KeyError("oops")


def _flood(argument: str, threads: int, announce: Callable[[str], None]) -> dict[str, Any]:
    for number in range(20_000):
        print("noise" * 20, number)
    print("the end", flush=True)
    return FACTS


def _quiet(argument: str, threads: int, announce: Callable[[str], None]) -> dict[str, Any]:
    os.close(1)
    os.close(2)
    time.sleep(float(argument))
    return FACTS


def _leave(argument: str, threads: int, announce: Callable[[str], None]) -> dict[str, Any]:
    os._exit(int(argument))


def _lie(argument: str, threads: int, announce: Callable[[str], None]) -> dict[str, Any]:
    return FACTS | json.loads(argument)


def _meet(argument: str, threads: int, announce: Callable[[str], None]) -> dict[str, Any]:
    (Path(argument) / str(os.getpid())).touch()
    while len(list(Path(argument).iterdir())) < 2:
        time.sleep(0.005)
    return FACTS


def _parricide(argument: str, threads: int, announce: Callable[[str], None]) -> dict[str, Any]:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(600)
    return FACTS


def _tell(argument: str, threads: int, announce: Callable[[str], None]) -> dict[str, Any]:
    try:
        Path(argument).write_text("a model must not write")
        writes = True
    except OSError:
        writes = False
    found = {
        "descriptors": sorted(int(entry.name) for entry in Path("/proc/self/fd").iterdir()),
        "oom": int(Path("/proc/self/oom_score_adj").read_text()),
        "core": resource.getrlimit(resource.RLIMIT_CORE)[1],
        "cpu": resource.getrlimit(resource.RLIMIT_CPU)[0],
        "address": resource.getrlimit(resource.RLIMIT_AS)[1],
        "blas": os.environ["OPENBLAS_NUM_THREADS"],
        "systemd": [name for name in os.environ if name.startswith(("LISTEN", "NOTIFY", "WATCHDOG"))],
        "writes": writes,
    }
    raise ModelError("MODEL_CRASHED", json.dumps(found))


_WORDS: dict[str, Callable[[str, int, Callable[[str], None]], dict[str, Any]]] = {
    name.removeprefix("_"): value for name, value in list(globals().items()) if callable(value) and name[0] == "_"
}
