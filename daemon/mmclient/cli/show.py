"""``mmctl show MODEL``."""

from __future__ import annotations

from typing import Any

import click

from mmclient.cli.console import Console
from mmclient.cli.option import json_option, model_argument, pass_console
from mmclient.cli.output.table import cell, fields, lines
from mmwire.tensor import SignatureSpec, TensorSpec

_SHOWN_LABELS = 10
# Source: the table of NAME.toml in docs/configuration.md.
_CHOSEN_BY_DAEMON = ("threads", "max_instances", "max_queue", "max_run_s")
_APART = ("versions", "signatures", "labels")


@click.command("show")
@model_argument
@json_option
@pass_console
def command(console: Console, model: str) -> None:
    """Show one MODEL: its versions, tensors, labels and options."""
    with console.client() as client:
        document = client.show(model)
    if console.as_json:
        console.print_json(document)
        return
    if isinstance(document.get("options"), dict):
        document["options"] = _shown_options(document["options"])
    for line in (*fields(document, skip=_APART), *_versions(document), *_tensors(document), *_labels(document)):
        click.echo(line)


def _shown_options(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options as text, with ``default`` where a 0 leaves the choice to the daemon."""
    return {key: "default" if value == 0 and key in _CHOSEN_BY_DAEMON else str(value) for key, value in options.items()}


def _versions(document: dict[str, Any]) -> list[str]:
    rows = [
        (version.get("version"), version.get("state"), version.get("sha256"), version.get("reason"))
        for version in document.get("versions", [])
    ]
    text = ["", *lines(("VERSION", "STATE", "SHA256", "REASON"), rows)] if rows else []
    for version in document.get("versions", []):
        if detail := version.get("detail"):
            text += ["", f"last words of the process that tried version {version.get('version')}:"]
            text += [f"  {cell(line)}" for line in detail.splitlines()]
    return text


def _tensors(document: dict[str, Any]) -> list[str]:
    text: list[str] = []
    for fields_of in document.get("signatures", []):
        signature = SignatureSpec.from_dict(fields_of)
        rows = [("input", *_tensor(spec)) for spec in signature.inputs]
        rows += [("output", *_tensor(spec)) for spec in signature.outputs]
        text += ["", f"signature {cell(signature.name)}"]
        text += ["  " + line for line in lines(("SIDE", "NAME", "TENSOR", "SCALE", "ZERO"), rows)]
    return text


def _tensor(spec: TensorSpec) -> tuple[Any, ...]:
    scale = (f"{spec.scale:.6g}", str(spec.zero_point)) if spec.scale else (None, None)
    return (spec.name, spec.describe(), *scale)


def _labels(document: dict[str, Any]) -> list[str]:
    labels = document.get("labels") or []
    if not labels:
        return []
    more = "; ..." if len(labels) > _SHOWN_LABELS else ""
    classes = [SignatureSpec.from_dict(fields_of).classes for fields_of in document.get("signatures", [])[:1]]
    misfit = f" for {classes[0]} classes" if classes and classes[0] not in (0, len(labels)) else ""
    return ["", f"{len(labels)} labels{misfit}: {'; '.join(map(cell, labels[:_SHOWN_LABELS]))}{more}"]
