"""One connection's shell: the turn, and output that the socket does not take at once."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator

import numpy as np
import pytest

from mmdaemon.listener.peer import Peer
from mmwire import message
from mmwire.connection import Connection, Role
from mmwire.errors import RequestError
from mmwire.frame import FrameLimits, FrameType


@pytest.fixture
def pair() -> Iterator[tuple[Peer, socket.socket, select.epoll]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    with select.epoll() as epoll, theirs:
        peer = Peer(ours, epoll, FrameLimits(), 1 << 24)
        peer.register()
        yield peer, theirs, epoll
        peer.close()


def test_a_client_that_reads_slowly_is_watched_for_output_and_then_no_more(
    pair: tuple[Peer, socket.socket, select.epoll],
) -> None:
    peer, theirs, epoll = pair
    peer.send((bytes(2 << 20),))
    assert peer.has_output and not epoll.poll(0)
    left = 2 << 20
    while left:
        left -= len(theirs.recv(1 << 20))
        while events := epoll.poll(0):
            assert events[0][1] & select.EPOLLOUT and peer.on_writable()
    assert not peer.has_output and not epoll.poll(0)


def test_a_client_with_too_much_unread_is_not_read_from(pair: tuple[Peer, socket.socket, select.epoll]) -> None:
    peer, theirs, epoll = pair
    peer.send((bytes(32 << 20),))  # more than the limit of the pair
    theirs.send(b"M")
    assert not epoll.poll(0), "its input is not wanted now"


def test_an_ending_peer_is_closed_after_its_last_byte(pair: tuple[Peer, socket.socket, select.epoll]) -> None:
    peer, theirs, epoll = pair
    peer.send((bytes(1 << 20),))
    assert peer.end(), "something is left to send"
    left = 1 << 20
    keep = True
    while left:
        left -= len(theirs.recv(1 << 20))
        while keep and epoll.poll(0):
            keep = peer.on_writable()
    assert not keep


def test_bytes_that_the_socket_does_not_take_follow_in_order(pair: tuple[Peer, socket.socket, select.epoll]) -> None:
    peer, theirs, epoll = pair
    sent = b"".join(bytes([number]) * 300_000 for number in range(8))
    for number in range(8):
        peer.send(
            (sent[number * 300_000 : number * 300_000 + 10], sent[number * 300_000 + 10 : (number + 1) * 300_000])
        )
    assert peer.has_output
    received = b""
    while len(received) < len(sent):
        try:
            received += theirs.recv(1 << 16)
        except BlockingIOError:
            assert epoll.poll(5)
            assert peer.on_writable()
    assert received == sent and not peer.has_output


def test_nothing_is_sent_after_the_peer_went(pair: tuple[Peer, socket.socket, select.epoll]) -> None:
    peer, theirs, epoll = pair
    theirs.close()
    peer.send((b"lost",))
    [(_, events)] = epoll.poll(5)
    assert events & select.EPOLLHUP


def test_a_reply_to_a_client_that_was_idle_for_long_begins_its_time_anew(
    pair: tuple[Peer, socket.socket, select.epoll],
) -> None:
    peer, _, _ = pair
    peer.last_progress = 0.0
    peer.send((bytes(2 << 20),))
    assert peer.owes_progress and peer.last_progress > 0.0


@pytest.mark.parametrize("waits", [False, True])
def test_outputs_without_values_are_sent_like_any_other(
    pair: tuple[Peer, socket.socket, select.epoll], waits: bool
) -> None:
    peer, theirs, epoll = pair
    before = 4 << 20 if waits else 0
    peer.send((bytes(before),))
    peer.send((b"head", np.zeros((0, 4), np.float32), np.ones(2, np.int8)))
    received = b""
    while len(received) < before + 6:
        while epoll.poll(0) and peer.has_output:
            assert peer.on_writable()
        received += theirs.recv(1 << 20)
    assert received[before:] == b"head\1\1"


def test_a_reply_that_meets_the_closing_is_dropped(pair: tuple[Peer, socket.socket, select.epoll]) -> None:
    peer, _, _ = pair

    class ClosesMeanwhile(Connection):
        def sending(self, kind: FrameType) -> None:
            self.close()
            super().sending(kind)

    peer.wire = ClosesMeanwhile(Role.SERVER, FrameLimits())
    peer.send_frame(message.error(1, RequestError("MODEL_NOT_FOUND", "no model")))
    assert not peer.has_output
