"""``mmctl ps``."""

from __future__ import annotations

from typing import Any

import click

from mmclient.cli.console import Console
from mmclient.cli.option import json_option, pass_console
from mmclient.cli.output.table import cell, lines


@click.command("ps")
@json_option
@pass_console
def command(console: Console) -> None:
    """List the instances, queue and counts of each loaded model."""
    with console.client() as client:
        document = client.ps()
    if console.as_json:
        console.print_json(document)
        return
    models: list[dict[str, Any]] = document.get("models", [])
    if models:
        keys = list(dict.fromkeys(key for model in models for key in model))
        for line in lines([key.upper() for key in keys], [[model.get(key) for key in keys] for model in models]):
            click.echo(line)
    else:
        click.echo("no model is loaded", err=True)
    for key, value in document.items():
        if key != "models":
            click.echo(f"{cell(key)}: {cell(value)}")
