"""SavedModel folders, served by full TensorFlow in processes of their own: the same client calls, the same errors."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmclient import Client
from mmwire.errors import MmError
from rig import saved_models
from rig import tiny_tflite as tiny
from rig.daemon_process import BIN, QUICK, DaemonProcess
from rig.waiting import LIMIT_S, wait_for

pytestmark = pytest.mark.tensorflow

ALWAYS = {**QUICK, "MMDAEMON_MODELS_TENSORFLOW": "always"}
ROW = np.ones((1, 4), np.float32)
FOR_EVER = np.float32([[1e12]])
# A Python in which TensorFlow is not installed, as far as anybody asks.
NO_TENSORFLOW = """
import importlib.util
_find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "tensorflow" else _find_spec(name, package)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved_models.make(tmp_path_factory.mktemp("saved_models"))


@pytest.fixture(scope="module")
def always(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """A daemon that serves every SavedModel."""
    daemon = DaemonProcess(tmp_path_factory.mktemp("always"), environment=ALWAYS).start()
    try:
        yield daemon
        assert "Traceback" not in daemon.text(), daemon.text()
    finally:
        daemon.kill()


def drop(daemon: DaemonProcess, folder: Path, name: str) -> None:
    """Put a folder there in one step, over what is there."""
    part, old = daemon.models / f".{name}.part", daemon.models / f".{name}.old"
    shutil.copytree(folder, part)
    target = daemon.models / name
    if target.exists():
        target.rename(old)
    part.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def serve(daemon: DaemonProcess, folder: Path, name: str) -> None:
    drop(daemon, folder, name)
    with daemon.client() as client:
        client.wait(name, timeout=LIMIT_S)


def refusal(daemon: DaemonProcess, name: str) -> MmError:
    with daemon.client() as client, pytest.raises(MmError) as caught:
        client.wait(name, timeout=LIMIT_S)
    return caught.value


def reason_of(client: Client, name: str) -> str:
    return "".join(model.get("reason", "") for model in client.models() if model["name"] == name)


def pid_of(client: Client, name: str) -> int:
    [found] = [model["pids"] for model in client.ps()["models"] if model["name"] == name]
    return found[0] if found else 0


def own_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_every_signature_of_a_saved_model_answers(always: DaemonProcess, made: Path) -> None:
    serve(always, made / "plain", "plain")
    with always.client() as client:
        assert np.array_equal(client.predict("plain", 2 * ROW)["y"], 4 * ROW)
        many = np.arange(400, dtype=np.float32).reshape(100, 4)
        assert np.array_equal(client.predict("plain", many)["y"], 2 * many)
        assert np.array_equal(client.predict("plain", many, signature="triple")["y"], 3 * many)
        document = client.show("plain")
        assert document["runtime"] == "tensorflow" and document["traits"]["device"].endswith("CPU:0")
        traced = sorted(document["traits"]["traced"])
        assert traced == [
            "serving_default(x: float32[rows,4])",
            "triple(x: float32[rows,4])",
        ]
        with pytest.raises(MmError) as caught:
            client.predict("plain", np.ones((1, 5), np.float32))
        assert caught.value.code == "BAD_TENSOR"
        with pytest.raises(MmError) as caught:
            client.predict("plain", ROW, signature="quadruple")
        assert caught.value.code == "SIGNATURE_NOT_FOUND"


def test_what_keras_exports_is_served(always: DaemonProcess, made: Path) -> None:
    serve(always, made / "keras", "keras")
    with always.client() as client:
        answer = client.predict("keras", ROW)
        [output] = answer.values()
        assert output.shape == (1, 3)
        assert [signature["signature"] for signature in client.show("keras")["signatures"]] == ["serving_default"]


def test_state_is_put_back_for_every_row(always: DaemonProcess, made: Path) -> None:
    serve(always, made / "counter", "counter")
    with always.client() as client:
        for _ in range(3):
            assert np.array_equal(client.predict("counter", np.zeros((3, 1), np.float32))["n"], np.ones((3, 1)))


def test_open_dimensions_are_taken_and_trace_nothing_anew(always: DaemonProcess, made: Path) -> None:
    serve(always, made / "mean", "mean")
    with always.client() as client:
        for height, width in ((4, 4), (8, 3), (1, 5)):
            x = np.ones((2, height, width, 3), np.float32)
            assert np.allclose(client.predict("mean", x)["m"], np.ones((2, 3)))
        assert client.show("mean")["traits"]["traced"] == ["serving_default(x: float32[rows,*,*,3])"]


def test_a_static_row_is_split(always: DaemonProcess, made: Path) -> None:
    serve(always, made / "one", "one")
    with always.client() as client:
        x = np.arange(12, dtype=np.float32).reshape(3, 4)
        assert np.array_equal(client.predict("one", x)["y"], 5 * x)


@pytest.mark.parametrize(("name", "says"), [("text", "'x' is a string tensor"), ("python", "calls Python code")])
def test_what_cannot_be_served_is_refused_by_name(always: DaemonProcess, made: Path, name: str, says: str) -> None:
    drop(always, made / name, name)
    assert says in refusal(always, name).message


def test_a_truncated_variables_file_is_refused(always: DaemonProcess, made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "plain", tmp_path / "cut")
    [data] = (tmp_path / "cut/variables").glob("*.data-*")
    data.write_bytes(data.read_bytes()[:1000])
    drop(always, tmp_path / "cut", "cut")
    error = refusal(always, "cut")
    assert error.code == "MODEL_QUARANTINED" and "TensorFlow cannot load" in error.message


def test_a_folder_that_is_copied_slowly_is_taken_up_once_it_is_there(always: DaemonProcess, made: Path) -> None:
    target = always.models / "slowly"
    for path in sorted(path for path in (made / "plain").rglob("*") if path.is_file()):
        place = target / path.relative_to(made / "plain")
        place.parent.mkdir(parents=True, exist_ok=True)
        with path.open("rb") as source, place.open("wb") as copy:
            while piece := source.read(400_000):
                copy.write(piece)
                copy.flush()
                time.sleep(0.05)  # the copying itself: slower than the daemon looks
    with always.client() as client:
        client.wait("slowly", timeout=LIMIT_S)
        assert np.array_equal(client.predict("slowly", ROW)["y"], 2 * ROW)


def test_a_new_version_takes_over_under_load(always: DaemonProcess, made: Path) -> None:
    serve(always, made / "plain", "swapped")
    failures: list[MmError] = []
    seen: list[float] = []
    stop = threading.Event()

    def ask() -> None:
        with always.client(timeout=LIMIT_S) as client:
            while not stop.is_set():
                try:
                    seen.append(float(client.predict("swapped", ROW)["y"][0, 0]))
                except MmError as error:
                    failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        drop(always, made / "plain_5", "swapped")
        with always.client() as client:
            wait_for("the new one serves", lambda: client.show("swapped")["version"] == 2)
            wait_for("it has answered", lambda: seen and seen[-1] == 5.0)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures and set(seen) == {2.0, 5.0}


def test_killed_in_the_middle_of_a_request_it_is_started_again(always: DaemonProcess, made: Path) -> None:
    serve(always, made / "loop", "loop")
    always.deploy("other", tiny.add_constant(1))
    failures: list[MmError] = []
    others: list[MmError] = []
    stop = threading.Event()

    def compute() -> None:
        with always.client(timeout=LIMIT_S) as client:
            try:
                client.predict("loop", FOR_EVER)
            except MmError as error:
                failures.append(error)

    def ask() -> None:
        with always.client(timeout=LIMIT_S) as client:
            while not stop.is_set():
                try:
                    client.predict("other", ROW)
                except MmError as error:
                    others.append(error)

    running = threading.Thread(target=compute)
    running.start()
    with always.client(timeout=LIMIT_S) as client:
        pid = pid_of(client, "loop")

        def is_computing() -> bool:
            return any(model["busy"] for model in client.ps()["models"] if model["name"] == "loop")

        wait_for("it computes", is_computing)
        os.kill(pid, signal.SIGKILL)
        running.join(LIMIT_S)
        asking = threading.Thread(target=ask)
        asking.start()
        assert np.array_equal(client.predict("loop", np.float32([[3]]))["y"], [[3]])
        stop.set()
        asking.join()
        assert pid_of(client, "loop") not in (0, pid)
    assert [(error.code, error.retryable) for error in failures] == [("INSTANCE_LOST", True)]
    assert not others


def test_four_models_load_side_by_side_and_the_daemon_stays_small(made: Path, tmp_path: Path) -> None:
    daemon = DaemonProcess(tmp_path, environment=ALWAYS).start()
    try:
        assert daemon.process is not None
        before = own_bytes(daemon.process.pid)
        names = [f"m{number}" for number in range(4)]
        for name in names:
            drop(daemon, made / "plain", name)
        with daemon.client(timeout=LIMIT_S) as client:
            for name in names:
                client.wait(name, timeout=LIMIT_S)
                assert np.array_equal(client.predict(name, ROW)["y"], 2 * ROW)
            assert len({pid_of(client, name) for name in names}) == 4
        assert own_bytes(daemon.process.pid) - before <= 10 * 2**20
        assert "tensorflow" not in Path(f"/proc/{daemon.process.pid}/maps").read_text()
    finally:
        daemon.kill()


def test_without_memory_it_is_refused_for_now_and_nothing_else_suffers(made: Path, tmp_path: Path) -> None:
    daemon = DaemonProcess(tmp_path, environment={**ALWAYS, "MMDAEMON_EXECUTOR_MEMORY_MB": "64"}).start()
    try:
        daemon.deploy("other", tiny.add_constant(1))
        drop(daemon, made / "plain", "plain")
        with daemon.client() as client:
            reason = wait_for("it was tried", lambda: reason_of(client, "plain"))
            assert "more memory than the 64 MiB" in reason
            assert client.show("plain")["state"] == "loading", "it is tried again"
            assert client.predict("other", ROW) is not None
    finally:
        daemon.kill()


def test_on_a_cpu_box_a_bare_saved_model_is_refused_with_the_command_to_run(made: Path, tmp_path: Path) -> None:
    daemon = DaemonProcess(tmp_path, environment={**QUICK, "CUDA_VISIBLE_DEVICES": ""}).start()
    try:
        drop(daemon, made / "plain", "plain")
        error = refusal(daemon, "plain")
        assert (
            error.hint == f"mv {daemon.models / 'plain'} ~/ && mmconvert ~/plain --name plain --publish {daemon.models}"
        )
    finally:
        daemon.kill()


def test_what_mmconvert_hands_over_is_served_there_and_refused_without_tensorflow(made: Path, tmp_path: Path) -> None:
    daemon = DaemonProcess(tmp_path / "with", environment={**QUICK, "CUDA_VISIBLE_DEVICES": ""}).start()
    try:
        done = subprocess.run(
            [BIN / "mmconvert", made / "svd", "--publish", daemon.models, "--json"],
            capture_output=True,
            text=True,
            timeout=300,
        )
        outcome: dict[str, Any] = json.loads(done.stdout)
        assert (done.returncode, outcome["verdict"]) == (0, "FULL_TF"), done.stderr
        assert any("Svd" in line for line in outcome["evidence"])
        x = np.random.default_rng(0).random((2, 8, 8), np.float32)
        with daemon.client() as client:
            client.wait("svd", timeout=LIMIT_S)
            assert np.allclose(client.predict("svd", x)["s"], np.linalg.svd(x, compute_uv=False), atol=1e-4)
        bundle = tmp_path / "svd"
        shutil.copytree(daemon.models / "svd", bundle)
    finally:
        daemon.kill()
    (tmp_path / "sitecustomize.py").write_text(NO_TENSORFLOW)
    environment = {**QUICK, "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}
    daemon = DaemonProcess(tmp_path / "without", environment=environment).start()
    try:
        drop(daemon, bundle, "svd")
        error = refusal(daemon, "svd")
        assert "not installed" in error.message and "mmdaemon[tensorflow]" in error.hint
        [data] = (bundle / "variables").glob("*.data-*")
        assert data.exists()
    finally:
        daemon.kill()


def test_a_file_of_a_bundle_that_changed_on_the_way_is_refused(made: Path, tmp_path: Path) -> None:
    daemon = DaemonProcess(tmp_path / "d", environment=QUICK).start()
    try:
        folder = tmp_path / "bundle"
        shutil.copytree(made / "plain", folder)
        digests = {"saved_model.pb": "0" * 64}
        document = {"made_by": "mmconvert", "format": 1, "reason": "a test", "files": digests}
        (folder / "mmconvert.json").write_text(json.dumps(document))
        drop(daemon, folder, "bundle")
        assert "saved_model.pb has changed" in refusal(daemon, "bundle").message
    finally:
        daemon.kill()


def test_what_is_dropped_is_converted_where_that_was_asked_for(made: Path, tmp_path: Path) -> None:
    environment = {**QUICK, "CUDA_VISIBLE_DEVICES": "", "MMDAEMON_MODELS_CONVERT_ON_DROP": "true"}
    daemon = DaemonProcess(tmp_path, environment=environment).start()
    try:
        for name in ("keras", "text"):
            drop(daemon, made / name, name)
        with daemon.client() as client:
            client.wait("keras", timeout=LIMIT_S)
            assert client.show("keras")["runtime"] == "ai-edge-litert"
            assert next(iter(client.predict("keras", ROW).values())).shape == (1, 3)
        assert "string" in refusal(daemon, "text").message
        assert not list((tmp_path / "store/tmp").iterdir())
    finally:
        daemon.kill()
    daemon.start()
    try:
        with daemon.client() as client:
            client.wait("keras", timeout=LIMIT_S)
        assert daemon.text().count("keras is being converted") == 1, "the result is kept"
    finally:
        daemon.kill()
