"""``mmctl load MODEL``."""

from __future__ import annotations

import click

from mmclient.cli.console import Console
from mmclient.cli.option import json_option, model_argument, pass_console, timeout_option
from mmclient.cli.serving import print_model


@click.command("load")
@model_argument
@timeout_option("Give up after this long, with exit status 4.")
@json_option
@pass_console
def command(console: Console, model: str, timeout_s: float) -> None:
    """Serve MODEL again after unload, or retry a file that was refused.

    mmctl returns once the model serves. If the daemon cannot serve it, mmctl prints the reason and exits with status 1.
    """
    with console.client(timeout_s) as client:
        print_model(console, client.load(model))
