"""The rules of the listener, each on real sockets with a runtime under control."""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmdaemon.dispatch.deployment import Deployment
from mmdaemon.listener.handle import MAX_HANDLES
from mmwire import message
from mmwire.frame import HEADER, MAGIC, PROTOCOL, Frame, FrameLimits, FrameType
from mmwire.message import Hello
from mmwire.tensor import SignatureSpec, TensorSpec
from rig.listener import LIMIT_S, SPEC, Client, EchoInstance, NoVerbs, Rig, error_of, rig


def row(number: int) -> bytes:
    return struct.pack("<i", number)


def occupied(made: Rig) -> Client:
    """Return a client whose two requests keep both cores until the gate opens."""
    client = made.client()
    handle = client.open()
    for number in range(2):
        client.infer(handle, row(number))
    made.gate.wait_inside(2)
    return client


def test_answers_with_the_bytes_and_the_version(tmp_path: Path) -> None:
    with rig(tmp_path) as made:
        client = made.client()
        client.infer(client.open(), row(7))
        frame = client.read()
        head = message.read_result(frame, 1)
        assert (bytes(frame.payload), head.version, head.rows) == (row(7), 1, 1)


def test_the_pixels_of_a_float_input_are_scaled_as_the_deployment_says(tmp_path: Path) -> None:
    with rig(tmp_path) as made:
        signatures = {SPEC.name: SPEC}
        deployment = Deployment("m", 2, signatures, 1, 1, [EchoInstance(made.gate)], image_mean=127.5, image_scale=64.0)
        with made.dispatcher.scheduler() as scheduler:
            scheduler.publish(deployment)
        client = made.client()
        client.send(message.open_model(1, message.Open("m")))
        opened = message.read_opened(client.read())
        assert (opened.image_mean, opened.image_scale) == (127.5, 64.0)


def test_64_pipelined_requests_on_one_connection_use_all_cores(tmp_path: Path) -> None:
    with rig(tmp_path, is_open=False) as made:
        client = made.client()
        handle = client.open()
        for number in range(64):
            client.infer(handle, row(number))
        made.gate.wait_inside(2)
        made.gate.open()
        answers = {client.read().request_id for _ in range(64)}
        assert answers == set(range(1, 65))
        assert made.gate.most_inside == 2


def test_never_more_invocations_than_cores(tmp_path: Path) -> None:
    with rig(tmp_path, is_open=False, cores=2) as made:
        clients = [made.client() for _ in range(6)]
        for client in clients:
            client.infer(client.open(), row(1))
        made.wait_for(lambda: made.queued() == 4)
        made.gate.wait_inside(2)
        made.gate.open()
        for client in clients:
            assert client.read().type is FrameType.RESULT
        assert made.gate.most_inside == 2


def test_clients_that_never_read_and_clients_that_drip_cost_the_others_nothing(tmp_path: Path) -> None:
    with rig(tmp_path, factor=16_384, max_output_bytes=1 << 16) as made:
        for _ in range(10):
            never_reads = made.client()
            handle = never_reads.open()
            for number in range(16):
                never_reads.infer(handle, row(number))
        dripping = [made.client() for _ in range(50)]
        request = message.infer_head(1, 1, 4, 0) + row(1)
        for byte in request[:-1]:
            for client in dripping:
                client.sock.send(bytes([byte]))
        control = made.client()
        handle = control.open()
        for number in range(200):
            control.infer(handle, row(number))
            assert bytes(control.read().payload[:4]) == row(number)


def test_a_client_that_does_not_read_is_not_read_from(tmp_path: Path) -> None:
    with rig(tmp_path, factor=1 << 18, max_output_bytes=1 << 20) as made:
        client = made.client()
        handle = client.open()
        client.sock.settimeout(1.0)
        with pytest.raises(TimeoutError):
            for number in range(1_000_000):
                client.infer(handle, row(number))
        assert len(made.gate.passed) < 100_000


def test_a_cancel_is_seen_while_all_workers_run(tmp_path: Path) -> None:
    with rig(tmp_path, is_open=False) as made:
        busy = occupied(made)
        client = made.client()
        waiting = client.infer(client.open(), row(99))
        made.wait_for(lambda: made.queued() == 1)
        client.send(message.cancel(waiting))
        assert error_of(client.read()).code == "CANCELLED"
        made.gate.open()
        assert [busy.read().type for _ in range(2)] == [FrameType.RESULT] * 2
        assert row(99) not in made.gate.passed


