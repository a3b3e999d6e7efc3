from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from mmclient import Client
from mmclient.group import Group, Sizing
from mmwire.errors import CapacityError, MmError, RequestError
from mmwire.frame import Frame, FrameType
from rig.fake_daemon import FakeDaemon, FakeModel, Peer, drop, go_away, ignore, one, refuse

ROWS = np.arange(4 * 500, dtype=np.float32).reshape(500, 4)


def collect(answers: Iterator[dict[str, np.ndarray]], name: str = "y") -> np.ndarray:
    return np.stack([answer[name] for answer in answers])


def test_rows_of_an_array_in_order(daemon: FakeDaemon, client: Client) -> None:
    np.testing.assert_array_equal(collect(client.predict_many("double", ROWS)), ROWS * 2)
    assert daemon.count(FrameType.INFER) < len(ROWS)
    assert client.predict("double", ROWS[:1]) and len(daemon.peers) == 1, "the connection was given back"


def test_rows_keep_or_lack_the_leading_dimension(client: Client) -> None:
    bare = next(client.predict_many("double", [ROWS[0]]))["y"]
    led = next(client.predict_many("double", [ROWS[:1]]))["y"]
    assert bare.shape == (4,) and led.shape == (1, 4)
    assert bare.flags.writeable and bare.flags.c_contiguous


def test_several_inputs(client: Client) -> None:
    a = ROWS[:, :2]
    out = list(client.predict_many("two", {"a": a, "b": a}))
    assert [one_row["first"].shape for one_row in out[:2]] == [(), ()]
    np.testing.assert_array_equal(np.stack([one_row["sum"] for one_row in out]), a * 2)
    out = list(client.predict_many("two", ({"a": row, "b": row} for row in a)))
    np.testing.assert_array_equal([one_row["first"] for one_row in out], a[:, 0])
    with pytest.raises(RequestError, match="a: 500, b: 1"):
        list(client.predict_many("two", {"a": a, "b": a[:1]}))


def test_free_shapes_and_no_rows(client: Client) -> None:
    rows = [np.zeros(size, np.float32) for size in (1, 5, 3)]
    assert [out["y"].shape for out in client.predict_many("dynamic", rows)] == [(1,), (5,), (3,)]
    assert [out["y"].tolist() for out in client.predict_many("fixed", np.zeros((3, 3), np.float32))] == [[1] * 3] * 3


def test_dequantized(client: Client) -> None:
    out = next(client.predict_many("echo8", np.full((3, 640), 2.0), dequantize=True))["y"]
    assert out.dtype == np.float32 and set(out.tolist()) == {2.0}


def test_empty(client: Client) -> None:
    assert list(client.predict_many("double", [])) == []


@pytest.mark.parametrize("rows", [5, None, np.float32(1), np.array(2.0), {"x": 3}])
def test_a_value_without_rows_is_refused(client: Client, rows: Any) -> None:
    with pytest.raises(MmError, match="expected rows, got") as caught:
        list(client.predict_many("double", rows))
    assert caught.value.code == "BAD_TENSOR"


def test_memory_is_bounded_and_a_live_source_waits_for_nothing(daemon: FakeDaemon, client: Client) -> None:
    taken = 0

    def endless() -> Iterator[np.ndarray]:
        nonlocal taken
        while True:
            taken += 1
            yield ROWS[0]

    answers = client.predict_many("double", endless())
    for _ in range(10):
        next(answers)
    assert taken < 10 + 16 * 512
    answers.close()
    assert client.predict("double", ROWS[:1])["y"].tolist() == (ROWS[:1] * 2).tolist()


def test_many_large_rows_do_not_deadlock(daemon: FakeDaemon, client: Client) -> None:
    daemon.models["big"] = FakeModel("big", one("float32", [500_000], "float32", [500_000]), lambda x: x)
    rows = (np.full(500_000, number, np.float32) for number in range(12))
    assert [out["y"][7] for out in client.predict_many("big", rows)] == list(range(12))


@pytest.mark.parametrize("fault", [drop, go_away, refuse(CapacityError("DRAINING", "stopping"))])
def test_unanswered_rows_are_sent_again(daemon: FakeDaemon, client: Client, fault: object) -> None:
    def normal(peer: Peer, frame: Frame) -> bool:
        return False

    daemon.fault(FrameType.INFER, *[normal] * 5, fault, normal, fault)  # type: ignore[arg-type]
    np.testing.assert_array_equal(collect(client.predict_many("double", ROWS)), ROWS * 2)


