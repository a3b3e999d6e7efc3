"""``mmctl wait MODEL``."""

from __future__ import annotations

import re
import sys

import click

from mmclient.cli.console import Console
from mmclient.cli.option import count_option, json_option, model_argument, pass_console, timeout_option
from mmclient.cli.serving import print_model
from mmclient.client import Client
from mmclient.reach import DaemonAbsentError
from mmwire.errors import MmError

_DIGEST = re.compile(r"[0-9a-f]{6,64}\Z", re.IGNORECASE)


def _read_digest(ctx: click.Context, option: click.Parameter, text: str | None) -> str | None:
    if text is not None and not _DIGEST.match(text):
        raise click.BadParameter(f"expected 6 to 64 hexadecimal digits, the first of the file's SHA-256, got {text!r}")
    return text


def _tell_absence(client: Client) -> None:
    """Tell a person why nothing happens while no daemon is there."""
    try:
        client.status()
    except DaemonAbsentError as error:
        click.echo(f"mmctl: {error.message}; waiting for one to start", err=True)
    except MmError:
        pass  # wait() meets it again, and reports it


@click.command("wait")
@model_argument
@count_option("--version", "V", "Wait for this version.", least=1)
@click.option(
    "--sha256",
    metavar="HASH",
    callback=_read_digest,
    help="Wait for the file with this SHA-256; the first 6 digits or more are enough.",
)
@timeout_option("Give up after this long, with exit status 4, or 3 when no daemon answered.")
@json_option
@pass_console
def command(console: Console, model: str, version: int | None, sha256: str | None, timeout_s: float) -> None:
    """Wait until the newest file of MODEL serves.

    If the daemon is still starting, mmctl waits for it too. If the daemon cannot serve the file, mmctl prints the
    reason and exits with status 1.
    """
    if version is not None and sha256 is not None:
        raise click.UsageError("give --version or --sha256, not both")
    with console.client(timeout_s) as client:
        if sys.stderr.isatty():
            _tell_absence(client)
        print_model(console, client.wait(model, version, sha256))
