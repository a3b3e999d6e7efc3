"""Frames as they were once sent. They load for ever: a change here is a new protocol version.

``python tests/mmwire/test_golden_frame.py`` writes the files that are missing; it never replaces one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmwire import message
from mmwire.errors import CapacityError
from mmwire.frame import FLAG_SHAPED, Frame, FrameLimits, FrameReader, FrameType
from mmwire.message import Hello, Open, Opened, ResultHead
from mmwire.tensor import SignatureSpec, TensorSpec

FOLDER = Path(__file__).with_name("golden")
PAGE = Path(__file__).parents[2] / "docs" / "protocol.md"

SPEC = SignatureSpec(
    "serving_default",
    (TensorSpec("x", "int8", (-1, 4), 0.5, -1),),
    (TensorSpec("y", "float32", (-1, 2)),),
)
FULL = CapacityError("QUEUE_FULL", "128 requests wait for 'kws'", "try again later")
SHAPES = ((2, 3), ())

GOLDEN: dict[str, bytes] = {
    "hello": message.hello(Hello("mmclient 0.1.0", 65536, 67108864)).to_bytes(),
    "open": message.open_model(1, Open("kws")).to_bytes(),
    "opened": message.opened(1, 1, Opened("kws", 3, SPEC, 0.0, 255.0)).to_bytes(),
    "infer": message.infer_head(1, 2, 4, 250_000) + b"\x01\x02\x03\x04",
    "infer_shaped": message.infer_head(2, 3, 7, 0, SHAPES) + b"abcdefg",
    "result": message.result_head(2, 1, 8, ResultHead(3, 1, 12, 44)) + bytes.fromhex("0000003f0000803f"),
    "result_shaped": message.result_head(3, 2, 7, ResultHead(3, 1, 12, 44, SHAPES)) + b"gfedcba",
    "error": message.error(4, FULL).to_bytes(),
    "cancel": message.cancel(2).to_bytes(),
    "goaway": message.goaway().to_bytes(),
    "admin": message.admin(5, "wait", {"model": "kws", "version": 3}, 10_000_000).to_bytes(),
    "admin_result": message.admin_result(5, {"name": "kws", "state": "ready", "version": 3}).to_bytes(),
}

# What today's readers make of each: (type, flags, handle, remaining, request id), meta as read, payload.
READ: dict[str, tuple[tuple[int, int, int, int, int], Callable[[Frame], Any], Any, bytes]] = {
    "hello": ((1, 0, 0, 0, 0), message.read_hello, Hello("mmclient 0.1.0", 65536, 67108864), b""),
    "open": ((2, 0, 0, 0, 1), message.read_open, Open("kws", "", 0), b""),
    "opened": ((3, 0, 1, 0, 1), message.read_opened, Opened("kws", 3, SPEC, 0.0, 255.0), b""),
    "infer": ((4, 0, 1, 250_000, 2), lambda frame: bytes(frame.meta), b"", b"\x01\x02\x03\x04"),
    "infer_shaped": (
        (4, FLAG_SHAPED, 2, 0, 3),
        lambda frame: message.unpack_shapes(frame.meta, 2),
        SHAPES,
        b"abcdefg",
    ),
    "result": (
        (5, 0, 1, 0, 2),
        lambda frame: message.read_result(frame, 1),
        ResultHead(3, 1, 12, 44),
        b"\x00\x00\x00\x3f\x00\x00\x80\x3f",
    ),
    "result_shaped": (
        (5, FLAG_SHAPED, 2, 0, 3),
        lambda frame: message.read_result(frame, 2),
        ResultHead(3, 1, 12, 44, SHAPES),
        b"gfedcba",
    ),
    "error": ((6, 0, 0, 0, 4), lambda frame: message.read_error(frame).as_dict(), FULL.as_dict(), b""),
    "cancel": ((7, 0, 0, 0, 2), lambda frame: bytes(frame.meta), b"", b""),
    "goaway": ((8, 0, 0, 0, 0), lambda frame: bytes(frame.meta), b"", b""),
    "admin": ((9, 0, 0, 10_000_000, 5), message.read_admin, ("wait", {"model": "kws", "version": 3}), b""),
    "admin_result": (
        (10, 0, 0, 0, 5),
        message.read_admin_result,
        {"name": "kws", "state": "ready", "version": 3},
        b'{"name":"kws","state":"ready","version":3}',
    ),
}


def test_every_type_and_every_file_has_its_golden_frame() -> None:
    assert {path.stem for path in FOLDER.glob("*.bin")} == set(GOLDEN) == set(READ)
    assert {content[3] for content in GOLDEN.values()} == set(FrameType)


@pytest.mark.parametrize("name", GOLDEN)
def test_the_encoders_of_now_write_exactly_the_golden_bytes(name: str) -> None:
    assert GOLDEN[name] == (FOLDER / f"{name}.bin").read_bytes()


@pytest.mark.parametrize("name", READ)
def test_the_readers_of_now_read_the_golden_bytes(name: str) -> None:
    content = (FOLDER / f"{name}.bin").read_bytes()
    reader = FrameReader(FrameLimits())
    reader.buffer()[: len(content)] = content
    reader.received(len(content))

    frame = reader.next_frame()

    assert frame is not None and reader.is_between_frames
    head, read_meta, meta, payload = READ[name]
    assert (frame.type, frame.flags, frame.handle, frame.remaining_us, frame.request_id) == head
    assert read_meta(frame) == meta
    assert bytes(frame.payload) == payload


def hexdump(content: bytes) -> str:
    """Return what ``hexdump -C`` prints."""
    lines: list[str] = []
    for start in range(0, len(content), 16):
        row = content[start : start + 16]
        left, right = row[:8].hex(" "), row[8:].hex(" ")
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"{start:08x}  {left:<23}  {right:<23}  |{text}|")
    return "\n".join([*lines, f"{len(content):08x}"])


def test_the_page_shows_the_golden_frames() -> None:
    shown = dict(re.findall(r"`golden/(\w+)\.bin`[^\n]*\n\n```\n(.*?)\n```", PAGE.read_text("utf-8"), re.DOTALL))

    assert {"hello", "open", "opened", "infer", "result", "infer_shaped", "error"} <= set(shown)
    for name, dump in shown.items():
        assert dump == hexdump((FOLDER / f"{name}.bin").read_bytes()), f"golden/{name}.bin differs from the page"


def test_the_page_names_every_type_with_its_number() -> None:
    page = PAGE.read_text("utf-8")

    for kind in FrameType:
        assert re.search(rf"^\| {kind.value} \| {kind.name} \|", page, re.MULTILINE), kind


def write_missing() -> None:
    for name, content in GOLDEN.items():
        path = FOLDER / f"{name}.bin"
        if not path.exists():
            path.write_bytes(content)


if __name__ == "__main__":
    write_missing()
