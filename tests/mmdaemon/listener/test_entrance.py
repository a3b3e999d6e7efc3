from __future__ import annotations

import errno
import os
import select
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmdaemon.listener.entrance import Entrance
from mmdaemon.listener.peer import Peer
from mmwire.frame import FrameLimits
from rig.listener import error_of, rig


def test_one_connection_too_many_gets_an_error(tmp_path: Path) -> None:
    with rig(tmp_path, max_connections=2) as made:
        made.client()
        second = made.client()
        third = made.client(greet=False)
        assert error_of(third.read()).code == "TOO_MANY_CONNECTIONS"
        second.close()
        made.wait_for(lambda: made.loop.connections == 1)
        assert made.client().open() == 1


class Listening(socket.socket):
    """A listening socket for which descriptors may be short."""

    is_short = False

    def accept(self) -> tuple[socket.socket, object]:
        if self.is_short:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return super().accept()


class World:
    """An entrance before which one client waits."""

    def __init__(self, path: Path, epoll: select.epoll, listening: Listening) -> None:
        self.listening = listening
        self.epoll = epoll
        self.peers: dict[int, Peer] = {}
        listening.bind(str(path))
        listening.listen(1)
        listening.setblocking(False)
        self.entrance = Entrance(
            listening, epoll, self.peers, 1, lambda sock: Peer(sock, epoll, FrameLimits(), max_output_bytes=1)
        )
        self.entrance.open()

    @property
    def is_knocked_at(self) -> bool:
        return (self.listening.fileno(), select.EPOLLIN) in self.epoll.poll(0)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with select.epoll() as epoll, Listening(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as client:
        made = World(tmp_path / "s", epoll, listening)
        client.connect(str(tmp_path / "s"))
        yield made
        for peer in made.peers.values():
            peer.close()


def test_a_client_that_waits_is_let_in(world: World) -> None:
    assert world.is_knocked_at
    world.entrance.accept()
    assert len(world.peers) == 1 and not world.is_knocked_at


def test_without_descriptors_the_entrance_rests_until_it_is_reopened(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.listening.is_short = True
    world.entrance.accept()
    assert not world.is_knocked_at and "must wait until a descriptor is free" in caplog.text
    world.listening.is_short = False
    world.entrance.reopen()
    assert world.is_knocked_at
    world.entrance.accept()
    assert len(world.peers) == 1


def test_a_closed_entrance_stays_closed(world: World) -> None:
    world.entrance.close()
    world.entrance.reopen()
    assert not world.is_knocked_at


def test_a_client_that_comes_while_the_entrance_closes_wakes_nobody_again(world: World) -> None:
    world.entrance.close()
    world.epoll.modify(world.listening.fileno(), select.EPOLLIN)  # as a sweep under way may do
    world.entrance.accept()
    assert not world.peers and not world.is_knocked_at
