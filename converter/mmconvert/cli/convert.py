"""``mmconvert SAVED_MODEL``: convert, compare, choose, publish."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import click

from mmconvert.backends.process.limit import Limits
from mmconvert.cache import default_folder
from mmconvert.destination import require_writable
from mmconvert.durable import write_whole
from mmconvert.job import OBJECTIVES, PRESETS, QUANTIZE_CHOICES, Job, derive_name, require_apart, require_data
from mmconvert.progress import Progress
from mmwire.errors import error_from_dict
from mmwire.manifest import MODEL_SUFFIX

PATH = click.Path(path_type=Path)
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


@click.command(
    "mmconvert",
    epilog="Other forms: mmconvert doctor SAVED_MODEL shows what a model holds and needs; mmconvert verify FILE makes a"
    " file again and compares it. Exit status: 0 written or published, 1 refused with the reason, 2 usage, 70 a bug.",
    context_settings=SETTINGS,
)
@click.argument("saved_model", type=PATH)
@click.option("-o", "--output", type=PATH, metavar="OUT", help="The file to write, or a folder for NAME.tflite.")
@click.option("--name", help="The model's name. Default: the folder's name.")
@click.option(
    "--quantize",
    type=click.Choice(QUANTIZE_CHOICES),
    default="auto",
    show_default=True,
    help="The form to make. auto: search for the best form if there are real inputs, else float32.",
)
@click.option(
    "--calibration",
    type=PATH,
    metavar="DATA",
    help="Real inputs to measure ranges on: .npz, .npy, .csv or a folder of images.",
)
@click.option(
    "--eval",
    "evaluation",
    type=PATH,
    metavar="DATA",
    help="Other real inputs, preferably with classes: one half is used to choose the form, the other only to verify"
    " it.",
)
@click.option(
    "--max-drop",
    type=click.FloatRange(0, 1),
    default=0.01,
    show_default=True,
    metavar="SHARE",
    help="Refuse forms that lose more accuracy than this share.",
)
@click.option(
    "--objective",
    type=click.Choice(OBJECTIVES),
    default="latency",
    show_default=True,
    help="What the search optimises.",
)
@click.option("--preset", type=click.Choice(PRESETS), default="default", show_default=True, help="How long to search.")
@click.option(
    "--labels",
    type=PATH,
    metavar="FILE",
    help="A file with one label on each line. Default: labels.txt in the SavedModel.",
)
@click.option(
    "--publish", type=PATH, metavar="MODEL_DIR", help="The daemon's model folder, in which NAME.tflite appears."
)
@click.option("--report", type=PATH, metavar="FILE.html", help="Write a report of all findings as one HTML page.")
@click.option("--signature", metavar="S", help="Convert this signature only. Default: all.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
@click.option("--cache", type=PATH, metavar="DIR", help="Keep results in this folder. Default: ~/.cache/mmconvert.")
@click.option("--no-cache", is_flag=True, help="Use no results of earlier runs, and keep none.")
@click.option(
    "--memory-limit",
    type=click.IntRange(min=256),
    default=16384,
    show_default=True,
    metavar="MB",
    help="Limit the address space of each child process, in MB.",
)
@click.option(
    "--time-limit",
    type=click.FloatRange(min=1),
    default=1800,
    show_default=True,
    metavar="S",
    help="Seconds for the whole run.",
)
@click.version_option(package_name="mmdaemon", message="%(prog)s %(version)s")
def command(
    saved_model: Path,
    output: Path | None,
    name: str | None,
    quantize: str,
    calibration: Path | None,
    evaluation: Path | None,
    max_drop: float,
    objective: str,
    preset: str,
    labels: Path | None,
    publish: Path | None,
    report: Path | None,
    signature: str | None,
    as_json: bool,
    cache: Path | None,
    no_cache: bool,
    memory_limit: int,
    time_limit: float,
) -> None:
    """Turn SAVED_MODEL (a folder, or a .keras or .h5 file) into a .tflite file for mmdaemon.

    mmconvert compares the result with TensorFlow's own answers, and writes it only if it is equal enough. Given real
    inputs, it searches for the fastest form that keeps the accuracy. Without -o and --publish, it writes NAME.tflite
    into the current folder.
    """
    model_name = derive_name(saved_model, name)
    if output is None and publish is None:
        output = Path(f"{model_name}{MODEL_SUFFIX}")
    elif output is not None and output.is_dir():
        output /= f"{model_name}{MODEL_SUFFIX}"
    job = Job(
        source=saved_model,
        name=model_name,
        quantize=quantize,
        output=output,
        publish=publish,
        calibration=calibration,
        evaluation=evaluation,
        labels=labels,
        signature=signature,
        max_drop=max_drop,
        objective=objective,
        preset=preset,
        report=report,
        cache=None if no_cache else cache or default_folder(),
        limits=Limits(memory_limit << 20, time_limit),
    )
    require_data(quantize, job.has_data)
    require_apart(job)
    if report is not None:
        require_writable(report)
    from mmconvert.pipeline import convert_model  # here, so that --help does not load numpy

    outcome = convert_model(job, Progress())
    if report is not None:
        from mmconvert.report.page import render

        write_whole(report, render(outcome.as_dict(), shlex.join(["mmconvert", *sys.argv[1:]])).encode())
    if as_json:
        click.echo(json.dumps(outcome.as_dict(), ensure_ascii=False, indent=2))
    elif outcome.error is None:
        click.echo(outcome.as_text())
    if outcome.error is not None:
        raise error_from_dict(outcome.error)
