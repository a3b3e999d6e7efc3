from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from mmclient import Client
from mmwire.errors import MmError, RequestError
from mmwire.frame import FLAG_SHAPED, FrameType
from rig.fake_daemon import FakeDaemon, FakeModel, one


def test_array_in_dict_of_owned_arrays_out(client: Client) -> None:
    first = client.predict("double", np.ones((2, 4), np.float32))["y"]
    second = client.predict("double", np.full((2, 4), 5, np.float32))["y"]
    np.testing.assert_array_equal(first, np.full((2, 4), 2, np.float32))
    np.testing.assert_array_equal(second, np.full((2, 4), 10, np.float32))
    assert first.flags.writeable and not np.shares_memory(first, second)


def test_two_inputs_two_outputs(client: Client) -> None:
    out = client.predict("two", {"b": np.ones((3, 2)), "a": np.full((3, 2), 2)})
    assert out["sum"].tolist() == [[3, 3]] * 3
    assert out["first"].tolist() == [2, 2, 2] and out["first"].dtype == np.float32


def test_free_shapes_travel_both_ways(client: Client, daemon: FakeDaemon) -> None:
    out = client.predict("dynamic", np.zeros((2, 5), np.float32))
    assert out["y"].shape == (2, 5)
    assert next(frame for frame in daemon.frames if frame.type is FrameType.INFER).flags & FLAG_SHAPED


def test_signature_without_rows(client: Client) -> None:
    assert client.predict("fixed", np.zeros(3, np.float32))["y"].tolist() == [1, 1, 1]


def test_float16_goes_through_every_path(client: Client) -> None:
    x = (np.arange(400_000) % 100).astype(np.float16).reshape(-1, 2)
    np.testing.assert_array_equal(client.predict("half", x)["y"], x)


def test_large_payloads_arrive_whole(client: Client) -> None:
    x = np.random.default_rng(1).integers(-128, 128, (30_000, 640), dtype=np.int8)
    np.testing.assert_array_equal(client.predict("echo8", x)["y"], x)


def test_non_contiguous_and_foreign_byte_order(client: Client) -> None:
    x = np.arange(32, dtype=np.float32).reshape(4, 8)[:, ::2]
    np.testing.assert_array_equal(client.predict("double", x)["y"], x * 2)
    np.testing.assert_array_equal(client.predict("double", x.astype(">f4"))["y"], x * 2)


def test_quantized_in_and_dequantized_out(client: Client) -> None:
    x = np.full((1, 640), 1.25, np.float32)  # 1.25 / 0.5 = 2.5: the half rounds to even
    raw = client.predict("echo8", x)["y"]
    assert raw.dtype == np.int8 and set(raw.ravel().tolist()) == {2 - 3}
    real = client.predict("echo8", x, dequantize=True)["y"]
    assert real.dtype == np.float32 and set(real.ravel().tolist()) == {1.0}


def test_the_models_own_dtype_is_not_quantized(client: Client) -> None:
    x = np.full((1, 640), 7, np.int8)
    np.testing.assert_array_equal(client.predict("echo8", x)["y"], x)


def test_python_numbers_are_real_values_and_typed_ones_are_not(client: Client) -> None:
    class Foreign:
        def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
            return np.full((1, 640), 7, np.int8)

    assert set(client.predict("echo8", [[1] * 640])["y"].ravel().tolist()) == {2 - 3}
    assert set(client.predict("echo8", [np.full(640, 7, np.int8)])["y"].ravel().tolist()) == {7}
    assert set(client.predict("echo8", Foreign())["y"].ravel().tolist()) == {7}


def test_handle_is_opened_once(client: Client, daemon: FakeDaemon) -> None:
    for _ in range(5):
        client.predict("double", np.ones((1, 4), np.float32))
    assert daemon.count(FrameType.OPEN) == 1 and len(daemon.peers) == 1


def test_remaining_time_travels(client: Client, daemon: FakeDaemon) -> None:
    client.predict("double", np.ones((1, 4), np.float32), timeout=2.0)
    assert daemon.frames[-1].remaining_us == 2_000_000


