"""``mmctl unload MODEL``."""

from __future__ import annotations

import click

from mmclient.cli.serving import print_model
from mmclient.cli.session import Session, json_option, model_argument, pass_session


@click.command("unload")
@model_argument
@json_option
@pass_session
def command(session: Session, model: str) -> None:
    """Take MODEL out of memory and refuse its requests until load."""
    with session.client() as client:
        print_model(session, client.unload(model))
