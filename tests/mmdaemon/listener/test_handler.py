"""The rules for ADMIN requests that take a while, on real sockets."""

from __future__ import annotations

from pathlib import Path

from mmdaemon.listener.handler import MAX_VERBS
from mmwire import message
from mmwire.errors import MmError
from mmwire.frame import FrameType
from mmwire.message import Open
from rig.listener import Client, SlowVerbs, error_of, rig


def fill(client: Client) -> None:
    """Open as many ADMIN requests as a connection may have, with the ids 1 and up."""
    for number in range(MAX_VERBS):
        client.send(message.admin(number + 1, "later", {}))


def test_one_connection_may_have_so_many_admin_requests_open(tmp_path: Path) -> None:
    with rig(tmp_path, verbs=SlowVerbs()) as made:
        greedy, neighbour = made.client(), made.client()
        fill(greedy)
        greedy.send(message.admin(1000, "now", {}))
        answer = greedy.read()
        error = error_of(answer)
        assert (answer.request_id, error.code, error.retryable) == (1000, "QUEUE_FULL", True)
        assert f"at most {MAX_VERBS} ADMIN requests" in error.message
        neighbour.send(message.admin(1, "now", {}))
        assert neighbour.read().type is FrameType.ADMIN_RESULT


def test_an_answer_makes_room_for_the_next_admin_request(tmp_path: Path) -> None:
    verbs = SlowVerbs()
    with rig(tmp_path, verbs=verbs) as made:
        client = made.client()
        fill(client)
        made.wait_for(lambda: len(verbs.waiting) == MAX_VERBS)
        verbs.waiting.pop(0)({"verb": "later"})
        assert client.read().request_id == 1
        client.send(message.admin(1000, "now", {}))
        assert client.read().type is FrameType.ADMIN_RESULT


def test_a_refused_admin_request_takes_no_room(tmp_path: Path) -> None:
    class Refusing(SlowVerbs):
        def start_verb(self, verb: str, *_: object) -> None:
            raise MmError("BAD_REQUEST", f"no {verb}")

    with rig(tmp_path, verbs=Refusing()) as made:
        client = made.client()
        for number in range(MAX_VERBS + 1):
            client.send(message.admin(number + 1, "later", {}))
            assert error_of(client.read()).code == "BAD_REQUEST"


def test_a_cancelled_admin_request_is_answered_and_makes_room(tmp_path: Path) -> None:
    verbs = SlowVerbs()
    with rig(tmp_path, verbs=verbs) as made:
        client = made.client()
        fill(client)
        client.send(message.cancel(7))
        answer = client.read()
        assert (answer.request_id, error_of(answer).code) == (7, "CANCELLED")
        assert len(verbs.waiting) == MAX_VERBS - 1
        client.send(message.cancel(7))  # it is not under way any more
        client.send(message.admin(1000, "now", {}))
        assert client.read().request_id == 1000


def test_an_id_that_is_under_way_is_refused(tmp_path: Path) -> None:
    with rig(tmp_path, verbs=SlowVerbs()) as made:
        client = made.client()
        client.send(message.admin(1, "later", {}))
        client.send(message.admin(1, "now", {}))
        error = error_of(client.read())
        assert (error.code, error.message) == ("BAD_REQUEST", "request 1 is under way")


def test_the_admin_requests_of_a_client_that_is_gone_end(tmp_path: Path) -> None:
    verbs = SlowVerbs()
    with rig(tmp_path, verbs=verbs) as made:
        leaver, stayer = made.client(), made.client()
        fill(leaver)
        stayer.send(message.admin(1, "later", {}))
        made.wait_for(lambda: len(verbs.waiting) == MAX_VERBS + 1)
        leaver.close()
        made.wait_for(lambda: len(verbs.waiting) == 1)
        verbs.waiting[0]({"verb": "later"})
        assert stayer.read().type is FrameType.ADMIN_RESULT


def test_a_name_of_60_kb_is_told_in_one_line(tmp_path: Path) -> None:
    with rig(tmp_path) as made:
        client = made.client()
        client.send(message.open_model(1, Open("x" * 60_000)))
        error = error_of(client.read())
        assert error.code == "MODEL_NOT_FOUND"
        assert error.message == f"'{'x' * 60}'... (60000 characters) is not a model name"
