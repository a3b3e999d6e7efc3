from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mmdaemon.probe.limit import TrialLimits
from mmdaemon.probe.probe import Probe
from mmdaemon.store.blob import OpenBlob
from mmdaemon.store.trial import TrialResult
from rig.waiting import wait_for

HERE = Path(__file__).parent
LIMIT_S = 20.0
LIMITS = TrialLimits(wall_s=LIMIT_S, cpu_s=30, memory_bytes=256 << 20)

Check = Callable[..., TrialResult]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def only_pid(folder: Path) -> int:
    wait_for("a trial has begun", lambda: any(folder.iterdir()))
    return int(next(folder.iterdir()).name)


@pytest.fixture
def make_probe(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Probe]]:
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    probes = []

    def make(limits: TrialLimits = LIMITS, parallel: int = 2) -> Probe:
        probe = Probe(limits, parallel, "trial_examiner:examine", "trial_examiner:warm_up")
        probes.append(probe)
        return probe

    yield make
    for probe in probes:
        probe.stop()


def check(probe: Probe, tmp_path: Path, word: str, threads: int = 1) -> TrialResult:
    path = tmp_path / f"model-{threading.get_ident()}"
    path.write_text(word)
    with OpenBlob("a" * 64, os.open(path, os.O_RDONLY), len(word)) as blob:
        return probe.check(blob, threads)


def test_a_good_model(make_probe: Callable[..., Probe], tmp_path: Path) -> None:
    result = check(make_probe(), tmp_path, "ok", threads=7)
    assert (result.ok, result.batch, result.load_ms, result.run_us) == (True, 7, 1.0, 2)
    assert result.signatures == [{"signature": "s", "inputs": [], "outputs": []}]


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT"])
def test_a_crash_names_signal_and_phase(make_probe: Callable[..., Probe], tmp_path: Path, name: str) -> None:
    probe = make_probe()
    result = check(probe, tmp_path, f"kill {name}")
    assert (result.ok, result.code, result.transient, result.phase) == (False, "MODEL_CRASHED", False, "run")
    assert f"{name} (phase: run)" in result.message
    assert result.detail == "last words"
    pid = probe.pid
    assert check(probe, tmp_path, "ok").ok
    assert probe.pid == pid


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_from_outside_is_not_the_models_fault(
    make_probe: Callable[..., Probe], tmp_path: Path, name: str
) -> None:
    result = check(make_probe(), tmp_path, f"kill {name}")
    assert (result.code, result.transient) == ("INTERNAL", True)
    assert name in result.message


def test_a_hang_ends_at_the_wall_limit(make_probe: Callable[..., Probe], tmp_path: Path) -> None:
    began = time.monotonic()
    result = check(make_probe(TrialLimits(wall_s=0.3)), tmp_path, "hang")
    assert (result.code, result.transient, result.phase) == ("MODEL_TOO_SLOW", True, "batch")
    assert "0.3 s" in result.message
    assert time.monotonic() - began < LIMIT_S


def test_a_model_that_computes_for_ever_ends_at_the_cpu_limit(make_probe: Callable[..., Probe], tmp_path: Path) -> None:
    result = check(make_probe(TrialLimits(wall_s=60.0, cpu_s=1)), tmp_path, "spin")
    assert (result.code, result.transient) == ("MODEL_TOO_SLOW", True)
    assert "1 s of processor time" in result.message and "probe.cpu_s" in result.hint


@pytest.mark.parametrize("word", ["hog", "abort std::bad_alloc", "kill SIGKILL"])
def test_too_little_memory_is_not_a_crash(make_probe: Callable[..., Probe], tmp_path: Path, word: str) -> None:
    result = check(make_probe(TrialLimits(memory_bytes=64 << 20)), tmp_path, word)
    assert (result.ok, result.code, result.transient) == (False, "MODEL_TOO_LARGE", True)


def test_a_runtime_that_takes_lack_of_memory_for_a_bad_file(make_probe: Callable[..., Probe], tmp_path: Path) -> None:
    probe = make_probe(TrialLimits(memory_bytes=64 << 20))
    result = check(probe, tmp_path, f"starve {128 << 20}")
    assert (result.ok, result.code, result.transient) == (False, "MODEL_TOO_LARGE", True)
    assert check(probe, tmp_path, f"starve {1 << 20}").ok


def test_a_refusal_is_the_runtimes_own(make_probe: Callable[..., Probe], tmp_path: Path) -> None:
    result = check(make_probe(), tmp_path, "refuse")
    assert (result.code, result.message, result.hint) == ("MODEL_INVALID", "no such operator", "convert it again")
    assert not result.transient


