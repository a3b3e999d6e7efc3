"""``mmctl``: finds the verb, and turns whatever happens into an exit status and one clear line."""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Sequence

import click

from mmclient.cli.session import Session
from mmwire.errors import EXIT_BUG, EXIT_OK, ClientError, InternalError, MmError

VERBS = ("predict", "ls", "show", "ps", "status", "wait", "load", "unload")
VARIABLE = "_MMCTL_COMPLETE"  # set by the scripts that click writes for shells
_SIGNAL_EXIT = 128  # + the signal's number, as a shell counts


class _Verbs(click.Group):
    """Imports a verb's file when the verb is used: ``mmctl ls`` pays for nothing else."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"mmclient.cli.{cmd_name}").command
        return command


@click.group(
    "mmctl",
    cls=_Verbs,
    epilog="Exit: 0 ok, 1 refused, 2 usage, 3 daemon unreachable, 4 try again later, 70 a bug.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option(
    "--socket", metavar="PATH", help="The daemon's socket. Default: MM_SOCKET, else the first known one that exists."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout; errors as JSON on stderr.")
@click.version_option(package_name="mmdaemon", message="%(prog)s %(version)s")
@click.pass_context
def command(ctx: click.Context, socket: str | None, as_json: bool) -> None:
    """Ask the daemon that serves the models of this box."""
    ctx.obj = Session(socket, as_json)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status; no failure shows a traceback (``MM_DEBUG=1`` does)."""
    if VARIABLE in os.environ:
        from mmclient.cli.completion import complete  # click's part of it takes 10 ms to import

        return complete(command, os.environ[VARIABLE])
    given = sys.argv[1:] if arguments is None else list(arguments)
    as_json = "--json" in given
    try:
        # Not command.main(): it prints on Ctrl-C and turns a broken pipe into exit 1.
        with command.make_context("mmctl", given) as ctx:
            command.invoke(ctx)
        sys.stdout.flush()
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        return _fail_usage(error, as_json)
    except MmError as error:
        return _fail(error, as_json)
    except (KeyboardInterrupt, click.Abort):
        return _SIGNAL_EXIT + signal.SIGINT
    except BrokenPipeError:
        # Whoever read our output has enough; what is still buffered must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _SIGNAL_EXIT + signal.SIGPIPE
    except Exception as error:
        if os.environ.get("MM_DEBUG") == "1":
            traceback.print_exc()
        text = f"a bug in mmctl: {type(error).__name__}: {error}".splitlines()[0]
        _fail(InternalError("INTERNAL", text, "MM_DEBUG=1 shows where; please report it"), as_json)
        return EXIT_BUG
    return EXIT_OK


def _fail(error: MmError, as_json: bool) -> int:
    if as_json:
        click.echo(json.dumps({"error": error.as_dict()}, ensure_ascii=False), err=True)
    else:
        click.echo(f"mmctl: {error.message}", err=True)
        if error.hint:
            click.echo(f"hint: {error.hint}", err=True)
    return error.exit_status


def _fail_usage(error: click.ClickException, as_json: bool) -> int:
    usage = ClientError("USAGE", error.format_message(), "mmctl --help and mmctl VERB --help tell the options")
    if as_json:
        return _fail(usage, as_json)
    error.show()
    return usage.exit_status


if __name__ == "__main__":
    sys.exit(main())