def test_nothing_is_computed_for_a_client_that_hung_up(tmp_path: Path) -> None:
    with rig(tmp_path, is_open=False) as made:
        busy = occupied(made)
        leaver = made.client()
        leaver.infer(leaver.open(), row(99))
        made.wait_for(lambda: made.queued() == 1)
        leaver.close()
        made.wait_for(lambda: made.queued() == 0)
        made.gate.open()
        assert [busy.read().type for _ in range(2)] == [FrameType.RESULT] * 2
        assert row(99) not in made.gate.passed


def test_the_leader_goes_on_reading_when_a_long_request_follows_a_short_one(tmp_path: Path) -> None:
    with rig(tmp_path, is_open=False, cores=1, models=("long", "short")) as made:
        client = made.client()
        handles = {model: client.open(model) for model in ("long", "short")}
        with made.dispatcher.scheduler() as scheduler:
            for model, row_us in (("long", 1e6), ("short", 1.0)):
                deployment = scheduler.lanes[model].deployment
                assert deployment is not None
                deployment.usage.row_us = row_us
        client.sock.sendall(
            message.infer_head(handles["short"], 1, 4, 0)
            + row(1)
            + message.infer_head(handles["long"], 2, 4, 0)
            + row(2)
        )
        made.gate.wait_inside(1)
        made.gate.admit_one()
        assert client.read().request_id == 1
        made.gate.wait_inside(1)
        client.send(message.admin(3, "status", {}))
        assert client.read().request_id == 3
        made.gate.open()
        assert client.read().request_id == 2


def test_overload_is_refused_while_all_workers_run(tmp_path: Path) -> None:
    with rig(tmp_path, is_open=False, max_queue=3) as made:
        client = made.client()
        handle = client.open()
        for number in range(2):
            client.infer(handle, row(number))
        made.gate.wait_inside(2)
        for number in range(4):
            client.infer(handle, row(number))
        error = error_of(client.read())
        assert (error.code, error.retryable) == ("QUEUE_FULL", True)
        made.gate.open()
        assert sorted(client.read().request_id for _ in range(5)) == [1, 2, 3, 4, 5]


def test_a_deadline_that_passes_in_the_queue_is_refused_while_all_workers_run(tmp_path: Path) -> None:
    with rig(tmp_path, is_open=False) as made:
        client = made.client()
        handle = client.open()
        for number in range(2):
            client.infer(handle, row(number))
        made.gate.wait_inside(2)
        late = client.infer(handle, row(99), wait_us=20_000)
        frame = client.read()
        assert (frame.request_id, error_of(frame).code) == (late, "DEADLINE_EXCEEDED")
        made.gate.open()
        assert [client.read().type for _ in range(2)] == [FrameType.RESULT] * 2
        assert row(99) not in made.gate.passed


def test_large_requests_and_replies_arrive_whole(tmp_path: Path) -> None:
    with rig(tmp_path) as made:
        client = made.client()
        payload = bytes(range(256)) * 12_000
        client.infer(client.open(), payload)
        frame = client.read()
        assert message.read_result(frame, 1).rows == len(payload) // 4
        assert bytes(frame.payload) == payload


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x00" * 64,
        HEADER.pack(MAGIC, PROTOCOL, 99, 0, 0, 0, 0, 1, 0, 0),
        HEADER.pack(MAGIC, PROTOCOL, int(FrameType.INFER), 0, 0, 1, 0, 1, 0xFFFFFFFF, 0xFFFFFFFF),
        HEADER.pack(MAGIC, PROTOCOL + 1, int(FrameType.HELLO), 0, 0, 0, 0, 0, 0, 0),
        message.infer_head(1, 1, 4, 0) + b"1234",
        Frame(FrameType.HELLO, meta=b"{").to_bytes(),
        Frame(FrameType.GOAWAY).to_bytes(),
    ],
    ids=["http", "zeros", "type", "lengths", "newer", "before-hello", "json", "role"],
)
def test_another_protocol_gets_one_typed_error_and_is_closed(tmp_path: Path, data: bytes) -> None:
    with rig(tmp_path) as made:
        stranger = made.client(greet=False)
        stranger.sock.sendall(data)
        error = error_of(stranger.read())
        assert error.code in {"BAD_FRAME", "FRAME_TOO_LARGE", "UNSUPPORTED_PROTOCOL"}
        with pytest.raises((EOFError, ConnectionResetError)):
            stranger.read()
        control = made.client()
        control.infer(control.open(), row(1))
        assert control.read().type is FrameType.RESULT


