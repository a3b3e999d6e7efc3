"""Where the log goes, as a process of its own sees it."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mmdaemon.log.journal import JOURNAL_SOCKET
from mmdaemon.log.logger import about
from mmwire.errors import CapacityError

SAY = """
import logging, os, sys
from pathlib import Path
from mmdaemon.log.logger import LOG, about, log_handler
LOG.addHandler(log_handler(os.environ, Path(sys.argv[1])))
LOG.setLevel("INFO")
LOG.info("kws version 1 serves", extra=about("kws", 1))
LOG.debug("not said")
"""


def said(journal: Path, is_under_systemd: bool) -> str:
    """Run ``SAY``; return what came on stderr, which is a socket as under systemd."""
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            status = os.fstat(theirs.fileno())
            environment = {**os.environ, "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
            if not is_under_systemd:
                del environment["JOURNAL_STREAM"]
            command = [sys.executable, "-c", SAY, str(journal)]
            subprocess.run(command, stderr=theirs, env=environment, check=True, timeout=60)
        return ours.makefile().read()


def test_a_terminal_gets_the_time_and_the_level(tmp_path: Path) -> None:
    assert re.fullmatch(r"\d\d:\d\d:\d\d INFO    kws version 1 serves\n", said(tmp_path / "none", False))


def test_stderr_gets_priorities_where_there_is_no_journal(tmp_path: Path) -> None:
    assert said(tmp_path / "none", True) == "<6>kws version 1 serves\n"


def test_the_journal_gets_fields_and_stderr_nothing(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(tmp_path / "journal"))
        journal.settimeout(10)
        assert said(tmp_path / "journal", True) == ""
        lines = journal.recv(65536).split(b"\n")
    assert {b"MESSAGE=kws version 1 serves", b"MODEL=kws", b"VERSION=1", b"PRIORITY=6"} <= set(lines)


@pytest.mark.parametrize(
    ("error", "code"), [(CapacityError("QUEUE_FULL", "full"), "QUEUE_FULL"), (KeyError("x"), "INTERNAL")]
)
def test_an_error_is_told_by_its_code(error: Exception, code: str) -> None:
    assert about(error=error) == {"about": {"ERROR_CODE": code}}


def test_a_request_numbered_zero_is_a_request() -> None:
    assert about("kws", request=0) == {"about": {"MODEL": "kws", "REQUEST": 0}}


def test_a_refused_start_is_an_error_with_its_code(tmp_path: Path) -> None:
    """In the journal's stream; where the box has a journal, it went there instead."""
    bad = tmp_path / "bad.toml"
    bad.write_text("[limits]\nmax_conections = 5\n")
    command = [sys.executable, "-m", "mmdaemon", "--config", str(bad), "--check"]
    plain = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert plain.returncode == 2
    message, hint = plain.stderr.removeprefix("mmdaemon: ").split("hint: ")
    with (tmp_path / "stream").open("w+") as stream:
        status = os.fstat(stream.fileno())
        environment = {**os.environ, "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        assert subprocess.run(command, stderr=stream, env=environment, timeout=60).returncode == 2
        stream.seek(0)
        heard = stream.read()
    if not JOURNAL_SOCKET.is_socket():
        assert heard.startswith("<3>")
        assert message.strip() in heard and heard.count(hint.strip()) == 1
