"""``mmctl load MODEL``."""

from __future__ import annotations

import click

from mmclient.cli.serving import print_model
from mmclient.cli.session import Session, json_option, model_argument, pass_session, timeout_option


@click.command("load")
@model_argument
@timeout_option
@json_option
@pass_session
def command(session: Session, model: str, timeout_s: float) -> None:
    """Serve MODEL again after unload, or try again one that was refused; wait until it serves."""
    with session.client(timeout_s) as client:
        print_model(session, client.load(model))
