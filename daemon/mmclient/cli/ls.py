"""``mmctl ls``."""

from __future__ import annotations

import click

from mmclient.cli.session import Session, json_option, pass_session
from mmclient.cli.table import lines

_SHORT_DIGEST = 12


@click.command("ls")
@json_option
@pass_session
def command(session: Session) -> None:
    """List the models: state, version that serves, and why one does not."""
    with session.client() as client:
        models = client.models()
    if session.as_json:
        session.print_json({"models": models})
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
