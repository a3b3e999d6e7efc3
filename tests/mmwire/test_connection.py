from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwire import message
from mmwire.connection import ALLOWED, Connection, Role, State
from mmwire.errors import CapacityError, LocalWireError, RemoteWireError, RequestError
from mmwire.frame import Frame, FrameLimits, FrameType
from mmwire.message import Hello, Open, Opened
from mmwire.tensor import SignatureSpec, TensorSpec

FUZZ = settings(deadline=None, derandomize=True, max_examples=200)
HELLO = message.hello(Hello("test 1", 65536, 1 << 20))
SPEC = SignatureSpec("serve", (TensorSpec("x", "int8", (-1, 4)),), (TensorSpec("y", "int8", (-1, 2)),))


class ConnectionPair:
    """A client and a server whose bytes go from one to the other without a socket, ``step`` at a time."""

    def __init__(self, step: int = 1 << 20) -> None:
        self.ends = {role: Connection(role, FrameLimits()) for role in Role}
        self._step = step

    def send(self, role: Role, *frames: Frame) -> list[Frame]:
        """Let one end send frames; return what the other end makes of them."""
        for frame in frames:
            self.ends[role].sending(frame.type)
        data = b"".join(frame.to_bytes() for frame in frames)
        other = self.ends[Role.SERVER if role is Role.CLIENT else Role.CLIENT]
        got: list[Frame] = []
        for start in range(0, len(data), self._step):
            got += other.feed(data[start : start + self._step])
        return got

    def greet(self) -> ConnectionPair:
        self.send(Role.CLIENT, HELLO)
        self.send(Role.SERVER, HELLO)
        return self


@pytest.mark.parametrize("step", [1, 13, 1 << 20])
def test_a_whole_conversation(step: int) -> None:
    pair = ConnectionPair(step)
    opened = Opened("kws", 3, SPEC, 0.0, 255.0)
    infer = Frame(FrameType.INFER, handle=1, request_id=8, payload=b"abcd")

    (greeting,) = pair.send(Role.CLIENT, HELLO)
    assert message.read_hello(greeting) == Hello("test 1", 65536, 1 << 20)
    pair.send(Role.SERVER, HELLO)
    (asked,) = pair.send(Role.CLIENT, message.open_model(7, Open("kws", "serve")))
    assert message.read_open(asked) == Open("kws", "serve", 0)
    (given_handle,) = pair.send(Role.SERVER, message.opened(7, 1, opened))
    assert (given_handle.handle, message.read_opened(given_handle)) == (1, opened)
    assert pair.send(Role.CLIENT, infer, message.cancel(9))[0] == infer
    refusal = RequestError("CANCELLED", "the caller cancelled the request")
    (answer,) = pair.send(Role.SERVER, message.error(9, refusal))
    assert (answer.request_id, message.read_error(answer).code) == (9, "CANCELLED")
    assert [frame.type for frame in pair.send(Role.SERVER, message.goaway())] == [FrameType.GOAWAY]
    assert all(end.state is State.OPEN and end.is_between_frames for end in pair.ends.values())


def test_a_client_need_not_wait_for_the_servers_hello() -> None:
    pair = ConnectionPair()

    got = pair.send(Role.CLIENT, HELLO, message.open_model(1, Open("kws")), message.admin(2, "ls", {}))

    assert [frame.type for frame in got] == [FrameType.HELLO, FrameType.OPEN, FrameType.ADMIN]
    assert pair.ends[Role.CLIENT].state is State.GREETING
    assert pair.ends[Role.SERVER].state is State.OPEN


def test_a_server_may_refuse_before_its_hello() -> None:
    pair = ConnectionPair()

    (frame,) = pair.send(Role.SERVER, message.error(0, CapacityError("TOO_MANY_CONNECTIONS", "256 are connected")))

    assert message.read_error(frame).code == "TOO_MANY_CONNECTIONS"
    assert pair.ends[Role.CLIENT].state is State.GREETING