@pytest.mark.parametrize(
    ("handle", "payload", "code"),
    [(77, b"1234", "BAD_REQUEST"), (1, b"12345", "BAD_TENSOR"), (1, b"", "BAD_TENSOR")],
    ids=["handle", "size", "empty"],
)
def test_a_refused_request_leaves_the_connection_usable(tmp_path: Path, handle: int, payload: bytes, code: str) -> None:
    with rig(tmp_path) as made:
        client = made.client()
        good = client.open()
        client.infer(handle, payload)
        assert error_of(client.read()).code == code
        client.infer(good, row(5))
        assert bytes(client.read().payload) == row(5)


def test_shapes_that_do_not_fit_are_refused_with_both(tmp_path: Path) -> None:
    with rig(tmp_path) as made:
        client = made.client()
        handle = client.open()
        client.sock.sendall(message.infer_head(handle, 1, 10, 0, [(2, 5)]) + bytes(10))
        error = error_of(client.read())
        assert error.code == "BAD_TENSOR"
        assert "int8[rows,4]" in error.message and "[2,5]" in error.message


def test_an_unknown_model_is_told_with_the_nearest_name(tmp_path: Path) -> None:
    with rig(tmp_path, models=("kws", "vww")) as made:
        client = made.client()
        client.send(message.open_model(5, message.Open("kwz")))
        frame = client.read()
        error = error_of(frame)
        assert (frame.request_id, error.code) == (5, "MODEL_NOT_FOUND")
        assert "'kws'" in error.hint


def test_a_client_opens_more_models_than_handles_and_uses_all_of_them(tmp_path: Path) -> None:
    models = [f"m{number}" for number in range(MAX_HANDLES + 2)]
    with rig(tmp_path, models=models) as made:
        client = made.client()
        handles = [client.open(model) for model in models]
        client.infer(handles[0], row(1))
        refusal = error_of(client.read())
        assert (refusal.code, refusal.retryable) == ("SPECS_CHANGED", True)
        for model in (models[0], models[-1]):
            client.infer(client.open(model), row(2))
            assert bytes(client.read().payload) == row(2)


def test_opening_the_same_again_takes_no_further_handle(tmp_path: Path) -> None:
    with rig(tmp_path) as made:
        client = made.client()
        assert {client.open() for _ in range(MAX_HANDLES + 1)} == {1}


def test_other_tensors_take_another_handle_and_end_the_old_one(tmp_path: Path) -> None:
    wider = SignatureSpec(SPEC.name, (TensorSpec("x", "int8", (-1, 8)),), (TensorSpec("y", "int8", (-1, 8)),))
    with rig(tmp_path) as made:
        client = made.client()
        old = client.open()
        instance = EchoInstance(made.gate)
        with made.dispatcher.scheduler() as scheduler:
            scheduler.publish(Deployment("m", 2, {wider.name: wider}, 1, 1, [instance]))
        client.infer(old, row(1))
        assert error_of(client.read()).code == "SPECS_CHANGED"
        new = client.open()
        assert new != old
        client.infer(new, bytes(8))
        assert bytes(client.read().payload) == bytes(8)
        client.infer(old, row(1))
        assert error_of(client.read()).code == "SPECS_CHANGED"


def test_drain_says_goaway_and_refuses_new_requests_but_answers_old_ones(tmp_path: Path) -> None:
    with rig(tmp_path, is_open=False) as made:
        client = made.client()
        handle = client.open()
        accepted = client.infer(handle, row(1))
        made.gate.wait_inside(1)
        made.loop.start_drain()
        with made.dispatcher.scheduler() as scheduler:
            scheduler.drain()
        assert client.read().type is FrameType.GOAWAY
        refused = client.infer(handle, row(2))
        frame = client.read()
        assert (frame.request_id, error_of(frame).code) == (refused, "DRAINING")
        made.gate.open()
        assert client.read().request_id == accepted


def test_a_client_that_has_not_greeted_hears_of_the_drain_after_the_greeting(tmp_path: Path) -> None:
    with rig(tmp_path) as made:
        client = made.client(greet=False)
        made.wait_for(lambda: made.loop.connections == 1)
        made.loop.start_drain()
        client.send(message.hello(Hello("test", 1 << 16, 1 << 26)))
        assert client.read().type is FrameType.HELLO


