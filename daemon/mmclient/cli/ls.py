"""``mmctl ls``."""

from __future__ import annotations

import click

from mmclient.cli.console import Console
from mmclient.cli.option import json_option, pass_console
from mmclient.cli.output.table import lines

_SHORT_DIGEST = 12


@click.command("ls")
@json_option
@pass_console
def command(console: Console) -> None:
    """List the models: state, version, and why one does not serve."""
    with console.client() as client:
        models = client.models()
    if console.as_json:
        console.print_json({"models": models})
        return
    if not models:
        click.echo("no models: put a .tflite file into the daemon's model folder", err=True)
        return
    rows = [
        (
            model.get("name"),
            model.get("state"),
            model.get("version"),
            (model.get("sha256") or "")[:_SHORT_DIGEST],
            model.get("runtime"),
            model.get("reason"),
        )
        for model in models
    ]
    for line in lines(("NAME", "STATE", "VERSION", "SHA256", "RUNTIME", "REASON"), rows):
        click.echo(line)
