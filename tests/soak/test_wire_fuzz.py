"""Damaged frames for as long as one likes: against the parser, and against a daemon that must go on answering.

``MM_SOAK=1`` runs it, ``MM_SOAK_S`` says for how many seconds each, ``MM_SOAK_SEED`` repeats a run.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mmwire import message
from mmwire.connection import Connection, Role
from mmwire.errors import RemoteWireError
from mmwire.frame import Frame, FrameLimits, FrameType
from mmwire.message import Hello, Open
from rig.waiting import wait_for

SOAK_S = float(os.environ.get("MM_SOAK_S") or 30)
SEED = int(os.environ.get("MM_SOAK_SEED") or time.time_ns() % 10**9)
LIMITS = FrameLimits(4096, 65536)
GREETING = message.hello(Hello("soak", LIMITS.max_meta_bytes, LIMITS.max_payload_bytes)).to_bytes()
GOLDEN = [path.read_bytes() for path in sorted((Path(__file__).parents[1] / "mmwire" / "golden").glob("*.bin"))]
READERS = (
    message.read_hello,
    message.read_open,
    message.read_opened,
    message.read_error,
    message.read_admin,
    message.read_admin_result,
    lambda frame: message.read_result(frame, 2),
    lambda frame: message.unpack_shapes(frame.meta, 2),
)

pytestmark = [
    pytest.mark.skipif(not os.environ.get("MM_SOAK"), reason="a long one: make test-soak"),
    pytest.mark.timeout(SOAK_S + 120),
]


def damaged(chance: random.Random) -> bytes:
    """Return a few golden frames, most of them hurt somewhere."""
    stream = bytearray(GREETING if chance.random() < 0.9 else b"")
    for _ in range(chance.randint(1, 6)):
        frame = bytearray(chance.choice(GOLDEN))
        if chance.random() < 0.3:
            frame[24:32] = chance.choice((bytes(8), b"\xff" * 8, b"\x01\0\0\0\0\0\x01\0", b"\0\0\0\0\0\x80\0\0"))
        for _ in range(chance.choice((0, 0, 1, 1, 2, 8))):
            frame[chance.randrange(len(frame))] = chance.choice((0, 1, 0x22, 0x7B, 0xFF, chance.randrange(256)))
        if chance.random() < 0.1:
            del frame[chance.randrange(len(frame)) :]
        stream += frame
    return bytes(stream)


def outcome(data: bytes, chance: random.Random | None, role: Role) -> tuple[list[Frame], str]:
    """Return the frames of a stream and the code that ended it; in random pieces, or byte at a time."""
    end = Connection(role, LIMITS)
    frames: list[Frame] = []
    position = 0
    while position < len(data):
        room = end.buffer()
        size = 1 if chance is None else chance.choice((1, 31, 32, 33, 1000, len(data)))
        piece = data[position : position + min(size, len(room))]
        room[: len(piece)] = piece
        end.received(len(piece))
        position += len(piece)
        try:
            while (frame := end.next_frame()) is not None:
                frames.append(frame)
        except RemoteWireError as error:
            return frames, error.code
    return frames, ""


def test_the_parser_and_every_reader() -> None:
    chance = random.Random(SEED)
    rounds = read = 0
    until = time.monotonic() + SOAK_S
    while time.monotonic() < until:
        data, role = damaged(chance), chance.choice(tuple(Role))
        frames, code = outcome(data, chance, role)
        assert (frames, code) == outcome(data, None, role), f"MM_SOAK_SEED={SEED}"
        for frame in frames:
            for reader in READERS:
                try:
                    reader(frame)
                    read += 1
                except RemoteWireError:
                    continue
        rounds += 1

    assert rounds > 100
    assert read


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Path]:
    """Run a daemon on an empty folder; give its socket; it must still be there at the end, and stop when told."""
    models, path = tmp_path / "models", tmp_path / "mm.sock"
    models.mkdir()
    log = tmp_path / "log"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "mmdaemon", "--models", models, "--store", tmp_path / "store", "--socket", path],
            stderr=stderr,
        )
    try:
        wait_for("the daemon listens, or has ended", lambda: path.exists() or process.poll() is not None)
        assert process.poll() is None, f"the daemon did not start: {log.read_text()}"
        yield path
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0, log.read_text()
        assert "Traceback" not in log.read_text()
    finally:
        process.kill()
        process.wait()


def connect(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(10)
    sock.connect(os.fspath(path))
    return sock


def ask(path: Path) -> list[Frame]:
    """Return the answers to a clean conversation: HELLO, a refused OPEN, the status."""
    frames: list[Frame] = []
    with closing(connect(path)) as sock:
        wire = Connection(Role.CLIENT, FrameLimits())
        requests = (message.open_model(1, Open("none")), message.admin(2, "status", {}))
        sock.sendall(GREETING + b"".join(request.to_bytes() for request in requests))
        while len(frames) < 3:
            data = sock.recv(65536)
            assert data, "the daemon hung up on a client that did nothing wrong"
            frames += wire.feed(data)
    return frames


def test_a_daemon_goes_on_answering(daemon: Path) -> None:
    chance = random.Random(SEED)
    until = time.monotonic() + SOAK_S
    rounds = 0
    while time.monotonic() < until:
        strangers = [connect(daemon) for _ in range(8)]
        for stranger in strangers:
            try:
                stranger.sendall(damaged(chance))
                if chance.random() < 0.3:
                    stranger.shutdown(socket.SHUT_WR)
            except (BrokenPipeError, ConnectionResetError):
                continue
        answers = {frame.type: frame for frame in ask(daemon)}
        assert set(answers) == {FrameType.HELLO, FrameType.ERROR, FrameType.ADMIN_RESULT}, f"MM_SOAK_SEED={SEED}"
        assert message.read_error(answers[FrameType.ERROR]).code == "MODEL_NOT_FOUND"
        assert message.read_admin_result(answers[FrameType.ADMIN_RESULT])["state"] == "ready"
        for stranger in strangers:
            stranger.close()
        rounds += 1

    assert rounds