def test_a_bug_of_ours_is_not_held_against_the_model(make_probe: Callable[..., Probe], tmp_path: Path) -> None:
    result = check(make_probe(), tmp_path, "bug")
    assert (result.code, result.transient) == ("INTERNAL", True)
    assert "KeyError at " in result.detail
    assert "trial_examiner.py" in result.detail


def test_a_flood_of_output_is_cut_to_its_end(make_probe: Callable[..., Probe], tmp_path: Path) -> None:
    result = check(make_probe(), tmp_path, "flood")
    assert result.ok
    assert result.detail.endswith("the end")
    assert len(result.detail) <= 2048


@pytest.mark.parametrize("status", [0, 3])
def test_leaving_without_a_word_is_a_crash(make_probe: Callable[..., Probe], tmp_path: Path, status: int) -> None:
    result = check(make_probe(), tmp_path, f"leave {status}")
    assert (result.code, result.transient) == ("MODEL_CRASHED", False)
    assert f"status {status}" in result.message


@pytest.mark.parametrize("lie", ['{"batch": 0}', '{"batch": "many"}', '{"signatures": [7]}', '{"state": 1}'])
def test_a_false_report_is_refused(make_probe: Callable[..., Probe], tmp_path: Path, lie: str) -> None:
    result = check(make_probe(), tmp_path, f"lie {lie}")
    assert (result.ok, result.code) == (False, "MODEL_CRASHED")
    assert "not a trial result" in result.message


def test_a_trial_is_confined(make_probe: Callable[..., Probe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LISTEN_FDS", "NOTIFY_SOCKET", "WATCHDOG_USEC"):
        monkeypatch.setenv(name, "1")
    result = check(make_probe(), tmp_path, f"tell {tmp_path / 'written'}")
    found = json.loads(result.message)
    assert len(found["descriptors"]) <= 6  # 0, 1, 2, the model, the report, and the one that lists them
    assert (found["oom"], found["core"], found["cpu"], found["blas"]) == (1000, 0, LIMITS.cpu_s, "1")
    assert LIMITS.memory_bytes < found["address"] < LIMITS.memory_bytes + (1 << 30)
    assert (found["systemd"], found["writes"]) == ([], False)


def test_trials_run_at_the_same_time(make_probe: Callable[..., Probe], tmp_path: Path) -> None:
    probe = make_probe(parallel=2)
    (tmp_path / "meeting").mkdir()
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: check(probe, tmp_path, f"meet {tmp_path / 'meeting'}"), range(2)))
    assert [result.ok for result in results] == [True, True]


def test_no_more_at_a_time_than_there_are_turns(make_probe: Callable[..., Probe], tmp_path: Path) -> None:
    probe = make_probe(TrialLimits(wall_s=0.5), parallel=1)
    (tmp_path / "meeting").mkdir()
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: check(probe, tmp_path, f"meet {tmp_path / 'meeting'}"), range(2)))
    assert "MODEL_TOO_SLOW" in [result.code for result in results]


def test_many_threads_good_and_bad(make_probe: Callable[..., Probe], tmp_path: Path) -> None:
    probe = make_probe(parallel=4)
    probe.start()
    pid = probe.pid
    words = ["ok", "kill SIGSEGV", "refuse", "leave 1"] * 5
    expected = ["", "MODEL_CRASHED", "MODEL_INVALID", "MODEL_CRASHED"] * 5
    with ThreadPoolExecutor(8) as pool:
        assert [result.code for result in pool.map(lambda word: check(probe, tmp_path, word), words)] == expected
    assert probe.pid == pid


def test_a_helper_that_died_is_replaced_and_the_model_tried_again(
    make_probe: Callable[..., Probe], tmp_path: Path
) -> None:
    probe = make_probe()
    assert check(probe, tmp_path, "ok").ok
    first = probe.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert check(probe, tmp_path, "ok").ok
    assert probe.pid != first


def test_a_trial_dies_with_the_helper(make_probe: Callable[..., Probe], tmp_path: Path) -> None:
    probe = make_probe()
    (tmp_path / "pids").mkdir()
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(check, probe, tmp_path, f"hang {tmp_path / 'pids'}")
        child = only_pid(tmp_path / "pids")
        helper = probe.pid
        assert helper is not None
        os.kill(helper, signal.SIGKILL)
        wait_for("the child is gone", lambda: not is_alive(child))
        probe.stop()
        assert pending.result().transient


def test_a_model_that_kills_the_helper_still_gets_a_result(make_probe: Callable[..., Probe], tmp_path: Path) -> None:
    probe = make_probe()
    result = check(probe, tmp_path, "parricide")
    assert (result.ok, result.transient) == (False, True)
    assert "died twice" in result.message
    assert check(probe, tmp_path, "ok").ok


