"""``mmconvert doctor SAVED_MODEL``: shows what a model holds and what a conversion would do to it."""

from __future__ import annotations

import json
from pathlib import Path

import click

from mmconvert.cli.convert import PATH, SETTINGS
from mmwire.errors import error_from_dict


@click.command("doctor", context_settings=SETTINGS)
@click.argument("saved_model", type=PATH)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
def command(saved_model: Path, as_json: bool) -> None:
    """Show what SAVED_MODEL holds, which repairs it needs, and what prevents a conversion.

    The output says who wrote the model, and lists its signatures and operations.

    This writes nothing and does not start TensorFlow. Exit status: 0 the model can be tried, 1 it is refused.
    """
    from mmconvert.diagnosis import examine

    diagnosis = examine(saved_model)
    click.echo(json.dumps(diagnosis.as_dict(), ensure_ascii=False, indent=2) if as_json else diagnosis.as_text())
    if diagnosis.error is not None:
        raise error_from_dict(diagnosis.error)
