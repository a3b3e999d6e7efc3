from __future__ import annotations

import math

from mmdaemon.loader.doubt import Doubts
from mmwire.errors import ModelError

CLOSED = ModelError("MODEL_UNREADABLE", "Permission denied", "chmod", True)
FIFO = ModelError("MODEL_UNREADABLE", "it is a FIFO")


def test_what_may_pass_counts_after_a_while_and_the_rest_at_once() -> None:
    doubts = Doubts(0.2)
    for now in (10.0, 10.1):
        doubts.on_look({"a": CLOSED, "b": FIFO}, now)
        assert doubts.counts_from("a", CLOSED) == 10.2
        assert doubts.counts_from("b", FIFO) == -math.inf


def test_what_was_gone_for_a_look_begins_anew() -> None:
    doubts = Doubts(0.2)
    doubts.on_look({"a": CLOSED}, 10.0)
    doubts.on_look({}, 10.1)
    doubts.on_look({"a": CLOSED}, 10.15)
    assert doubts.counts_from("a", CLOSED) == 10.15 + 0.2