def test_helper_and_trial_die_with_the_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    (tmp_path / "pids").mkdir()
    (tmp_path / "model").write_text(f"hang {tmp_path / 'pids'}")
    daemon = f"""
import os, threading
from mmdaemon.probe.limit import TrialLimits
from mmdaemon.probe.probe import Probe
from mmdaemon.store.blob import OpenBlob
probe = Probe(TrialLimits(), 1, "trial_examiner:examine", "trial_examiner:warm_up")
probe.start()
print(probe.pid, flush=True)
probe.check(OpenBlob("a", os.open({str(tmp_path / "model")!r}, os.O_RDONLY), 1), 1)
"""
    with subprocess.Popen([sys.executable, "-c", daemon], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        helper = int(process.stdout.readline())
        child = only_pid(tmp_path / "pids")
        assert is_alive(helper)
        assert is_alive(child)
        process.kill()
        process.wait()
    wait_for("both are gone", lambda: not is_alive(helper) and not is_alive(child))


def test_the_helper_dies_with_the_daemon_even_if_somebody_holds_its_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    daemon = """
import os, subprocess
from mmdaemon.probe.limit import TrialLimits
from mmdaemon.probe.process import HelperProcess
helper = HelperProcess.start("trial_examiner:examine", "trial_examiner:warm_up")
holder = subprocess.Popen(["sleep", "60"], pass_fds=[helper.control.fileno()], stdout=subprocess.DEVNULL)
print(helper.process.pid, holder.pid, flush=True)
os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", daemon], stdout=subprocess.PIPE)
    helper, holder = map(int, done.stdout.split())
    try:
        wait_for("the helper is gone", lambda: not is_alive(helper))
        assert is_alive(holder)
    finally:
        os.kill(holder, signal.SIGKILL)


def test_a_trial_that_closes_its_output_does_not_keep_the_helper_busy(
    make_probe: Callable[..., Probe], tmp_path: Path
) -> None:
    def ticks() -> int:
        fields = Path(f"/proc/{probe.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    probe = make_probe()
    probe.start()
    before = ticks()
    assert check(probe, tmp_path, "quiet 0.5").ok
    assert ticks() - before < os.sysconf("SC_CLK_TCK") // 4


def test_stop_ends_what_is_under_way_and_start_begins_again(make_probe: Callable[..., Probe], tmp_path: Path) -> None:
    probe = make_probe()
    (tmp_path / "pids").mkdir()
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(check, probe, tmp_path, f"hang {tmp_path / 'pids'}")
        child = only_pid(tmp_path / "pids")
        probe.stop()
        probe.stop()
        result = pending.result()
    assert (result.code, result.transient) == ("INTERNAL", True)
    wait_for("the child is gone", lambda: not is_alive(child))
    assert not check(probe, tmp_path, "ok").ok
    probe.start()
    probe.start()
    assert check(probe, tmp_path, "ok").ok


def test_a_helper_that_does_not_start_is_named(
    make_probe: Callable[..., Probe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIAL_WARM_UP", "crash")
    probe = make_probe()
    result = check(probe, tmp_path, "ok")
    assert (result.ok, result.code, result.transient) == (False, "INTERNAL", True)
    assert "does not start (status -11)" in result.message


def test_a_helper_that_died_while_it_warmed_up_is_replaced(make_probe: Callable[..., Probe], tmp_path: Path) -> None:
    probe = make_probe()
    probe.start()
    first = probe.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert check(probe, tmp_path, "ok").ok
    assert probe.pid != first


def test_a_helper_that_hangs_is_killed(
    make_probe: Callable[..., Probe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmdaemon.probe.probe._GRACE_S", 0.3)
    probe = make_probe(TrialLimits(wall_s=0.2))
    assert check(probe, tmp_path, "ok").ok
    helper = probe.pid
    assert helper is not None
    os.kill(helper, signal.SIGSTOP)
    assert check(probe, tmp_path, "ok").ok
    assert probe.pid != helper
    assert not is_alive(helper)


def test_no_descriptor_and_no_thread_is_left_behind(make_probe: Callable[..., Probe], tmp_path: Path) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before, threads = descriptors(), threading.active_count()
    probe = make_probe()
    for word in ("ok", "kill SIGSEGV", "refuse"):
        check(probe, tmp_path, word)
    helper = Path(f"/proc/{probe.pid}/fd")
    first = len(list(helper.iterdir()))
    for _ in range(20):
        check(probe, tmp_path, "ok")
        check(probe, tmp_path, "kill SIGSEGV")
    assert len(list(helper.iterdir())) == first
    probe.stop()
    assert (descriptors(), threading.active_count()) == (before, threads)
