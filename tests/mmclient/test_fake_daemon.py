"""The fake daemon answers as a real one does: the same calls to both give the same keys, types and error codes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from mmclient import Answer, Client
from mmwire.errors import MmError
from mmwire.message import Opened
from rig.daemon_process import QUICK, DaemonProcess
from rig.fake_daemon import FakeDaemon, FakeModel, one
from rig.tiny_tflite import add_constant
from rig.waiting import LIMIT_S

ROW = np.ones((1, 4), np.float32)
OTHER_HASH = "0" * 64
# One after the other: each call meets the state that the calls before it left.
CALLS: dict[str, Callable[[Client], Any]] = {
    "ls": Client.models,
    "show": lambda client: client.show("add"),
    "show a quarantined model": lambda client: client.show("broken"),
    "ps": Client.ps,
    "status": Client.status,
    "wait": lambda client: client.wait("add"),
    "wait for a version": lambda client: client.wait("add", version=1),
    "wait for a file that never comes": lambda client: client.wait("add", sha256=OTHER_HASH, timeout=0.2),
    "wait for a short hash": lambda client: client.wait("add", sha256=client.show("add")["sha256"][:6]),
    "wait for a quarantined model": lambda client: client.wait("broken"),
    "wait for a name that is misspelt": lambda client: client.wait("brokn"),
    "wait for a name that never comes": lambda client: client.wait("nope", timeout=0.2),
    "open": lambda client: client.open("add"),
    "predict": lambda client: client.predict("add", ROW),
    "ask": lambda client: client.ask("add", ROW),
    "ask many": lambda client: list(client.ask_many("add", [ROW, ROW])),
    "predict with a wrong shape": lambda client: client.predict("add", np.ones((1, 5), np.float32)),
    "predict with an unknown model": lambda client: client.predict("nope", ROW),
    "predict with a quarantined model": lambda client: client.predict("broken", ROW),
    "predict with another version": lambda client: client.predict("add", ROW, version=7),
    "predict with an unknown signature": lambda client: client.predict("add", ROW, signature="other"),
    "show an unknown model": lambda client: client.show("nope"),
    "unload an unknown model": lambda client: client.unload("nope"),
    "unload": lambda client: client.unload("add"),
    "show an unloaded model": lambda client: client.show("add"),
    "predict with an unloaded model": lambda client: client.predict("add", ROW),
    "wait for an unloaded model": lambda client: client.wait("add"),
    "ps without a model": Client.ps,
    "status with an unloaded model": Client.status,
    "load": lambda client: client.load("add"),
    "load a quarantined model": lambda client: client.load("broken"),
    "predict again": lambda client: client.predict("add", ROW),
}


def shape_of(value: Any) -> Any:
    """Return the keys and types of an answer, all the way down; the elements of a list count together."""
    if isinstance(value, MmError):
        return type(value).__name__, value.code, value.retryable
    if isinstance(value, Answer):
        return {"outputs": shape_of(value.outputs), "version": "int", "queue_us": "int", "run_us": "int"}
    if isinstance(value, Opened):
        return {"model": value.model, "spec": value.spec, "image": (value.image_mean, value.image_scale)}
    if isinstance(value, np.ndarray):
        return value.dtype.name, value.shape
    if isinstance(value, dict):
        return {key: shape_of(inner) for key, inner in value.items()}
    if isinstance(value, list):
        shapes: list[Any] = []
        for inner in map(shape_of, value):
            if inner not in shapes:
                shapes.append(inner)
        return shapes
    return type(value).__name__


def shapes_of_answers(client: Client) -> dict[str, Any]:
    """Make every call and return the shapes of the answers and errors."""
    found: dict[str, Any] = {}
    for name, call in CALLS.items():
        try:
            found[name] = shape_of(call(client))
        except MmError as error:
            found[name] = shape_of(error)
    return found


@pytest.fixture(scope="module")
def real_shapes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    process = DaemonProcess(tmp_path_factory.mktemp("real"), environment=QUICK)
    (process.models / "add.labels.txt").write_text("one\ntwo\nthree\nfour\n")
    process.drop("add.tflite", add_constant(1))
    process.drop("broken.tflite", b"not a model" * 100)
    try:
        process.start()
        with process.client(timeout=LIMIT_S) as client:
            client.wait("add")
            with pytest.raises(MmError, match="not a TFLite file"):
                client.wait("broken")
            yield shapes_of_answers(client)
    finally:
        process.kill()


@pytest.fixture(scope="module")
def fake_shapes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    spec = one("float32", [4], "float32", [4])
    models = [
        FakeModel("add", spec, lambda x: x + 1, labels=["one", "two", "three", "four"]),
        FakeModel("broken", spec, lambda x: x, state="quarantined", reason="not a TFLite file"),
    ]
    with FakeDaemon(tmp_path_factory.mktemp("fake") / "s", models) as fake, Client(fake.path) as client:
        return shapes_of_answers(client)


@pytest.mark.parametrize("call", CALLS)
def test_the_fake_daemon_answers_as_the_real_one(
    real_shapes: dict[str, Any], fake_shapes: dict[str, Any], call: str
) -> None:
    assert fake_shapes[call] == real_shapes[call]


def test_a_drift_would_be_seen() -> None:
    """What had drifted: another key, another type, one row of a list that differs."""
    assert shape_of({"run_us_p50": 1}) != shape_of({"run_us_mean": 1})
    assert shape_of({"a": 1}) != shape_of({"a": 1.0})
    assert shape_of([{"a": 1}, {"a": 1, "reason": "x"}]) != shape_of([{"a": 1}])
