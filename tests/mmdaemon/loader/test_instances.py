"""Instances are warmed up when they are loaded, added and closed elsewhere, and held as long as a deployment is."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mmdaemon.dispatch.deployment import Deployment
from mmdaemon.loader.instances import Instances, LoadSpec
from mmdaemon.runtime.interface import Traits
from mmdaemon.store.blob import Blobs, OpenBlob
from mmdaemon.store.layout import Layout
from mmwire.errors import CapacityError, InferenceError, MmError, ModelError
from mmwire.tensor import SignatureSpec, TensorSpec

FIXED = SignatureSpec("fixed", (TensorSpec("x", "float32", (-1, 4)), TensorSpec("n", "int8", (-1, 2))), ())
OPEN = SignatureSpec("open", (TensorSpec("x", "float32", (-1, -1)),), ())


class FakeInstance:
    def __init__(self, fails: Exception | None = None) -> None:
        self.signatures = {FIXED.name: FIXED, OPEN.name: OPEN}
        self.runs: list[tuple[str, bytes, int]] = []
        self.is_closed = False
        self._fails = fails

    def run(self, name: str, payload: bytes, rows: int, _shapes: Any, _go_on: Any) -> Any:
        self.runs.append((name, payload, rows))
        if self._fails is not None:
            raise self._fails

    def close(self) -> None:
        self.is_closed = True


class FakeRuntime:
    name, version, caution = "fake", "1", ""

    def __init__(self) -> None:
        self.fails: Exception | None = None
        self.loaded: list[FakeInstance] = []
        self.warm_up_fails: Exception | None = None

    def load(self, path: str, threads: int, traits: Traits) -> Any:
        if self.fails is not None:
            raise self.fails
        assert Path(path).read_bytes() == b"a model" and (threads, traits.batch) == (2, 8)
        self.loaded.append(FakeInstance(self.warm_up_fails))
        return self.loaded[-1]


class AtOnce(Executor):
    """Runs what it is given where it is given."""

    def submit(self, task: Callable[..., Any], /, *arguments: Any, **_: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(task(*arguments))
        return future


@pytest.fixture
def runtime() -> FakeRuntime:
    return FakeRuntime()


@pytest.fixture
def blob(tmp_path: Path) -> Iterator[OpenBlob]:
    layout = Layout(tmp_path / "store")
    layout.prepare()
    (tmp_path / "m.tflite").write_bytes(b"a model")
    blobs = Blobs(layout)
    with blobs.open(blobs.ingest(tmp_path / "m.tflite").sha256) as opened:
        yield opened
    blobs.close()


@pytest.fixture
def spec(runtime: FakeRuntime, blob: OpenBlob) -> LoadSpec:
    return LoadSpec("m", 3, runtime, blob, 2, Traits(8))


@pytest.fixture
def instances() -> Instances:
    return Instances(AtOnce())


def deployment_of(instance: Any) -> Deployment:
    return Deployment("m", 3, {FIXED.name: FIXED}, 2, 2, [instance])


def test_an_instance_has_run_each_signature_whose_shapes_are_known(instances: Instances, spec: LoadSpec) -> None:
    instance = instances.load(spec)
    assert isinstance(instance, FakeInstance) and instance.runs == [("fixed", bytes(4 * 4 + 2), 1)]


def test_an_instance_that_refuses_zeros_serves_all_the_same(
    instances: Instances, spec: LoadSpec, runtime: FakeRuntime
) -> None:
    runtime.warm_up_fails = InferenceError("INFERENCE_FAILED", "zero is not a place of the table")
    assert instances.load(spec) is runtime.loaded[0]


def grown(instances: Instances, deployment: Deployment) -> Any:
    """Return what one more instance came to."""
    got: list[Any] = []
    instances.grow(deployment, lambda of, instance: got.append((of, instance)))
    [(of, instance)] = got
    assert of is deployment
    return instance


def test_a_deployment_gets_one_more_instance_until_it_is_released(
    instances: Instances, spec: LoadSpec, runtime: FakeRuntime, blob: OpenBlob
) -> None:
    deployment = deployment_of(instances.load(spec))
    instances.adopt(deployment, spec)
    assert grown(instances, deployment) is runtime.loaded[1]
    descriptor = blob.fd
    instances.release(deployment)
    instances.release(deployment)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
    refused = grown(instances, deployment)
    assert isinstance(refused, CapacityError) and refused.code == "DRAINING"


@pytest.mark.parametrize(
    ("fails", "code"),
    [(ModelError("MODEL_TOO_LARGE", "no memory"), "MODEL_TOO_LARGE"), (ZeroDivisionError("a bug"), "INTERNAL")],
)
def test_an_instance_that_cannot_be_had_is_an_error_for_whoever_asked(
    instances: Instances,
    spec: LoadSpec,
    runtime: FakeRuntime,
    caplog: pytest.LogCaptureFixture,
    fails: Exception,
    code: str,
) -> None:
    deployment = deployment_of(instances.load(spec))
    instances.adopt(deployment, spec)
    runtime.fails = fails
    with caplog.at_level(logging.WARNING):
        refused = grown(instances, deployment)
    assert isinstance(refused, MmError) and refused.code == code
    assert [record.levelno >= logging.WARNING for record in caplog.records] == [True]


def test_a_deployment_that_never_served_is_closed_with_its_blob(
    instances: Instances, spec: LoadSpec, runtime: FakeRuntime, blob: OpenBlob
) -> None:
    closed: list[bool] = []
    instances.call_on_disposed(lambda: closed.append(runtime.loaded[0].is_closed))
    deployment = deployment_of(instances.load(spec))
    instances.adopt(deployment, spec)
    instances.discard(deployment)
    assert closed == [True], "told after it was closed"
    assert blob.fd == -1


def test_nothing_is_added_or_closed_once_the_daemon_is_on_its_way_out(spec: LoadSpec, runtime: FakeRuntime) -> None:
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    instances = Instances(executor)
    deployment = deployment_of(instances.load(spec))
    instances.adopt(deployment, spec)
    instances.grow(deployment, lambda *_: pytest.fail("nothing was loaded"))
    instances.dispose(runtime.loaded[0])
    assert len(runtime.loaded) == 1 and not runtime.loaded[0].is_closed
