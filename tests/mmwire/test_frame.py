from __future__ import annotations

import struct
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwire.errors import RemoteWireError
from mmwire.frame import HEADER, HEADER_BYTES, MAGIC, PROTOCOL, Frame, FrameLimits, FrameReader, FrameType

SMALL = 256  # of the reader's buffer in these tests
LIMITS = FrameLimits(max_meta_bytes=512, max_payload_bytes=4096)
FUZZ = settings(deadline=None, derandomize=True, max_examples=300)

Seen = tuple[int, int, int, int, int, bytes, bytes]

frames = st.builds(
    Frame,
    st.sampled_from(FrameType),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 2**64 - 1),
    st.binary(max_size=512),
    st.binary(max_size=1024),
)


def seen(frame: Frame) -> Seen:
    return (
        frame.type,
        frame.flags,
        frame.handle,
        frame.remaining_us,
        frame.request_id,
        bytes(frame.meta),
        bytes(frame.payload),
    )


def header(
    magic: bytes = MAGIC, protocol: int = PROTOCOL, kind: int = FrameType.INFER, meta: int = 0, payload: int = 0
) -> bytes:
    return HEADER.pack(magic, protocol, kind, 0, 0, 1, 0, 1, meta, payload)


def read(data: bytes, step: int, limits: FrameLimits = LIMITS, buffer_bytes: int = SMALL) -> tuple[list[Seen], str]:
    """Receive ``data`` in pieces of at most ``step`` bytes; return the frames and the code that ended it."""
    reader = FrameReader(limits, buffer_bytes)
    got: list[Seen] = []
    position = 0
    while position < len(data):
        room = reader.buffer()
        assert len(room), "a reader without room would wait for ever"
        piece = data[position : position + min(step, len(room))]
        room[: len(piece)] = piece
        reader.received(len(piece))
        position += len(piece)
        try:
            while (frame := reader.next_frame()) is not None:
                got.append(seen(frame))
        except RemoteWireError as error:
            return got, error.code
    return got, "" if reader.is_between_frames else "unfinished"


def test_the_header_is_32_bytes_without_padding() -> None:
    assert HEADER_BYTES == 32
    assert HEADER.size == struct.calcsize("<2sBBHHIIQII")


def test_the_reader_needs_room_for_a_header() -> None:
    got, end = read(Frame(FrameType.CANCEL, request_id=3).to_bytes() * 5, 7, buffer_bytes=HEADER_BYTES)

    assert (len(got), end) == (5, "")


@FUZZ
@given(st.lists(frames, max_size=5), st.integers(1, 700), st.sampled_from([64, SMALL, 4096]))
def test_frames_come_back_as_they_were_whatever_the_pieces(sent: list[Frame], step: int, buffer_bytes: int) -> None:
    data = b"".join(frame.to_bytes() for frame in sent)

    got, end = read(data, step, buffer_bytes=buffer_bytes)

    assert got == [seen(frame) for frame in sent]
    assert end == ""


headers = st.builds(
    header,
    st.sampled_from([MAGIC, MAGIC, MAGIC, b"MX", b"GE"]),
    st.sampled_from([PROTOCOL, PROTOCOL, PROTOCOL, 0, 2, 255]),
    st.integers(0, 32),
    st.sampled_from([0, 1, 300, 512, 513, 2**32 - 1]),
    st.sampled_from([0, 1, 200, 4096, 4097, 2**32 - 1]),
)
garbage = st.lists(st.one_of(st.binary(max_size=600), headers, frames.map(Frame.to_bytes)), max_size=6).map(b"".join)


@FUZZ
@given(garbage)
def test_any_bytes_mean_the_same_whole_and_byte_at_a_time(data: bytes) -> None:
    assert read(data, len(data) or 1) == read(data, 1)


