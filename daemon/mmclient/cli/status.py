"""``mmctl status``."""

from __future__ import annotations

import click

from mmclient.cli.session import Session, json_option, pass_session
from mmclient.cli.table import fields


@click.command("status")
@json_option
@pass_session
def command(session: Session) -> None:
    """Show the daemon's own state: uptime, runtime and why it was chosen, models by state."""
    with session.client() as client:
        document = client.status()
    if session.as_json:
        session.print_json(document)
        return
    for line in fields(document):
        click.echo(line)
