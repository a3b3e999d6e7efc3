"""``mmconvert verify FILE``: checks that a file is whole and that converting again gives the same bytes."""

from __future__ import annotations

import json
from pathlib import Path

import click

from mmconvert.cache import default_folder
from mmconvert.cli.convert import PATH, SETTINGS
from mmconvert.progress import Progress
from mmwire.errors import error_from_dict


@click.command("verify", context_settings=SETTINGS)
@click.argument("file", type=PATH)
@click.option(
    "--source",
    type=PATH,
    metavar="SAVED_MODEL",
    help="The model that FILE was made from. Default: the place that this machine remembers.",
)
@click.option("--calibration", type=PATH, metavar="DATA", help="As given when FILE was made.")
@click.option("--eval", "evaluation", type=PATH, metavar="DATA", help="As given when FILE was made.")
@click.option("--labels", type=PATH, metavar="FILE", help="As given when FILE was made.")
@click.option(
    "--cache",
    type=PATH,
    metavar="DIR",
    help="Look up in this folder where the sources lie. Default: ~/.cache/mmconvert.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
def command(
    file: Path,
    source: Path | None,
    calibration: Path | None,
    evaluation: Path | None,
    labels: Path | None,
    cache: Path | None,
    as_json: bool,
) -> None:
    """Check the digest of FILE, convert its source again by the recipe in FILE, and compare the bytes.

    Exit status: 0 the bytes are the same, 1 they differ; the output then says where.
    """
    from mmconvert.origin import Origin
    from mmconvert.reproduction import reproduce

    given = Origin(source, calibration, evaluation, labels)
    result = reproduce(file, given, cache or default_folder(), Progress())
    click.echo(json.dumps(result.as_dict(), ensure_ascii=False, indent=2) if as_json else result.as_text())
    if result.error is not None:
        raise error_from_dict(result.error)
