"""``mmctl wait MODEL``."""

from __future__ import annotations

import click

from mmclient.cli.serving import print_model
from mmclient.cli.session import Session, json_option, model_argument, pass_session, timeout_option


@click.command("wait")
@model_argument
@click.option("--version", type=click.IntRange(min=1), metavar="V", help="Wait for this version.")
@click.option("--sha256", metavar="H", help="Wait for the file with this hash.")
@timeout_option
@json_option
@pass_session
def command(session: Session, model: str, version: int | None, sha256: str | None, timeout_s: float) -> None:
    """Wait until the newest file of MODEL serves; exit 1 with the reason when it cannot."""
    if version is not None and sha256 is not None:
        raise click.UsageError("--version and --sha256 exclude each other")
    with session.client(timeout_s) as client:
        print_model(session, client.wait(model, version, sha256))
