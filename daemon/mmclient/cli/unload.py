"""``mmctl unload MODEL``."""

from __future__ import annotations

import click

from mmclient.cli.console import Console
from mmclient.cli.option import json_option, model_argument, pass_console
from mmclient.cli.serving import print_model


@click.command("unload")
@model_argument
@json_option
@pass_console
def command(console: Console, model: str) -> None:
    """Take MODEL out of memory, and refuse its requests until load."""
    with console.client() as client:
        print_model(console, client.unload(model))
