from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwire import message
from mmwire.errors import CODES, FAMILIES, CapacityError, InternalError, MmError, RemoteWireError, RequestError
from mmwire.frame import FLAG_SHAPED, HEADER, HEADER_BYTES, REMAINING_MAX_US, Frame, FrameLimits, FrameReader, FrameType
from mmwire.message import Hello, Open, Opened, ResultHead
from mmwire.tensor import DTYPE_BYTES, Shape, SignatureSpec, TensorSpec

FUZZ = settings(deadline=None, derandomize=True, max_examples=200)

u32 = st.integers(0, 2**32 - 1)
u64 = st.integers(0, 2**64 - 1)
floats = st.floats(allow_nan=False, allow_infinity=False)
shapes = st.lists(u32, max_size=8).map(tuple)
tensors = st.builds(
    TensorSpec,
    st.text(max_size=20),
    st.sampled_from(sorted(DTYPE_BYTES)),
    st.lists(st.integers(-1, 2**31), max_size=6).map(tuple),
    floats.filter(bool),
    st.integers(-(2**31), 2**31),
)
signatures = st.builds(
    SignatureSpec,
    st.text(max_size=20),
    st.lists(tensors, max_size=3).map(tuple),
    st.lists(tensors, max_size=3).map(tuple),
)
failures = st.builds(
    lambda code, text, hint, retry: next(cls for cls in FAMILIES if code in cls.family)(code, text, hint, retry),
    st.sampled_from(sorted(CODES)),
    st.text(max_size=200),
    st.text(max_size=200),
    st.booleans(),
)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
# JSON objects whose keys the readers know, so that they get past the first check.
_KEYS = [
    "software",
    "max_meta_bytes",
    "max_payload_bytes",
    "model",
    "signature",
    "version",
    "verb",
    "arguments",
    "code",
    "message",
    "hint",
    "retryable",
    "image",
    "mean",
    "scale",
    "inputs",
    "outputs",
    "name",
    "dtype",
    "shape",
    "quantization",
    "zero_point",
]
near_misses: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.sampled_from([0, 1, -1, True, 10**400, 1e308, math.inf, math.nan, "", "a", "int8", "9" * 5000, "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=8),
    max_leaves=25,
)
metas = st.one_of(
    st.binary(max_size=100),
    near_misses.map(lambda value: json.dumps(value).encode()),
    st.sampled_from(["utf-16", "utf-32", "utf-8-sig"]).map('{"model":"a"}'.encode),
    st.just(b"[" * 50_000),
    st.just(b'{"version":' + b"9" * 5000 + b"}"),
)

READERS: dict[str, Callable[[Frame], Any]] = {
    "hello": message.read_hello,
    "open": message.read_open,
    "opened": message.read_opened,
    "result": lambda frame: message.read_result(frame, 2),
    "error": message.read_error,
    "admin": message.read_admin,
    "admin_result": message.read_admin_result,
    "json": message.read_json,
    "shapes": lambda frame: message.unpack_shapes(frame.meta, 2),
}


def over_the_wire(data: bytes) -> Frame:
    reader = FrameReader(FrameLimits())
    reader.buffer()[: len(data)] = data
    reader.received(len(data))
    frame = reader.next_frame()
    assert frame is not None and reader.is_between_frames
    return frame


@pytest.mark.parametrize("reader", READERS)
@FUZZ
@given(metas, st.integers(0, 0xFFFF))
def test_whatever_the_meta_only_a_typed_error_escapes(reader: str, meta: bytes, flags: int) -> None:
    for body in (meta, memoryview(meta)):
        try:
            READERS[reader](Frame(FrameType.OPENED, flags, meta=body, payload=body))
        except RemoteWireError as error:
            assert error.code == "BAD_FRAME"
            assert len(error.message) < 10_000


@pytest.mark.parametrize("depth", [500, 900, 980, 990, 995, 1000])
@pytest.mark.parametrize("key", ["name", "dtype", "shape"])
def test_nesting_as_deep_as_json_allows(key: str, depth: int) -> None:
    spec = {"name": "x", "dtype": "int8", "shape": [1]} | {key: 0}
    fields = json.dumps({"model": "m", "version": 1, "signature": "s", "inputs": [spec], "outputs": []})
    meta = fields.replace(f'"{key}": 0', f'"{key}": {"[" * depth}{"]" * depth}').encode()

    with pytest.raises(RemoteWireError):
        message.read_opened(Frame(FrameType.OPENED, meta=meta))


@pytest.mark.parametrize("key", ["mean", "scale"])
def test_a_number_that_no_float_holds(key: str) -> None:
    frame = message.opened(1, 1, Opened("kws", 1, SignatureSpec("s", (), ()), 7.0, 7.0))
    frame.meta = bytes(frame.meta).replace(f'"{key}":7.0'.encode(), f'"{key}":1{"0" * 400}'.encode())

    with pytest.raises(RemoteWireError, match=key):
        message.read_opened(frame)


@FUZZ
@given(st.builds(Hello, st.text(max_size=30), u64, u64))
def test_hello_round_trip(sent: Hello) -> None:
    assert message.read_hello(over_the_wire(message.hello(sent).to_bytes())) == sent


@FUZZ
@given(u64, st.builds(Open, st.text(max_size=30), st.text(max_size=30), u64))
def test_open_round_trip(request_id: int, sent: Open) -> None:
    frame = over_the_wire(message.open_model(request_id, sent).to_bytes())

    assert (frame.request_id, message.read_open(frame)) == (request_id, sent)


@FUZZ
@given(u64, u32, st.builds(Opened, st.text(max_size=30), u64, signatures, floats, floats))
def test_opened_round_trip(request_id: int, handle: int, sent: Opened) -> None:
    frame = over_the_wire(message.opened(request_id, handle, sent).to_bytes())

    assert (frame.request_id, frame.handle, message.read_opened(frame)) == (request_id, handle, sent)


@FUZZ
@given(u32, u64, u32, st.none() | st.lists(shapes, max_size=4), st.binary(max_size=50))
def test_infer_round_trip(handle: int, request_id: int, wait: int, sent: list[Shape] | None, payload: bytes) -> None:
    head = message.infer_head(handle, request_id, len(payload), wait, sent)
    frame = over_the_wire(head + payload)

    assert (frame.type, frame.handle, frame.request_id, frame.remaining_us, frame.payload) == (
        FrameType.INFER,
        handle,
        request_id,
        wait,
        payload,
    )
    if sent is None:
        assert not frame.flags & FLAG_SHAPED and not frame.meta
    else:
        assert frame.flags & FLAG_SHAPED
        assert message.unpack_shapes(frame.meta, len(sent)) == tuple(sent)


@FUZZ
@given(
    u64,
    u32,
    st.builds(ResultHead, u64, u32, u32, u32, st.none() | st.lists(shapes, max_size=4).map(tuple)),
    st.binary(max_size=50),
)
def test_result_round_trip(request_id: int, handle: int, sent: ResultHead, payload: bytes) -> None:
    frame = over_the_wire(message.result_head(request_id, handle, len(payload), sent) + payload)

    assert (frame.type, frame.handle, frame.request_id, frame.payload) == (
        FrameType.RESULT,
        handle,
        request_id,
        payload,
    )
    assert message.read_result(frame, len(sent.shapes or ())) == sent


def test_times_that_pass_32_bits_are_clipped_not_a_crash() -> None:
    hours_us = 3 * 3600 * 1_000_000
    frame = over_the_wire(message.result_head(1, 1, 0, ResultHead(1, 1, hours_us, hours_us)))

    assert message.read_result(frame, 0) == ResultHead(1, 1, 2**32 - 1, 2**32 - 1)


@FUZZ
@given(u64, failures)
def test_error_round_trip(request_id: int, sent: MmError) -> None:
    frame = over_the_wire(message.error(request_id, sent).to_bytes())
    got = message.read_error(frame)

    assert frame.request_id == request_id
    assert (type(got), got.as_dict()) == (type(sent), sent.as_dict())


@pytest.mark.parametrize("letter", ["a", "é", "\U0001f600"])
def test_an_error_fits_the_default_limits_however_long_its_texts(letter: str) -> None:
    frame = message.error(1, RequestError("BAD_REQUEST", letter * 100_000, letter * 100_000))

    assert len(frame.meta) <= FrameLimits().max_meta_bytes
    assert message.read_error(frame).message.startswith(letter * 1000)


def test_an_error_that_is_retryable_only_here_says_so() -> None:
    frame = message.error(1, InternalError("INTERNAL", "a bug", retryable=True))

    assert message.read_error(frame).retryable


@FUZZ
@given(u64, st.text(max_size=20), u32, st.dictionaries(st.text(max_size=10), st.text(max_size=10) | u64))
def test_admin_round_trip(request_id: int, verb: str, wait_us: int, arguments: dict[str, Any]) -> None:
    frame = over_the_wire(message.admin(request_id, verb, arguments, wait_us).to_bytes())

    assert (frame.request_id, frame.remaining_us) == (request_id, wait_us)
    assert message.read_admin(frame) == (verb, arguments)


@FUZZ
@given(u64, st.dictionaries(st.text(max_size=10), st.text(max_size=10) | floats | st.none()))
def test_admin_result_round_trip(request_id: int, document: dict[str, Any]) -> None:
    frame = over_the_wire(message.admin_result(request_id, document).to_bytes())

    assert (frame.request_id, frame.meta) == (request_id, b"")
    assert message.read_admin_result(frame) == document


@pytest.mark.parametrize("build", [lambda: message.cancel(9), message.goaway])
def test_bare_frames_are_a_header(build: Callable[[], Frame]) -> None:
    assert len(build().to_bytes()) == HEADER_BYTES


def test_nan_never_gets_into_a_document() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        message.admin_result(1, {"mean": math.nan})


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (None, 0),
        (0.0, 1),
        (-5.0, 1),
        (1e-9, 1),
        (0.25, 250_000),
        (4294.0, 4_294_000_000),
        (5000.0, REMAINING_MAX_US),
        (math.inf, REMAINING_MAX_US),
    ],
)
def test_remaining_time(seconds: float | None, expected: int) -> None:
    assert message.remaining_us(seconds) == expected


