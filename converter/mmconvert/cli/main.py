"""The command ``mmconvert``: chooses its form, maps failures to exit statuses, and prints errors."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

import click

from mmconvert.cli import convert, doctor, verify
from mmwire.errors import EXIT_OK, ClientError, InternalError, MmError, error_text

_FORMS = {"doctor": doctor.command, "verify": verify.command}  # a model folder of that name is ./doctor
_SIGNAL_EXIT = 128  # + the signal's number, as a shell counts


class Stopped(BaseException):
    """A signal asked this process to end; it cleans up on its way out."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status. No failure shows a traceback."""
    arguments = sys.argv[1:] if arguments is None else arguments
    before = {number: signal.signal(number, _on_signal) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        return _run(arguments)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(arguments: Sequence[str]) -> int:
    try:
        form = _FORMS.get(arguments[0]) if arguments else None
        if form is None:
            convert.command.main(list(arguments), prog_name="mmconvert", standalone_mode=False)
        else:
            form.main(list(arguments[1:]), prog_name=f"mmconvert {arguments[0]}", standalone_mode=False)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.UsageError as error:
        return _fail(ClientError("USAGE", error.format_message(), "mmconvert --help lists the options"), arguments)
    except MmError as error:
        return _fail(error, arguments)
    except (KeyboardInterrupt, click.Abort, Stopped) as stopped:
        click.echo("interrupted; mmconvert left no half-written file", err=True)
        return _SIGNAL_EXIT + (stopped.number if isinstance(stopped, Stopped) else signal.SIGINT)
    except Exception as error:
        text = f"a bug in mmconvert: {type(error).__name__}: {error}"
        return _fail(InternalError("INTERNAL", text, "please report it, with the command line"), arguments)
    return EXIT_OK


def _on_signal(number: int, frame: FrameType | None) -> NoReturn:
    raise Stopped(number)


def _fail(error: MmError, arguments: Sequence[str]) -> int:
    click.echo(error_text(error, "mmconvert", as_json="--json" in arguments), err=True)
    return error.exit_status