@pytest.mark.parametrize(
    ("model", "x", "told"),
    [
        ("double", np.ones((1, 5), np.float32), "got shape [1,5]"),
        ("double", np.ones(4, np.float32), "got shape [4]"),
        ("double", np.ones((0, 4), np.float32), "got shape [0,4]"),
        ("double", np.ones((1, 4), bool), "got dtype bool"),
        ("double", np.array([["a"] * 4]), "got dtype <U1"),
        ("double", np.array([[object()] * 4]), "got dtype object"),
        ("double", [["a", "b", "c", "d"]], "got text"),
        ("double", [[1, 2], [3]], "unequal length"),
        ("double", np.ones((1, 4), complex), "got dtype complex128"),
        ("ints", np.ones((1, 2), np.int64), "got dtype int64"),
        ("ints", np.ones((1, 2), np.float32), "got dtype float32"),
        ("ints", [[1.5, 2]], "int32 cannot hold"),
        ("ints", [[2**40, 2]], "int32 cannot hold"),
        ("echo8", np.ones((1, 640), np.uint8), "expected int8[rows,640], got dtype uint8"),
        ("echo8", np.full((1, 640), np.nan), "NaN or infinity"),
        ("echo8", np.full((1, 640), np.inf, np.float32), "NaN or infinity"),
        ("two", np.ones((1, 2), np.float32), "inputs 'a', 'b', got one array"),
        ("two", {"a": np.ones((1, 2))}, "'a', 'b', got 'a'"),
        ("two", {"a": np.ones((1, 2)), "b": np.ones((1, 2)), "c": 1}, "got 'a', 'b', 'c'"),
        ("two", {"a": np.ones((1, 2)), "b": np.ones((2, 2))}, "a: 1, b: 2"),
        ("fixed", np.ones(4, np.float32), "got shape [4]"),
    ],
)
def test_bad_tensor_is_refused_before_it_is_sent(
    client: Client, daemon: FakeDaemon, model: str, x: object, told: str
) -> None:
    with pytest.raises(RequestError) as caught:
        client.predict(model, x)
    assert caught.value.code == "BAD_TENSOR" and told in caught.value.message
    assert daemon.count(FrameType.INFER) == 0


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        (None, {}, "model: expected text, got None"),
        ("double", {"signature": 3}, "signature: expected text, got 3"),
        ("double", {"version": "1"}, "version: expected a positive integer, got '1'"),
        ("double", {"version": -1}, "version: expected a positive integer, got -1"),
        ("double", {"version": True}, "version: expected a positive integer, got True"),
    ],
)
def test_a_malformed_name_or_version_is_refused_before_it_is_sent(
    client: Client, daemon: FakeDaemon, name: Any, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(RequestError, match=re.escape(says)) as caught:
        client.predict(name, np.ones((1, 4), np.float32), **options)
    assert caught.value.code == "BAD_REQUEST"
    assert not any(frame.type is FrameType.OPEN for frame in daemon.frames)
    assert client.predict("double", np.ones((1, 4), np.float32))["y"].tolist() == [[2] * 4]


def test_connection_survives_a_refusal(client: Client, daemon: FakeDaemon) -> None:
    with pytest.raises(MmError, match="no model named 'nope'"):
        client.predict("nope", 1)
    with pytest.raises(MmError, match="version 9"):
        client.predict("double", np.ones((1, 4)), version=9)
    with pytest.raises(MmError, match="no signature 'other'"):
        client.predict("double", np.ones((1, 4)), signature="other")
    client.predict("double", np.ones((1, 4)), version=1, signature="serving_default")
    assert len(daemon.peers) == 1


def test_more_than_the_daemon_takes_in_one_request(daemon: FakeDaemon, client: Client) -> None:
    daemon.max_payload_bytes = 1000
    with pytest.raises(RequestError, match="at most 1000 bytes"):
        client.predict("echo8", np.zeros((2, 640), np.int8))
    assert len(list(client.predict_many("echo8", np.zeros((20, 640), np.int8)))) == 20


@pytest.mark.parametrize("timeout", [-1.0, 0.0, float("nan")])
def test_timeout_must_be_positive(client: Client, timeout: float) -> None:
    client.predict("double", np.ones((1, 4)))
    with pytest.raises(RequestError, match="positive number of seconds, got '3'"):
        Client("/nowhere").predict("m", [1], timeout="3")  # type: ignore[arg-type]
    with pytest.raises(RequestError, match="positive number of seconds"):
        client.predict("double", np.ones((1, 4)), timeout=timeout)
    with pytest.raises(RequestError, match="positive number of seconds"):
        Client(timeout=timeout)


def test_answer_with_version_and_times(client: Client, daemon: FakeDaemon) -> None:
    daemon.models["double"].version = 12
    answer = client.ask("double", np.ones((1, 4)))
    assert (answer.version, answer.queue_us, answer.run_us) == (12, 7, 50)
    dynamic = client.ask("dynamic", np.ones((1, 4)))
    assert (dynamic.version, dynamic.queue_us, dynamic.run_us) == (1, 7, 50)


def test_output_dtypes_come_back(daemon: FakeDaemon, client: Client) -> None:
    for dtype in ("bool", "int16", "int64", "uint16", "uint32", "uint64", "float64"):
        daemon.models[dtype] = FakeModel(dtype, one("float32", [3], dtype, [3]), lambda x: x)
        out = client.predict(dtype, np.array([[0, 1, 1]], np.float32))["y"]
        assert out.dtype == dtype and out.flags.aligned and out.tolist() == [[0, 1, 1]]


def test_admin_verbs(client: Client) -> None:
    assert [model["name"] for model in client.models()][:2] == ["double", "two"]
    assert client.show("digits")["labels"] == ["zero", "one", "two"]
    assert client.ps()["workers"] == {"cores": 2, "busy": 0}
    assert client.status()["state"] == "ready"
    assert client.wait("double", timeout=5)["state"] == "ready"
    assert client.load("double")["name"] == client.unload("double")["name"] == "double"


def test_importing_and_admin_load_no_numpy(daemon: FakeDaemon) -> None:
    code = (
        "import sys; from mmclient import Client\n"
        f"with Client({daemon.path!r}) as mm: mm.models(); mm.status()\n"
        "sys.exit('numpy' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
