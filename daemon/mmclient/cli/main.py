"""``mmctl``: finds the verb, and turns every failure into an exit status and one clear line."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import traceback
from collections.abc import Sequence

import click

from mmclient.cli.console import Console
from mmwire.errors import EXIT_BUG, EXIT_OK, ClientError, InternalError, MmError
from mmwire.spelling import nearest

VERBS = ("predict", "ls", "show", "ps", "status", "wait", "load", "unload")
_VARIABLE = "_MMCTL_COMPLETE"  # set by the scripts that click writes for shells
_SIGNAL_EXIT = 128  # + the signal's number, as a shell counts
_REMOVE = "delete the model's file from the daemon's model folder; mmctl unload takes it out of memory only"
_JOURNAL = "read the daemon's log with journalctl -u mmdaemon; a daemon that you started yourself logs to its terminal"
# Words that other tools use for what mmctl calls differently or leaves to the system.
_ADVICE = {
    **dict.fromkeys(("list", "models"), "did you mean mmctl ls?"),
    **dict.fromkeys(("run", "infer", "classify"), "did you mean mmctl predict?"),
    **dict.fromkeys(("info", "describe", "inspect", "get"), "did you mean mmctl show?"),
    **dict.fromkeys(("top", "stats"), "did you mean mmctl ps?"),
    **dict.fromkeys(("rm", "remove", "delete", "del"), _REMOVE),
    **dict.fromkeys(("log", "logs", "journal"), _JOURNAL),
    **dict.fromkeys(
        ("add", "deploy", "push", "create", "pull"), "copy the model's file into the daemon's model folder"
    ),
    **dict.fromkeys(("start", "stop", "restart"), "the system runs the daemon: systemctl restart mmdaemon"),
    "version": "did you mean mmctl --version?",
    "help": "did you mean mmctl --help?",
}


class _Verbs(click.Group):
    """Imports a verb's file only when the verb is used, so that ``mmctl ls`` starts quickly."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"mmclient.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        word = args[0]
        if word not in VERBS and not word.startswith("-"):
            near = nearest(word, VERBS)
            advice = f"did you mean mmctl {near}?" if near else f"the verbs are {', '.join(VERBS)}"
            raise click.UsageError(f"mmctl has no verb {word!r}: {_ADVICE.get(word, advice)}", ctx)
        return super().resolve_command(ctx, args)


@click.group(
    "mmctl",
    cls=_Verbs,
    subcommand_metavar="VERB ...",
    epilog="Exit status: 0 ok, 1 refused, 2 usage, 3 no daemon answers, 4 try again later, 70 a bug.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option(
    "--socket",
    type=click.Path(),
    metavar="PATH",
    help="The daemon's socket. Default: MM_SOCKET, else the first known socket that exists.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document on stdout, and errors as JSON on stderr."
)
@click.version_option(package_name="mmdaemon", message="%(prog)s %(version)s")
@click.pass_context
def command(ctx: click.Context, socket: str | None, as_json: bool) -> None:
    """Ask the daemon that serves this box's models."""
    ctx.obj = Console(socket, as_json)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status; only ``MM_DEBUG=1`` shows a traceback."""
    if _VARIABLE in os.environ:
        from mmclient.cli.completion import complete  # importing click's completion takes 10 ms

        return complete(command, _VARIABLE, os.environ[_VARIABLE])
    given = sys.argv[1:] if arguments is None else list(arguments)
    console = Console(None, "--json" in given)  # for errors only: the command line may be what is wrong
    try:
        # Not command.main(): it prints on Ctrl-C and turns a broken pipe into exit 1.
        with command.make_context("mmctl", given) as ctx:
            command.invoke(ctx)
        sys.stdout.flush()
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        return _fail_usage(error, console)
    except MmError as error:
        console.print_error(error)
        return error.exit_status
    except (KeyboardInterrupt, click.Abort):
        return _SIGNAL_EXIT + signal.SIGINT
    except BrokenPipeError:
        # The reader of our output has left. Without this, flushing what is still buffered would fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _SIGNAL_EXIT + signal.SIGPIPE
    except Exception as error:
        if os.environ.get("MM_DEBUG") == "1":
            traceback.print_exc()
        text = f"a bug in mmctl: {type(error).__name__}: {error}".splitlines()[0]
        console.print_error(InternalError("INTERNAL", text, "MM_DEBUG=1 shows where; please report it"))
        return EXIT_BUG
    return EXIT_OK


def _fail_usage(error: click.ClickException, console: Console) -> int:
    usage = ClientError("USAGE", error.format_message(), "mmctl --help and mmctl VERB --help list the options")
    if console.as_json:
        console.print_error(usage)
    else:
        error.show()
    return usage.exit_status


if __name__ == "__main__":
    sys.exit(main())
