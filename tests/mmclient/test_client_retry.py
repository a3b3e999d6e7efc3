from __future__ import annotations

import itertools
import os
import signal
import socket
import threading
from pathlib import Path

import numpy as np
import pytest

from mmclient import Client
from mmclient import retry as retry_module
from mmwire.errors import CapacityError, ClientError, MmError, RemoteWireError
from mmwire.frame import Frame, FrameType
from mmwire.message import goaway
from rig.fake_daemon import FakeDaemon, FakeModel, Peer, drop, go_away, ignore, one, refuse, say

X = np.ones((1, 4), np.float32)
TWO = [[2, 2, 2, 2]]


def test_broken_connection_is_sent_again(daemon: FakeDaemon, client: Client) -> None:
    daemon.fault(FrameType.INFER, drop, drop)
    assert client.predict("double", X)["y"].tolist() == TWO
    assert daemon.count(FrameType.INFER) == 3


def test_broken_in_the_middle_of_an_answer(daemon: FakeDaemon, client: Client) -> None:
    def half(peer: Peer, frame: Frame) -> bool:
        peer.sock.sendall(b"MM\x01\x05")
        return drop(peer, frame)

    daemon.fault(FrameType.INFER, half)
    assert client.predict("double", X)["y"].tolist() == TWO


def test_broken_in_the_middle_of_a_large_answer(daemon: FakeDaemon, client: Client) -> None:
    x = np.random.default_rng(1).integers(-128, 128, (500, 640), dtype=np.int8)

    def half(peer: Peer, frame: Frame) -> bool:
        pieces: list[bytes] = []

        class Cut:
            def sendall(self, data: bytes) -> None:
                pieces.append(data)

        real, peer.sock = peer.sock, Cut()  # type: ignore[assignment]
        daemon.answer(peer, frame)
        peer.sock = real
        real.sendall(pieces[0][: len(pieces[0]) // 2])
        return drop(peer, frame)

    daemon.fault(FrameType.INFER, half)
    np.testing.assert_array_equal(client.predict("echo8", x)["y"], x)


def test_a_request_that_always_breaks_is_not_sent_forever(daemon: FakeDaemon, client: Client) -> None:
    daemon.fault(FrameType.INFER, *[drop] * 50)
    with pytest.raises(ClientError) as caught:
        client.predict("double", X)
    assert caught.value.code == "CONNECTION_LOST" and caught.value.exit_status == 4
    assert daemon.count(FrameType.INFER) < 10


def test_restarted_daemon_is_found_again(daemon: FakeDaemon, client: Client) -> None:
    client.predict("double", X)
    daemon.stop()
    starting = threading.Timer(0.2, daemon.start)
    starting.start()
    assert client.predict("double", X)["y"].tolist() == TWO
    starting.join()


def test_daemon_that_stays_away_is_unreachable_at_the_deadline(daemon: FakeDaemon, client: Client) -> None:
    client.predict("double", X)
    daemon.stop()
    with pytest.raises(ClientError) as caught:
        client.predict("double", X, timeout=0.2)
    assert caught.value.code == "DAEMON_UNREACHABLE"


def test_first_connection_does_not_wait(tmp_path: Path) -> None:
    with Client(tmp_path / "none.sock") as client, pytest.raises(ClientError) as caught:
        client.models()
    assert (
        caught.value.code == "DAEMON_UNREACHABLE"
        and f"there is no socket {tmp_path / 'none.sock'}" in caught.value.message
    )
    assert "start mmdaemon" in caught.value.hint


def test_nobody_listens(tmp_path: Path) -> None:
    path = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))
    with Client(path) as client, pytest.raises(ClientError, match="no process listens on"):
        client.models()


def test_full_backlog_is_given_a_short_grace(tmp_path: Path) -> None:
    path = str(tmp_path / "full.sock")
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as first:
        listening.bind(path)
        listening.listen(0)
        first.connect(path)
        with Client(path, timeout=0.1) as client, pytest.raises(ClientError) as caught:
            client.models()
    assert caught.value.code in ("DAEMON_UNREACHABLE", "TIMEOUT")


