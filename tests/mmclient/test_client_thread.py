from __future__ import annotations

import os
import threading

import numpy as np
import pytest

from mmclient import Client
from mmwire.frame import Frame, FrameType
from rig.fake_daemon import FakeDaemon, Peer


def test_many_threads_get_their_own_answers(daemon: FakeDaemon, client: Client) -> None:
    wrong: list[object] = []
    barrier = threading.Barrier(8)

    def work(number: int) -> None:
        barrier.wait()
        for step in range(50):
            x = np.full((1, 4), number * 1000 + step, np.float32)
            out = client.predict("double", x)["y"]
            if not np.array_equal(out, x * 2):
                wrong.append((number, step, out))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert 1 <= len(daemon.peers) <= 8


def test_close_lets_a_call_under_way_end(daemon: FakeDaemon, client: Client) -> None:
    entered, may_answer = threading.Event(), threading.Event()

    def hold(peer: Peer, frame: Frame) -> bool:
        entered.set()
        assert may_answer.wait(10)
        return False

    daemon.fault(FrameType.INFER, hold)
    answers: list[object] = []
    thread = threading.Thread(target=lambda: answers.append(client.predict("double", np.ones((1, 4)))["y"].tolist()))
    thread.start()
    assert entered.wait(10)
    client.close()
    may_answer.set()
    thread.join()
    assert answers == [[[2, 2, 2, 2]]]
    assert daemon.peers[0].ended.wait(10), "the connection was not kept"


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # fork beside threads, on purpose
def test_fork_takes_a_connection_of_its_own(daemon: FakeDaemon, client: Client) -> None:
    x = np.ones((1, 4), np.float32)
    client.predict("double", x)
    stream = client.predict_many("double", (row for row in np.ones((50, 4), np.float32)))
    next(stream)
    peers = len(daemon.peers)
    child = os.fork()
    if child == 0:
        try:
            ours = client.predict("double", x * 3)["y"].tolist() == [[6, 6, 6, 6]]
            rest = [out["y"].tolist() for out in stream] == [[2, 2, 2, 2]] * 49
            client.close()
            os._exit(0 if ours and rest else 1)
        finally:
            os._exit(2)
    # The parent goes on at the same time, on the connections that it had.
    assert client.predict("double", x)["y"].tolist() == [[2, 2, 2, 2]]
    assert [out["y"].tolist() for out in stream] == [[2, 2, 2, 2]] * 49
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(daemon.peers) > peers
