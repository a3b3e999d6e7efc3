"""Waiting for a model is waiting for its daemon too."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from mmclient import Client
from mmclient.cli.main import main
from mmwire.errors import ClientError
from rig.fake_daemon import FakeDaemon


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "late.sock"


@pytest.fixture
def on_pause(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], list[float]]:
    """Do something when the client pauses for the first time, and note how long its pauses are."""
    pauses: list[float] = []
    real_sleep = time.sleep

    def set_up(act: Callable[[], object]) -> list[float]:
        def sleep(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 1:
                act()
            real_sleep(seconds)

        monkeypatch.setattr("mmclient.retry.time.sleep", sleep)
        return pauses

    return set_up


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def leave_dead_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))


@pytest.mark.parametrize("is_left", [False, True], ids=["no socket", "a dead daemon's socket"])
def test_wait_waits_for_a_daemon_that_starts_later(
    place: Path, stack: ExitStack, on_pause: Callable[..., list[float]], is_left: bool
) -> None:
    if is_left:
        leave_dead_socket(place)
    pauses = on_pause(lambda: stack.enter_context(FakeDaemon(place)))
    with Client(place, timeout=30) as client:
        assert client.wait("double")["state"] == "ready"
    assert pauses and max(pauses) <= 0.25


def test_the_verb_waits_where_no_known_socket_exists_yet(
    place: Path,
    stack: ExitStack,
    on_pause: Callable[..., list[float]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("mmclient.address.candidates", lambda: [str(place)])
    on_pause(lambda: stack.enter_context(FakeDaemon(place)))
    assert main(["wait", "double"]) == 0
    assert capsys.readouterr().out == "double version 1: ready\n"


def test_a_person_is_told_that_the_daemon_is_awaited(
    place: Path,
    stack: ExitStack,
    on_pause: Callable[..., list[float]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    on_pause(lambda: stack.enter_context(FakeDaemon(place)))
    for told in (f"mmctl: no daemon answers: there is no socket {place}; waiting for one to start\n", ""):
        assert main(["--socket", str(place), "wait", "double"]) == 0
        assert capsys.readouterr().err == told


def test_no_daemon_until_the_timeout_is_unreachable(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--socket", str(place), "wait", "double", "--timeout", "0.3"]) == 3
    assert "no daemon answers" in capsys.readouterr().err


@pytest.mark.parametrize("call", [Client.models, Client.status, lambda client: client.load("double")])
def test_other_calls_do_not_wait_for_a_daemon(
    place: Path, on_pause: Callable[..., list[float]], call: Callable[[Client], object]
) -> None:
    pauses = on_pause(lambda: None)
    with Client(place) as client, pytest.raises(ClientError, match="no daemon answers"):
        call(client)
    assert pauses == []


def test_a_path_that_no_socket_can_have_is_not_waited_for(on_pause: Callable[..., list[float]]) -> None:
    pauses = on_pause(lambda: None)
    with Client("/" + "x" * 200) as client, pytest.raises(ClientError, match="at most 107 bytes"):
        client.wait("double")
    assert pauses == []