@pytest.mark.skipif(os.getuid() == 0, reason="root may do everything")
def test_permission_denied_names_the_group(daemon: FakeDaemon) -> None:
    Path(daemon.path).chmod(0)
    with Client(daemon.path) as client, pytest.raises(ClientError, match="permission denied") as caught:
        client.models()
    assert "group" in caught.value.hint


def test_permission_denied_is_mapped(daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: object, path: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("mmclient.reach.socket.socket.connect", refused)
    with Client(daemon.path) as client, pytest.raises(ClientError, match="permission denied") as caught:
        client.models()
    assert caught.value.code == "DAEMON_UNREACHABLE" and "group" in caught.value.hint


def test_an_answer_after_the_timeout_reaches_no_other_request(daemon: FakeDaemon, client: Client) -> None:
    may_answer, answered = threading.Event(), threading.Event()

    def late(peer: Peer, frame: Frame) -> bool:
        assert may_answer.wait(10)
        try:
            daemon.answer(peer, frame)
        except OSError:
            pass  # the client has closed, as it should
        finally:
            answered.set()
        return True

    daemon.fault(FrameType.INFER, late)
    with pytest.raises(ClientError) as caught:
        client.predict("double", np.full((1, 4), 9, np.float32), timeout=0.05)
    assert caught.value.code == "TIMEOUT" and caught.value.retryable
    may_answer.set()
    assert client.predict("double", X)["y"].tolist() == TWO
    assert answered.wait(10)
    assert client.predict("double", X)["y"].tolist() == TWO


def test_timeout_sends_cancel(daemon: FakeDaemon, client: Client) -> None:
    cancelled = threading.Event()

    def note(peer: Peer, frame: Frame) -> bool:
        cancelled.set()
        return True

    daemon.fault(FrameType.INFER, ignore)
    daemon.fault(FrameType.CANCEL, note)
    with pytest.raises(MmError, match="within the timeout"):
        client.predict("double", X, timeout=0.05)
    assert cancelled.wait(10)


def test_timeout_while_greeting_and_opening(daemon: FakeDaemon, client: Client) -> None:
    daemon.fault(FrameType.HELLO, ignore)
    daemon.fault(FrameType.OPEN, ignore)
    for _ in range(2):
        with pytest.raises(ClientError, match="within the timeout"):
            client.predict("double", X, timeout=0.05)
    assert client.predict("double", X)["y"].tolist() == TWO


def test_changed_specs_are_opened_again_and_quantized_anew(daemon: FakeDaemon, client: Client) -> None:
    spec = one("int8", [2], "int8", [2], scale=0.5, zero_point=0)
    daemon.models["q"] = FakeModel("q", spec, lambda x: x)
    x = np.full((1, 2), 4.0, np.float32)
    assert client.predict("q", x)["y"].tolist() == [[8, 8]]
    daemon.models["q"] = FakeModel("q", one("int8", [2], "int8", [2], scale=2.0, zero_point=1), lambda x: x, 2)
    assert client.predict("q", x)["y"].tolist() == [[3, 3]]
    assert len(daemon.peers) == 1


def test_more_signatures_than_a_connection_has_handles(daemon: FakeDaemon, client: Client) -> None:
    for index in range(1100):
        width = 4 + index % 2
        out = np.zeros((1, width), np.float32)
        daemon.models["m"] = FakeModel("m", one("float32", [4], "float32", [width]), lambda x, out=out: out)
        assert client.predict("m", X)["y"].shape == (1, width)
    assert len(daemon.peers) == 2


def test_a_request_to_a_draining_daemon_goes_out_on_a_new_connection(daemon: FakeDaemon, client: Client) -> None:
    daemon.fault(FrameType.INFER, refuse(CapacityError("DRAINING", "the daemon is stopping")))
    assert client.predict("double", X)["y"].tolist() == TWO
    assert len(daemon.peers) == 2


def test_goaway_before_the_answer(daemon: FakeDaemon, client: Client) -> None:
    daemon.fault(FrameType.INFER, go_away)
    assert client.predict("double", X)["y"].tolist() == TWO
    assert client.predict("double", X)["y"].tolist() == TWO
    assert len(daemon.peers) == 2


def test_goaway_while_idle(daemon: FakeDaemon, client: Client) -> None:
    client.predict("double", X)
    daemon.peers[0].send(goaway())
    assert client.predict("double", X)["y"].tolist() == TWO
    assert client.predict("double", X)["y"].tolist() == TWO
    assert len(daemon.peers) == 2


def test_loading_is_waited_for(daemon: FakeDaemon, client: Client) -> None:
    loading = refuse(CapacityError("MODEL_LOADING", "on its way"))
    daemon.fault(FrameType.OPEN, loading, loading, loading)
    assert client.predict("double", X)["y"].tolist() == TWO
    daemon.fault(FrameType.OPEN, *[loading] * 1000)
    with pytest.raises(CapacityError, match="on its way"):
        client.predict("two", {"a": [[1, 2]], "b": [[1, 2]]}, timeout=0.1)


@pytest.mark.parametrize("code", ["QUEUE_FULL", "DEADLINE_EXCEEDED", "TOO_MANY_CONNECTIONS"])
def test_overload_is_raised_at_once(daemon: FakeDaemon, client: Client, code: str) -> None:
    daemon.fault(FrameType.INFER, refuse(CapacityError(code, "not now")))
    with pytest.raises(CapacityError, match="not now"):
        client.predict("double", X)
    assert client.predict("double", X)["y"].tolist() == TWO
    assert len(daemon.peers) == 1


def test_refused_before_the_greeting(daemon: FakeDaemon, client: Client) -> None:
    daemon.fault(FrameType.HELLO, refuse(CapacityError("TOO_MANY_CONNECTIONS", "enough")))
    with pytest.raises(CapacityError, match="enough"):
        client.models()
    assert client.models()


@pytest.mark.parametrize(
    "data", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00" * 64, b"MM\x01\x63" + b"\x00" * 28, b"MM\x09\x05" + bytes(28)]
)
@pytest.mark.parametrize("kind", [FrameType.HELLO, FrameType.OPEN, FrameType.INFER])
def test_garbage_is_a_wire_error_and_closes_the_connection(
    daemon: FakeDaemon, client: Client, kind: FrameType, data: bytes
) -> None:
    daemon.fault(kind, say(data))
    with pytest.raises(RemoteWireError):
        client.predict("double", X)
    assert client.predict("double", X)["y"].tolist() == TWO


def test_answer_to_another_request_is_refused(daemon: FakeDaemon, client: Client) -> None:
    def other(peer: Peer, frame: Frame) -> bool:
        frame.request_id += 1
        return False

    daemon.fault(FrameType.INFER, other)
    with pytest.raises(RemoteWireError, match="answer to"):
        client.predict("double", X)


def test_interrupted_call_leaves_its_connection(daemon: FakeDaemon, client: Client) -> None:
    def interrupt(peer: Peer, frame: Frame) -> bool:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        return True

    client.predict("double", X)
    daemon.fault(FrameType.INFER, interrupt)
    with pytest.raises(KeyboardInterrupt):
        client.predict("double", np.full((1, 4), 9, np.float32))
    assert client.predict("double", X)["y"].tolist() == TWO
    assert len(daemon.peers) == 2


def test_closed_client(daemon: FakeDaemon) -> None:
    client = Client(daemon.path)
    client.predict("double", X)
    client.close()
    with pytest.raises(ClientError) as caught:
        client.predict("double", X)
    assert caught.value.code == "CLIENT_CLOSED"


def test_backoff_grows_with_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(retry_module.time, "sleep", slept.append)
    monkeypatch.setattr(retry_module.time, "monotonic", lambda: 0.0)
    retry = retry_module.Retry(1.0)
    for _ in range(12):
        retry.after(CapacityError("MODEL_LOADING", "x"), True)
    assert 0.001 <= slept[0] <= 0.002 and 0.125 <= slept[-1] <= 0.25
    assert all(later > earlier / 2 for earlier, later in itertools.pairwise(slept))
