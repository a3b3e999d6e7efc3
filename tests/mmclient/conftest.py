from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mmclient import Client
from mmclient.cli.main import main
from rig.fake_daemon import FakeDaemon


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[FakeDaemon]:
    with FakeDaemon(tmp_path / "mm.sock") as fake:
        yield fake


@pytest.fixture
def client(daemon: FakeDaemon) -> Iterator[Client]:
    with Client(daemon.path, timeout=10) as made:
        yield made


@pytest.fixture(autouse=True)
def no_ambient_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MM_SOCKET", raising=False)
    monkeypatch.delenv("MM_DEBUG", raising=False)


@pytest.fixture
def ctl(daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run mmctl in this process; give its status, stdout and stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        status = main(["--socket", daemon.path, *arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run
