"""The arguments and options that several verbs share, and how their values are read."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import click

from mmclient.cli.console import Console

_F = TypeVar("_F", bound=Callable[..., Any])
_MAX_TIMEOUT_S = 1e6

pass_console = click.make_pass_decorator(Console)


def count_option(flag: str, metavar: str, meaning: str, *, least: int) -> Callable[[_F], _F]:
    """Add an option that takes a whole number, or none."""

    def read(ctx: click.Context, option: click.Parameter, text: str | None) -> int | None:
        if text is None:
            return None
        number = int(text) if text.isdecimal() else -1
        if number < least:
            raise click.BadParameter(f"expected a whole number of at least {least}, got {text!r}")
        return number

    return click.option(flag, metavar=metavar, callback=read, help=meaning)


def model_argument(function: _F) -> _F:
    """Add ``MODEL``."""
    return click.argument("model", shell_complete=_complete_model)(function)


def json_option(function: _F) -> _F:
    """Let ``--json`` stand behind the verb too."""
    return click.option(
        "--json", is_flag=True, expose_value=False, callback=_set_json, help="Print one JSON document on stdout."
    )(function)


def timeout_option(meaning: str) -> Callable[[_F], _F]:
    """Add ``--timeout`` with a sentence that says what happens when it passes."""

    def read(ctx: click.Context, option: click.Parameter, text: str) -> float:
        try:
            seconds = float(text)
        except ValueError:
            seconds = math.nan
        if not 0 < seconds <= _MAX_TIMEOUT_S:
            raise click.BadParameter(f"expected seconds above 0, at most {_MAX_TIMEOUT_S:.0f}, got {text!r}")
        return seconds

    return click.option(
        "--timeout", "timeout_s", default="30", metavar="SECONDS", callback=read, help=f"{meaning} Default: 30."
    )


def _complete_model(ctx: click.Context, argument: click.Parameter, incomplete: str) -> list[Any]:
    from mmclient.cli.completion import complete_model  # slow to import, and only a shell that completes needs it

    return list(complete_model(ctx, argument, incomplete))


def _set_json(ctx: click.Context, option: click.Parameter, value: bool) -> None:
    console = ctx.find_object(Console)
    if value and console is not None:
        console.as_json = True
