"""The answer of the verbs that return a model."""

from __future__ import annotations

from typing import Any

import click

from mmclient.cli.console import Console
from mmclient.cli.output.table import cell


def print_model(console: Console, model: dict[str, Any]) -> None:
    """Print a model's document, or its state in one line."""
    if console.as_json:
        console.print_json(model)
        return
    version = f" version {cell(model.get('version'))}" if model.get("version") else ""
    click.echo(f"{cell(model.get('name'))}{version}: {cell(model.get('state'))}")
