"""One connection's shell: the turn, and output that the socket does not take at once."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator

import pytest

from mmdaemon.listener.peer import Peer
from mmwire.frame import Limits


@pytest.fixture
def pair() -> Iterator[tuple[Peer, socket.socket, select.epoll]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    with select.epoll() as epoll, theirs:
        peer = Peer(ours, epoll, Limits(), 1 << 24)
        peer.register()
        yield peer, theirs, epoll
        peer.close()


def test_only_one_thread_has_the_turn(pair: tuple[Peer, socket.socket, select.epoll]) -> None:
    """A thread that sends may arm a connection whose event another thread already holds."""
    peer, theirs, epoll = pair
    theirs.send(b"M")
    assert epoll.poll(0)
    peer.send((bytes(8 << 20),))  # more than the socket takes: arms for the rest, though an event is out
    assert epoll.poll(0), "so a second thread is handed an event"
    assert peer.begin_turn(select.EPOLLIN)
    assert not peer.begin_turn(select.EPOLLIN), "and finds that the first has the turn"
    assert peer.end_turn()
    assert peer.begin_turn(select.EPOLLIN)


def test_a_closed_peer_gives_no_turn(pair: tuple[Peer, socket.socket, select.epoll]) -> None:
    peer, _, _ = pair
    peer.close()
    assert not peer.begin_turn(select.EPOLLIN)


def test_what_the_socket_does_not_take_follows_in_order(pair: tuple[Peer, socket.socket, select.epoll]) -> None:
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
            [(_, events)] = epoll.poll(5)
            assert peer.begin_turn(events)
            assert peer.end_turn()
    assert received == sent and not peer.has_output


def test_nothing_is_sent_after_the_peer_went(pair: tuple[Peer, socket.socket, select.epoll]) -> None:
    peer, theirs, epoll = pair
    theirs.close()
    peer.send((b"lost",))
    [(_, events)] = epoll.poll(5)
    assert events & select.EPOLLHUP