def test_a_full_queue_narrows_the_window(daemon: FakeDaemon, client: Client) -> None:
    full = refuse(CapacityError("QUEUE_FULL", "full"))
    daemon.fault(FrameType.INFER, full, *[full, lambda peer, frame: False] * 10, full)
    np.testing.assert_array_equal(collect(client.predict_many("double", ROWS)), ROWS * 2)
    assert len(daemon.peers) == 1


def test_a_queue_that_stays_full_is_raised_at_the_deadline(daemon: FakeDaemon, client: Client) -> None:
    daemon.fault(FrameType.INFER, *[refuse(CapacityError("QUEUE_FULL", "full"))] * 10_000)
    with pytest.raises(CapacityError, match="full"):
        list(client.predict_many("double", ROWS, timeout=0.2))


def test_specs_that_change_while_rows_are_on_their_way(daemon: FakeDaemon, client: Client) -> None:
    daemon.models["q"] = FakeModel("q", one("int8", [2], "int8", [2], scale=0.5, zero_point=0), lambda x: x)
    swapped = FakeModel("q", one("int8", [2], "int8", [2], scale=0.25, zero_point=0), lambda x: x, version=2)

    def swap(peer: Peer, frame: Frame) -> bool:
        daemon.models["q"] = swapped
        return False

    daemon.fault(FrameType.INFER, *[lambda peer, frame: False] * 3, swap)
    rows = np.linspace(0, 8, 400, dtype=np.float32).reshape(200, 2)
    answers = list(client.ask_many("q", rows, dequantize=True))
    versions = [answer.version for answer in answers]
    assert versions == sorted(versions) and set(versions) == {1, 2}
    np.testing.assert_allclose(np.stack([answer.outputs["y"] for answer in answers]), rows, atol=0.26)


def test_a_bad_row_fails_after_the_rows_before_it(client: Client) -> None:
    answers = client.predict_many("double", [*ROWS[:7], ROWS[0, :3], *ROWS[:7]])
    seen = [next(answers) for _ in range(7)]
    assert len(seen) == 7
    with pytest.raises(RequestError, match="got shape"):
        next(answers)


def test_a_failing_source_fails_after_the_rows_before_it(client: Client) -> None:
    def source() -> Iterator[np.ndarray]:
        yield ROWS[0]
        raise OSError("camera gone")

    answers = client.predict_many("double", source())
    next(answers)
    with pytest.raises(OSError, match="camera gone"):
        next(answers)


def test_a_refused_row(daemon: FakeDaemon, client: Client) -> None:
    daemon.fault(FrameType.INFER, lambda peer, frame: False, refuse(MmError("INFERENCE_FAILED", "the runtime refused")))
    answers = client.predict_many("double", ROWS)
    with pytest.raises(MmError, match="the runtime refused"):
        list(answers)
    assert client.predict("double", ROWS[:1])


def test_timeout_of_a_row(daemon: FakeDaemon, client: Client) -> None:
    daemon.fault(FrameType.INFER, ignore)
    with pytest.raises(MmError) as caught:
        list(client.predict_many("double", ROWS[:3], timeout=0.1))
    assert caught.value.code == "TIMEOUT"
    assert client.predict("double", ROWS[:1])["y"].tolist() == (ROWS[:1] * 2).tolist()


def test_the_timeout_stands_still_while_the_callers_code_runs(daemon: FakeDaemon, client: Client) -> None:
    pause = threading.Event()
    answers = client.predict_many("double", ROWS[:40], timeout=0.1)
    seen = []
    for answer in answers:
        seen.append(answer)
        if len(seen) == 1:
            pause.wait(0.3)  # a caller that takes longer than the timeout, while requests are under way
            daemon.drop_all()
    assert len(seen) == 40


def test_shares_of_the_times_add_up(daemon: FakeDaemon, client: Client) -> None:
    answers = list(client.ask_many("double", ROWS))
    requests = daemon.count(FrameType.INFER)
    assert sum(answer.run_us for answer in answers) == 50 * requests
    assert sum(answer.queue_us for answer in answers) == 7 * requests


@pytest.mark.parametrize(
    ("row_bytes", "run_us", "limit"), [(8, 1, 512), (640 * 2, 1, 51), (150_000, 1, 1), (8, 4000, 1), (8, 1000, 5)]
)
def test_sizing(row_bytes: int, run_us: int, limit: int) -> None:
    tail = [row_bytes // 2]
    sizing = Sizing(one("int8", tail, "int8", tail), 1 << 26)
    rows = 1
    for _ in range(20):
        sizing.on_answer(rows, run_us * rows)
        group = Group(rows=[None] * rows)
        while not sizing.is_full(group):
            group.rows.append(None)
        rows = len(group.rows)
    assert rows == limit
