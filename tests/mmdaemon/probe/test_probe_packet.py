from __future__ import annotations

import os
import socket

import pytest

from mmdaemon.probe.limit import TrialLimits
from mmdaemon.probe.packet import TrialRequest, receive_request, send_request


def test_a_request_arrives_with_its_descriptors() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    reading, writing = os.pipe()
    request = TrialRequest(3, TrialLimits(1.5, 7, 1 << 40))
    with ours, theirs:
        send_request(ours, request, reading, writing)
        received = receive_request(theirs)
        assert received is not None
        got, model, answer = received
        assert got == request
        os.write(answer, b"through the pipe")
        assert os.read(model, 99) == b"through the pipe"
        ours.close()
        assert receive_request(theirs) is None
    for descriptor in (reading, writing, model, answer):
        os.close(descriptor)


@pytest.mark.parametrize("packet", [b"not JSON", b"{}"])
def test_other_packets_are_refused(packet: bytes) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        ours.send(packet)
        with pytest.raises(ValueError, match=r"."):
            receive_request(theirs)