@FUZZ
@given(st.lists(frames, min_size=1, max_size=3), st.data())
def test_a_flipped_bit_gives_other_frames_or_a_typed_error(sent: list[Frame], data: st.DataObject) -> None:
    stream = bytearray(b"".join(frame.to_bytes() for frame in sent))
    bit = data.draw(st.integers(0, 8 * len(stream) - 1))
    stream[bit // 8] ^= 1 << bit % 8

    got, end = read(bytes(stream), 97)

    assert end in ("", "unfinished", "BAD_FRAME", "FRAME_TOO_LARGE", "UNSUPPORTED_PROTOCOL")
    assert (got, end) == read(bytes(stream), 1)


@pytest.mark.parametrize("first", [b"G", b"ME"])
def test_another_protocol_is_refused_at_its_first_bytes(first: bytes) -> None:
    assert read(first, 1) == ([], "BAD_FRAME")


@pytest.mark.parametrize("protocol", [0, 2, 3, 255])
@pytest.mark.parametrize("kind", [int(FrameType.HELLO), 0, 11, 16, 200])
def test_another_protocol_version_is_not_taken_for_garbage(protocol: int, kind: int) -> None:
    _, end = read(header(protocol=protocol, kind=kind, meta=2**32 - 1, payload=2**32 - 1), 1)

    assert end == "UNSUPPORTED_PROTOCOL"


@pytest.mark.parametrize("kind", [0, 11, 15, 16, 31, 255])
def test_an_unknown_type_of_this_version_is_a_bad_frame(kind: int) -> None:
    assert read(header(kind=kind), 1) == ([], "BAD_FRAME")


def test_reserved_bytes_and_unknown_flags_are_ignored() -> None:
    data = bytearray(Frame(FrameType.GOAWAY, flags=0x8000).to_bytes())
    data[6:8] = b"\xff\xff"

    got, end = read(bytes(data), 1)

    assert (got[0][:2], end) == ((FrameType.GOAWAY, 0x8000), "")


@pytest.mark.parametrize(("meta", "payload"), [(513, 0), (0, 4097), (2**32 - 1, 2**32 - 1)])
def test_one_byte_over_a_limit_is_too_large(meta: int, payload: int) -> None:
    assert read(header(meta=meta, payload=payload), 1) == ([], "FRAME_TOO_LARGE")


def test_both_limits_can_be_used_up() -> None:
    frame = Frame(FrameType.ADMIN, meta=b"m" * 512, payload=b"p" * 4096)

    assert read(frame.to_bytes(), 100) == ([seen(frame)], "")


def test_a_refused_header_makes_no_memory() -> None:
    reader = FrameReader(FrameLimits())
    reader.buffer()[:HEADER_BYTES] = header(payload=2**32 - 1)
    reader.received(HEADER_BYTES)
    tracemalloc.start()
    try:
        with pytest.raises(RemoteWireError):
            reader.next_frame()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 64 * 1024


def test_memory_for_a_large_frame_fills_as_its_bytes_arrive() -> None:
    size = FrameLimits().max_payload_bytes
    before = _resident_bytes()
    readers = [FrameReader(FrameLimits()) for _ in range(8)]
    for reader in readers:
        reader.buffer()[:HEADER_BYTES] = header(payload=size)
        reader.received(HEADER_BYTES)
        assert reader.next_frame() is None
        assert len(reader.buffer()) == size

    assert _resident_bytes() - before < size


def _resident_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * 4096


@pytest.mark.parametrize("size", [SMALL - HEADER_BYTES, SMALL - HEADER_BYTES + 1, 1000])
@pytest.mark.parametrize("lead", [0, 1, 100, SMALL - HEADER_BYTES])
def test_a_frame_that_straddles_the_end_of_the_buffer(lead: int, size: int) -> None:
    sent = [
        Frame(FrameType.INFER, request_id=1, payload=b"l" * lead),
        Frame(FrameType.INFER, request_id=2, meta=b"m" * 5, payload=bytes(range(256)) * 4),
        Frame(FrameType.INFER, request_id=3, payload=b"s" * size),
        Frame(FrameType.CANCEL, request_id=4),
    ]
    data = b"".join(frame.to_bytes() for frame in sent)

    for step in (1, 31, 33, SMALL, len(data)):
        assert read(data, step) == ([seen(frame) for frame in sent], "")


@pytest.mark.parametrize("size", [100_000, 5 * 1024 * 1024])
def test_a_large_frame_is_received_into_its_own_memory_and_keeps_it(size: int) -> None:
    first = Frame(FrameType.INFER, request_id=1, meta=b"meta", payload=b"a" * size)
    second = Frame(FrameType.INFER, request_id=2, payload=b"b" * size)
    reader = FrameReader(FrameLimits())
    got: list[Frame] = []
    data = memoryview(first.to_bytes() + second.to_bytes())
    while data:
        room = reader.buffer()
        count = min(len(room), len(data))
        room[:count] = data[:count]
        reader.received(count)
        data = data[count:]
        while (frame := reader.next_frame()) is not None:
            got.append(frame)

    assert [seen(frame) for frame in got] == [seen(first), seen(second)]
    assert isinstance(got[0].payload, memoryview)


def test_a_small_frame_is_not_overwritten_by_the_next() -> None:
    reader = FrameReader(LIMITS, SMALL)
    kept: list[Frame] = []
    for letter in b"abcdef":
        data = Frame(FrameType.INFER, payload=bytes([letter]) * 150).to_bytes()
        reader.buffer()[: len(data)] = data
        reader.received(len(data))
        frame = reader.next_frame()
        assert frame is not None
        kept.append(frame)

    assert [bytes(frame.payload[:1]) for frame in kept] == [b"a", b"b", b"c", b"d", b"e", b"f"]


def test_between_frames_only_when_nothing_is_half_received() -> None:
    reader = FrameReader(LIMITS, SMALL)
    data = Frame(FrameType.INFER, payload=b"x" * 1000).to_bytes()
    states = [reader.is_between_frames]
    for byte in data:
        reader.buffer()[:1] = bytes([byte])
        reader.received(1)
        reader.next_frame()
        states.append(reader.is_between_frames)

    assert states == [True] + [False] * (len(data) - 1) + [True]


def test_the_head_may_be_sent_before_its_payload() -> None:
    frame = Frame(FrameType.RESULT, 1, 2, 3, 4, b"meta", b"payload")

    assert frame.head_for(len(frame.payload)) + b"payload" == frame.to_bytes()
