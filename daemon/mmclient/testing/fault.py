"""Faults: what happens to a request instead of an answer."""

from __future__ import annotations

from collections.abc import Callable

from mmclient.testing.peer import Peer
from mmwire import message
from mmwire.errors import MmError
from mmwire.frame import Frame

# Does something with a frame; returns True when the daemon must not handle it as usual.
Fault = Callable[[Peer, Frame], bool]


def drop(peer: Peer, frame: Frame) -> bool:
    """Break the connection instead of answering."""
    peer.drop()
    return True


def ignore(peer: Peer, frame: Frame) -> bool:
    """Never answer."""
    return True


def refuse(error: MmError) -> Fault:
    """Return the fault that answers with this error."""

    def fault(peer: Peer, frame: Frame) -> bool:
        peer.send(message.error(frame.request_id, error))
        return True

    return fault