def allowed(role: Role, state: State) -> frozenset[FrameType]:
    """Say it once more than the table does, and otherwise."""
    if state is State.CLOSED:
        return frozenset()
    if state is State.GREETING:
        return frozenset({FrameType.HELLO, FrameType.ERROR} if role is Role.SERVER else {FrameType.HELLO})
    asks = {FrameType.OPEN, FrameType.INFER, FrameType.CANCEL, FrameType.ADMIN}
    return frozenset(asks if role is Role.CLIENT else set(FrameType) - asks - {FrameType.HELLO})


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("kind", FrameType)
def test_every_type_in_every_state_from_both_sides(role: Role, state: State, kind: FrameType) -> None:
    sender = Connection(role, FrameLimits())
    receiver = Connection(Role.SERVER if role is Role.CLIENT else Role.CLIENT, FrameLimits())
    if state is State.OPEN:
        sender.sending(FrameType.HELLO)
        receiver.feed(HELLO.to_bytes())
    elif state is State.CLOSED:
        sender.close()
        receiver.close()
    assert ALLOWED[role, state] == allowed(role, state)

    if kind in allowed(role, state):
        sender.sending(kind)
        assert len(receiver.feed(Frame(kind).to_bytes())) == 1
        return
    with pytest.raises(LocalWireError) as misuse:
        sender.sending(kind)
    with pytest.raises(RemoteWireError) as broken:
        receiver.feed(Frame(kind).to_bytes())

    assert misuse.value.code == "PROTOCOL_MISUSE"
    assert broken.value.code == "BAD_FRAME"
    assert kind.name in broken.value.message
    assert receiver.state is State.CLOSED


def test_once_broken_nothing_more_comes_or_goes() -> None:
    pair = ConnectionPair().greet()
    server = pair.ends[Role.SERVER]
    with pytest.raises(RemoteWireError):
        server.feed(b"GET / HTTP/1.1\r\n")

    assert server.state is State.CLOSED
    with pytest.raises(RemoteWireError):
        server.feed(message.cancel(1).to_bytes())
    with pytest.raises(LocalWireError):
        server.sending(FrameType.RESULT)


def test_frames_before_the_broken_one_are_still_handed_out() -> None:
    server = Connection(Role.SERVER, FrameLimits())
    data = HELLO.to_bytes() + message.cancel(4).to_bytes() + b"rubbish"
    server.buffer()[: len(data)] = data
    server.received(len(data))

    first, second = server.next_frame(), server.next_frame()

    assert first is not None and first.type is FrameType.HELLO
    assert second is not None and second.request_id == 4
    with pytest.raises(RemoteWireError):
        server.next_frame()


def outcome(data: bytes, step: int) -> tuple[list[Frame], str, State]:
    """Return the frames that a server takes, the code that ended it and its state."""
    server = Connection(Role.SERVER, FrameLimits(64, 256))
    frames: list[Frame] = []
    for start in range(0, len(data), step):
        rest = memoryview(data)[start : start + step]
        while rest:
            room = server.buffer()
            count = min(len(room), len(rest))
            room[:count] = rest[:count]
            server.received(count)
            rest = rest[count:]
            try:
                while (frame := server.next_frame()) is not None:
                    frames.append(frame)
            except RemoteWireError as error:
                return frames, error.code, server.state
    return frames, "", server.state


anything = st.one_of(
    st.binary(max_size=80),
    st.builds(
        Frame,
        st.sampled_from(FrameType),
        handle=st.integers(0, 3),
        meta=st.binary(max_size=70),
        payload=st.binary(max_size=260),
    ).map(Frame.to_bytes),
)


@FUZZ
@given(st.booleans(), st.lists(anything, max_size=6))
def test_any_conversation_means_the_same_whole_and_byte_at_a_time(is_greeted: bool, parts: list[bytes]) -> None:
    greeting = Frame(FrameType.HELLO, meta=b"{}").to_bytes() if is_greeted else b""
    data = greeting + b"".join(parts)

    whole = outcome(data, len(data) or 1)

    assert whole == outcome(data, 1)
    assert (whole[2] is State.CLOSED) == bool(whole[1])
