"""``mmctl predict MODEL``."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmclient.cli.console import Console
from mmclient.cli.option import count_option, json_option, model_argument, pass_console, timeout_option
from mmwire.errors import EXIT_REFUSED, MmError, RequestError
from mmwire.manifest import MODEL_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mmclient.answer import Answer
    from mmclient.client import Client
    from mmwire.message import Opened

_FORMS = (".npy", ".npz", ".csv", ".jsonl")


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the command line."""

    files: tuple[str, ...]
    output: Path | None
    signature: str
    version: int | None
    top: int | None
    raw: bool
    as_image: bool
    keep_going: bool
    timeout_s: float


@click.command("predict")
@model_argument
@click.argument("files", nargs=-1, type=click.Path(), metavar="[FILE]...")
@click.option(
    "-i",
    "--input",
    "inputs",
    multiple=True,
    type=click.Path(),
    metavar="[NAME=]FILE",
    help="An npy, npz, json, csv, wav or image file, a folder of images, or - for JSON on stdin. Several files are"
    " several rows. NAME names the input of a model that has several.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the outputs to this npy, npz, csv or jsonl file.",
)
@click.option("--signature", default="", metavar="NAME", help="Run this signature. Default: the model's first.")
@count_option("--version", "V", "Fail unless version V answers.", least=1)
@count_option("--top", "K", "Print the K best classes. Default: 5, or 1 when there are several rows.", least=0)
@click.option("--raw", is_flag=True, help="Print the stored integers of quantized outputs, not their real values.")
@click.option("--as-image", is_flag=True, help="Accept an image even if the input's shape is not that of an image.")
@click.option(
    "--keep-going",
    is_flag=True,
    help="Go on after a file or row that fails: print each failure on stderr, and exit with status 1.",
)
@timeout_option("Give up on a request after this long, with exit status 4.")
@json_option
@pass_console
def command(
    console: Console, /, model: str, files: tuple[str, ...], inputs: tuple[str, ...], output: Path | None, **given: Any
) -> None:
    """Run MODEL on files and print its answers."""
    if not inputs + files:
        raise click.UsageError(
            f"no input: expected a file, as in mmctl predict {model} FILE, or -i - for JSON on stdin"
        )
    if output is not None and output.suffix.lower() not in _FORMS:
        raise click.UsageError(f"--output {output}: expected a file that ends in {', '.join(_FORMS)}")
    if predict(console, model, Options(inputs + files, output, **given)):
        raise click.exceptions.Exit(EXIT_REFUSED)


def predict(console: Console, model: str, options: Options) -> int:
    """Run a model and print its answers; return the number of rows that failed.

    Raises:
        MmError: The prediction cannot go on.
    """
    from mmclient.cli.batch import Asking
    from mmclient.cli.input.source import read_inputs  # loads numpy, which --help does not need
    from mmclient.cli.output.classification import Classes, classes_of
    from mmclient.cli.output.report import JsonReport, Report, TextReport
    from mmclient.cli.output.sink import Sink

    output = options.output
    with ExitStack() as stack:
        client = stack.enter_context(console.client(options.timeout_s))
        opened = _open(client, model, options)
        feed = read_inputs(options.files, opened, as_image=options.as_image, keep_going=options.keep_going)
        classes: Classes | None = None
        if options.top != 0 and (output is None or output.suffix.lower() == ".jsonl" or console.as_json):

            def read_labels() -> list[str]:
                return client.show(model).get("labels") or []

            count = options.top or (1 if feed.count > 1 and not console.as_json else 5)
            classes = classes_of(opened.spec, read_labels, count, is_wanted=options.top is not None)
        sink = stack.enter_context(Sink(output, opened.spec, classes)) if output is not None else None
        report: Report = (
            JsonReport(opened, classes) if console.as_json else TextReport(classes, is_quiet=sink is not None)
        )
        asking = Asking(client, model, options.signature, options.version, not options.raw)
        outcomes: Iterator[Answer | MmError] = asking.each_outcome(feed) if options.keep_going else asking.each(feed)
        if sink is not None or console.as_json or not sys.stdout.isatty():
            outcomes = console.with_progress(outcomes, feed.count)
        started = time.monotonic()
        failed = 0
        for index, outcome in enumerate(outcomes):
            if isinstance(outcome, MmError):
                failed += 1
                console.print_error(outcome, about=feed.title(index))
            report.add(feed, index, outcome)
            if sink is not None:
                sink.add(feed, index, outcome)
        total_us = int((time.monotonic() - started) * 1e6)
        if sink is not None:
            sink.finish()
        report.finish(total_us, output)
    return failed


def _open(client: Client, model: str, options: Options) -> Opened:
    """Return the signature.

    Raises:
        MmError: As ``Client.open``; the hint helps somebody who gave a file in place of the model's name.
    """
    try:
        return client.open(model, signature=options.signature, version=options.version)
    except RequestError as error:
        if error.code in ("MODEL_NOT_FOUND", "BAD_REQUEST"):
            if model.endswith(MODEL_SUFFIX):
                error.hint = f"a model's name has no suffix: mmctl predict {Path(model).stem}"
            elif model and Path(model).exists():
                error.hint = f"MODEL comes first, then the files: mmctl predict MODEL {model}"
        raise
