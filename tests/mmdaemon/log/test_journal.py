"""What the journal is sent: to a real datagram socket in the place of its own, and to the stream on stderr."""

from __future__ import annotations

import io
import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmdaemon.log.journal import JournalHandler, PriorityFormatter, entry, leads_to_journal, priority
from mmdaemon.log.logger import about
from mmwire.errors import ModelError


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(str(tmp_path / "journal"))
        made.settimeout(10)
        yield made


@pytest.fixture
def stderr() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def log(tmp_path: Path, stderr: io.StringIO) -> Iterator[logging.Logger]:
    """A logger that writes to the journal, or else to ``stderr``."""
    stream = logging.StreamHandler(stderr)
    stream.setFormatter(PriorityFormatter("%(message)s"))
    handler = JournalHandler(tmp_path / "journal", stream)
    made = logging.Logger("test")
    made.addHandler(handler)
    yield made
    handler.close()


def parsed(data: bytes) -> dict[str, str]:
    """Read an entry as journald does; see https://systemd.io/JOURNAL_NATIVE_PROTOCOL/."""
    fields: dict[str, str] = {}
    while data:
        head, _, data = data.partition(b"\n")
        name, equals, text = head.partition(b"=")
        if not equals:
            length = int.from_bytes(data[:8], "little")
            text, end, data = data[8 : 8 + length], data[8 + length : 9 + length], data[9 + length :]
            assert end == b"\n"
        assert name.isupper()
        assert name.decode() not in fields
        fields[name.decode()] = text.decode()
    return fields


def test_an_entry_says_what_it_is_about(log: logging.Logger, journal: socket.socket) -> None:
    error = ModelError("MODEL_INVALID", "no flatbuffer")
    log.warning("%s version %d is quarantined: %s", "kws", 3, error, extra=about("kws", 3, 17, error))
    fields = parsed(journal.recv(65536))
    assert {name: fields[name] for name in ("MODEL", "VERSION", "REQUEST", "ERROR_CODE", "PRIORITY")} == {
        "MODEL": "kws",
        "VERSION": "3",
        "REQUEST": "17",
        "ERROR_CODE": "MODEL_INVALID",
        "PRIORITY": "4",
    }
    assert fields["MESSAGE"] == "kws version 3 is quarantined: no flatbuffer"
    assert fields["SYSLOG_IDENTIFIER"] == "mmdaemon"
    assert fields["CODE_FILE"] == __file__


def test_a_line_without_a_subject_has_no_fields(log: logging.Logger, journal: socket.socket) -> None:
    log.error("stopped", extra=about())
    fields = parsed(journal.recv(65536))
    assert fields["PRIORITY"] == "3"
    assert not {"MODEL", "VERSION", "REQUEST", "ERROR_CODE"} & set(fields)


def test_a_traceback_is_one_entry(log: logging.Logger, journal: socket.socket) -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError as error:
        log.error("bug while testing", exc_info=error)
    message = parsed(journal.recv(65536))["MESSAGE"]
    assert message.startswith("bug while testing\nTraceback")
    assert message.endswith("first\nsecond")


def test_no_text_makes_a_field_of_its_own() -> None:
    hostile = "a\nMESSAGE=forged\n\ud800 \x00"
    assert parsed(entry({"MODEL": hostile, "VERSION": 1})) == {
        "MODEL": hostile.replace("\ud800", "\\ud800"),
        "VERSION": "1",
    }


def test_an_entry_that_is_too_large_goes_to_stderr(
    log: logging.Logger, journal: socket.socket, stderr: io.StringIO
) -> None:
    log.error("x" * 10_000_000)
    assert stderr.getvalue() == "<3>" + "x" * 10_000_000 + "\n"


def test_a_journal_that_does_not_read_delays_no_thread(
    log: logging.Logger, journal: socket.socket, stderr: io.StringIO
) -> None:
    count = 0
    while not stderr.getvalue():
        count += 1
        log.info("line %d", count)
    assert stderr.getvalue() == f"<6>line {count}\n"
    assert [parsed(journal.recv(65536))["MESSAGE"] for _ in range(count - 1)] == [f"line {n}" for n in range(1, count)]


def test_without_a_journal_priorities_go_to_stderr(log: logging.Logger, stderr: io.StringIO) -> None:
    log.warning("one\ntwo", extra=about("kws"))
    assert stderr.getvalue() == "<4>one\n<4>two\n"


@pytest.mark.parametrize(
    ("level", "expected"),
    [(logging.CRITICAL, 2), (logging.ERROR, 3), (35, 4), (logging.WARNING, 4), (logging.INFO, 6), (10, 7), (1, 7)],
)
def test_priorities_are_those_of_syslog(level: int, expected: int) -> None:
    assert priority(level) == expected


def test_only_the_stream_that_systemd_made_leads_to_the_journal(tmp_path: Path) -> None:
    with (tmp_path / "stream").open("wb") as stream, (tmp_path / "file").open("wb") as file:
        status = os.fstat(stream.fileno())
        environment = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        assert leads_to_journal(stream.fileno(), environment)
        assert not leads_to_journal(file.fileno(), environment)
        assert not leads_to_journal(stream.fileno(), {})
        assert not leads_to_journal(stream.fileno(), {"JOURNAL_STREAM": "soon"})
    assert not leads_to_journal(-1, environment)
