"""Completion in a shell: verbs and options from the commands, names of models from the daemon."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem, shell_complete

from mmclient.client import Client
from mmwire.errors import MmError

_PATIENCE_S = 1.0


def complete(command: click.Command, variable: str, instruction: str) -> int:
    """Answer a shell that set ``variable`` to ``instruction``; return the exit status."""
    return shell_complete(command, {}, "mmctl", variable, instruction)


def complete_model(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the models whose names begin with a text; none when no daemon answers."""
    try:
        with Client(ctx.find_root().params.get("socket"), timeout=_PATIENCE_S) as client:
            models = client.models()
    except MmError:
        return []
    return [
        CompletionItem(model["name"], help=model["state"]) for model in models if model["name"].startswith(incomplete)
    ]