@pytest.mark.parametrize(
    ("meta", "tensors_named"),
    [
        (b"", 1),
        (b"\x01", 1),
        (b"\x01\x00\x00\x00", 1),
        (b"\x09" + bytes(36), 1),
        (b"\xff" * 2000, 1),
        (b"\x00\x00", 1),
        (b"\x00", 0),
    ],
)
def test_shapes_that_are_cut_short_too_long_or_too_deep(meta: bytes, tensors_named: int) -> None:
    with pytest.raises(RemoteWireError) as caught:
        message.unpack_shapes(meta, tensors_named)

    assert caught.value.code == "BAD_FRAME"


@pytest.mark.parametrize("cut", range(20))
def test_a_result_whose_meta_is_cut_short(cut: int) -> None:
    with pytest.raises(RemoteWireError):
        message.read_result(Frame(FrameType.RESULT, meta=struct.pack("<QIII", 1, 1, 1, 1)[:cut]), 1)


def test_a_field_that_a_newer_peer_added_is_ignored() -> None:
    meta = b'{"software":"x","max_meta_bytes":1,"max_payload_bytes":2,"moons":[1]}'

    assert message.read_hello(Frame(FrameType.HELLO, meta=meta)) == Hello("x", 1, 2)


def test_absent_fields_that_may_be_absent() -> None:
    assert message.read_open(Frame(FrameType.OPEN, meta=b'{"model":"kws"}')) == Open("kws", "", 0)
    assert message.read_admin(Frame(FrameType.ADMIN, meta=b'{"verb":"ls"}')) == ("ls", {})


def test_a_bool_is_not_a_number() -> None:
    with pytest.raises(RemoteWireError):
        message.read_open(Frame(FrameType.OPEN, meta=b'{"model":"kws","version":true}'))


def test_capacity_errors_are_retryable_on_the_wire() -> None:
    fields = json.loads(bytes(message.error(1, CapacityError("QUEUE_FULL", "12 wait")).meta))

    assert fields == {"code": "QUEUE_FULL", "message": "12 wait", "hint": "", "retryable": True}


def test_the_header_carries_the_payload_length_of_what_follows() -> None:
    assert HEADER.unpack(message.infer_head(1, 2, 490, 3))[-1] == 490
