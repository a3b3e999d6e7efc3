"""What every verb shares: where the daemon is, and how answers are printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from mmclient.client import Client

_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass(slots=True)
class Session:
    """One run of ``mmctl``.

    Attributes:
        socket_path: As given; None to find it.
        as_json: Whether answers are JSON documents.
    """

    socket_path: str | None
    as_json: bool

    def client(self, timeout_s: float = 30.0) -> Client:
        """Return a client."""
        return Client(self.socket_path, timeout=timeout_s)

    def print_json(self, document: Any) -> None:
        """Print one document; what it holds is free of NaN."""
        click.echo(json.dumps(document, ensure_ascii=False, allow_nan=False))


pass_session = click.make_pass_decorator(Session)


def model_argument(function: _F) -> _F:
    """Add ``MODEL``."""
    return click.argument("model", shell_complete=_complete_model)(function)


def json_option(function: _F) -> _F:
    """Let ``--json`` stand behind the verb too."""
    return click.option(
        "--json", is_flag=True, expose_value=False, callback=_set_json, help="One JSON document on stdout."
    )(function)


def timeout_option(function: _F) -> _F:
    """Add ``--timeout``."""
    return click.option(
        "--timeout",
        "timeout_s",
        type=click.FloatRange(min=0, max=1e6, min_open=True),
        default=30.0,
        show_default=True,
        metavar="S",
        help="Seconds until exit status 4.",
    )(function)


def _complete_model(ctx: click.Context, argument: click.Parameter, incomplete: str) -> list[Any]:
    from mmclient.cli.completion import complete_model  # only a shell that completes pays for it

    return list(complete_model(ctx, argument, incomplete))


def _set_json(ctx: click.Context, option: click.Parameter, value: bool) -> None:
    session = ctx.find_object(Session)
    if value and session is not None:
        session.as_json = True
