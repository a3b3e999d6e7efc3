"""``mmctl status``."""

from __future__ import annotations

import click

from mmclient.cli.console import Console
from mmclient.cli.option import json_option, pass_console
from mmclient.cli.output.table import fields


@click.command("status")
@json_option
@pass_console
def command(console: Console) -> None:
    """Show the daemon's own state.

    Print its uptime, its runtime and why, the models in each state, and whatever hangs.
    """
    with console.client() as client:
        document = client.status()
    if console.as_json:
        console.print_json(document)
        return
    for line in fields(document):
        click.echo(line)
