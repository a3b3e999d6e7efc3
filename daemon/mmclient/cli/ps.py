"""``mmctl ps``."""

from __future__ import annotations

from typing import Any

import click

from mmclient.cli.session import Session, json_option, pass_session
from mmclient.cli.table import cell, lines


@click.command("ps")
@json_option
@pass_session
def command(session: Session) -> None:
    """List what runs: instances, queues and counts of each model."""
    with session.client() as client:
        document = client.ps()
    if session.as_json:
        session.print_json(document)
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