def test_a_request_before_a_frame_that_shows_a_bug_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def has_a_bug(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    with rig(tmp_path, cores=1) as made:
        monkeypatch.setattr(NoVerbs, "start_verb", has_a_bug)
        for _ in range(2):
            client = made.client()
            handle = client.open()
            client.sock.sendall(
                message.infer_head(handle, 1, 4, 0) + row(1) + message.admin(2, "status", {}).to_bytes()
            )
            with pytest.raises((EOFError, ConnectionResetError)):
                client.read()
        control = made.client()
        control.infer(control.open(), row(5))
        assert bytes(control.read().payload) == row(5), "its instance was given back"


def test_the_greeting_has_the_limits(tmp_path: Path) -> None:
    with rig(tmp_path, limits=FrameLimits(1000, 2000)) as made:
        client = Client(made.path, greet=False)
        made.clients.append(client)
        client.send(message.hello(Hello("test", 1, 1)))
        greeting = message.read_hello(client.read())
        assert (greeting.max_meta_bytes, greeting.max_payload_bytes) == (1000, 2000)
        client.sock.sendall(message.infer_head(1, 1, 2001, 0))
        assert error_of(client.read()).code == "FRAME_TOO_LARGE"


def answers(made: Rig) -> list[str]:
    """Ping every thread, and wait until all have answered."""
    heard: list[str] = []
    made.loop.ping(heard.append)
    made.wait_for(lambda: len(heard) == len(made.loop.answering))
    return sorted(heard)


def test_every_thread_answers_a_ping(tmp_path: Path) -> None:
    with rig(tmp_path, cores=2) as made:
        assert answers(made) == ["mm-leader", "mm-worker-0", "mm-worker-1"]
        assert answers(made) == answers(made)


def test_threads_that_compute_count_as_answering(tmp_path: Path) -> None:
    with rig(tmp_path, is_open=False, cores=2) as made:
        client = made.client()
        handle = client.open()
        for number in (1, 2):
            client.infer(handle, row(number))
        made.gate.wait_inside(2)
        assert answers(made) == ["mm-leader", "mm-worker-0", "mm-worker-1"]
        assert [lease.request.model for lease in made.dispatcher.at_work()] == ["m", "m"]


def test_a_leader_that_computes_counts_as_answering(tmp_path: Path) -> None:
    """A model that was fast so far is run by the leader; how long it takes this time, it cannot know."""
    with rig(tmp_path, cores=2) as made:
        client = made.client()
        handle = client.open()
        with made.dispatcher.scheduler() as scheduler:
            deployment = scheduler.lanes["m"].deployment
            assert deployment is not None
            deployment.usage.row_us = 1.0
        made.gate.close()
        client.infer(handle, row(1))
        made.gate.wait_inside(1)
        assert answers(made) == ["mm-leader", "mm-worker-0", "mm-worker-1"]
        made.gate.open()
        assert bytes(client.read().payload) == row(1)


def test_a_leader_that_hangs_elsewhere_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stuck, entered = threading.Event(), threading.Event()

    def hang(*_: object) -> None:
        entered.set()
        stuck.wait(LIMIT_S)

    with rig(tmp_path) as made:
        client = made.client()
        monkeypatch.setattr(NoVerbs, "start_verb", hang)
        client.send(message.admin(1, "status", {}))
        assert entered.wait(LIMIT_S)
        heard: list[str] = []
        made.loop.ping(heard.append)
        made.wait_for(lambda: len(heard) == 2)
        assert "mm-leader" not in heard
        stuck.set()
        made.wait_for(lambda: "mm-leader" in heard)


def test_a_client_that_sends_many_frames_at_once_leaves_the_others_their_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both clients have sent before the leader looks, and one of them sent hundreds of frames in one piece."""
    answered: list[str] = []
    started, go_on = threading.Event(), threading.Event()

    def note(_: NoVerbs, verb: str, arguments: object, deadline: float, reply: Callable[[Any], None]) -> None:
        if verb == "hold":
            started.set()
            assert go_on.wait(LIMIT_S)
        answered.append(verb)
        reply({})

    monkeypatch.setattr(NoVerbs, "start_verb", note)
    with rig(tmp_path) as made:
        flooder, neighbour, holder = made.client(), made.client(), made.client()
        holder.send(message.admin(1, "hold", {}))
        assert started.wait(LIMIT_S)
        flooder.sock.sendall(b"".join(message.admin(number + 1, "flood", {}).to_bytes() for number in range(300)))
        neighbour.send(message.admin(1, "neighbour", {}))
        go_on.set()
        for number in range(300):
            assert flooder.read().request_id == number + 1
        assert neighbour.read().type is FrameType.ADMIN_RESULT
        assert answered.index("neighbour") <= 1 + 64
        assert answered.count("flood") == 300
