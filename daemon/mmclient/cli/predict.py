"""``mmctl predict MODEL``."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mmclient.cli.session import Session, json_option, model_argument, pass_session, timeout_option

if TYPE_CHECKING:
    from mmclient.answer import Answer
    from mmclient.cli.input.source import Feed
    from mmclient.client import Client

_FORMS = (".npy", ".npz", ".csv", ".jsonl")


@click.command("predict")
@model_argument
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option(
    "-i",
    "--input",
    "inputs",
    multiple=True,
    metavar="[NAME=]FILE",
    help="npy, npz, json, csv, image, wav or a folder of images; - for JSON on stdin. Several files are several rows.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write npy, npz, csv or jsonl.")
@click.option("--signature", default="", metavar="S", help="Default: the model's first.")
@click.option("--version", type=click.IntRange(min=1), metavar="V", help="Refuse an answer of another version.")
@click.option("--top", type=click.IntRange(min=0), metavar="K", help="Classes to name. Default: 5, or 1 of many rows.")
@click.option("--raw", is_flag=True, help="Stored integers of quantized outputs instead of real values.")
@click.option("--as-image", is_flag=True, help="Give an image to an input that does not look like one.")
@timeout_option
@json_option
@pass_session
def command(
    session: Session,
    model: str,
    files: tuple[str, ...],
    inputs: tuple[str, ...],
    output: Path | None,
    signature: str,
    version: int | None,
    top: int | None,
    raw: bool,
    as_image: bool,
    timeout_s: float,
) -> None:
    """Run MODEL on files and print what it says."""
    if not inputs + files:
        raise click.UsageError("nothing to run it on; expected -i [NAME=]FILE")
    if output is not None and output.suffix.lower() not in _FORMS:
        raise click.UsageError(f"--output {output}: expected a file ending in {', '.join(_FORMS)}")
    from mmclient.cli.input.source import read_inputs  # numpy and all that: not for --help
    from mmclient.cli.output.classification import Classes, classes_of
    from mmclient.cli.output.report import JsonReport, Report, TextReport
    from mmclient.cli.output.sink import Sink

    with ExitStack() as stack:
        client = stack.enter_context(session.client(timeout_s))
        opened = client.open(model, signature=signature, version=version)
        feed = read_inputs(inputs + files, opened, as_image=as_image)
        classes: Classes | None = None
        if top != 0 and (output is None or output.suffix.lower() == ".jsonl" or session.as_json):
            classes = classes_of(opened.spec, lambda: client.show(model).get("labels") or [], is_wanted=top is not None)
        if classes is not None:
            classes.count = top or (1 if feed.count > 1 and not session.as_json else 5)
        sink = stack.enter_context(Sink(output, opened.spec, classes)) if output is not None else None
        report: Report = JsonReport(model, classes) if session.as_json else TextReport(classes, sink is not None)
        answers = _answers(client, model, feed, signature=signature, version=version, dequantize=not raw)
        if sink is not None or session.as_json or not sys.stdout.isatty():
            answers = _with_progress(answers, feed.count)
        started = time.monotonic()
        for index, answer in enumerate(answers):
            report.add(feed, index, answer)
            if sink is not None:
                sink.add(feed, index, answer)
        total_us = int((time.monotonic() - started) * 1e6)
        if sink is not None:
            sink.finish()
        report.finish(total_us, output)


def _answers(
    client: Client, model: str, feed: Feed, *, signature: str, version: int | None, dequantize: bool
) -> Iterator[Answer]:
    if feed.count == 1:
        (row,) = feed.rows()
        yield client.ask(model, row, signature=signature, version=version, dequantize=dequantize)
        return
    yield from client.ask_many(model, feed.rows(), signature=signature, version=version, dequantize=dequantize)


def _with_progress(answers: Iterator[Answer], count: int) -> Iterator[Answer]:
    """Show a progress bar where a person looks at stderr."""
    if count == 1 or not sys.stderr.isatty():
        return answers
    from tqdm import tqdm

    return iter(tqdm(answers, total=count, unit="row", file=sys.stderr, leave=False))
