"""The command ``mmconvert``: its options, its exit statuses, how it speaks of failures."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from mmconvert.job import QUANTIZE_CHOICES, Job, Limits, decide_quantize, derive_name
from mmconvert.progress import Progress
from mmwire.errors import EXIT_OK, ClientError, InternalError, MmError, error_from_dict
from mmwire.manifest import MODEL_SUFFIX

_PATH = click.Path(path_type=Path)
_SIGNAL_EXIT = 128  # + the signal's number, as a shell counts


class Stopped(BaseException):
    """A signal asked this process to end; what was begun is cleaned up on the way out."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@click.command(
    "mmconvert",
    epilog="Exit: 0 written or published, 1 refused with the reason, 2 usage, 70 a bug in mmconvert.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.argument("saved_model", type=_PATH)
@click.option("-o", "--output", type=_PATH, metavar="OUT", help="File to write, or a folder for NAME.tflite.")
@click.option("--name", help="The model's name. Default: the folder's.")
@click.option(
    "--quantize",
    type=click.Choice(QUANTIZE_CHOICES),
    default="auto",
    show_default=True,
    help="auto: int8 with --calibration, else float32.",
)
@click.option("--calibration", type=_PATH, metavar="DATA", help="Real inputs: .npz, .npy, .csv or a folder of images.")
@click.option("--labels", type=_PATH, metavar="FILE", help="One label a line. Default: labels.txt in the SavedModel.")
@click.option(
    "--publish", type=_PATH, metavar="MODEL_DIR", help="The daemon's model folder: NAME.tflite appears there."
)
@click.option("--signature", metavar="S", help="Signature to convert. Default: serving_default, else the only one.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option(
    "--memory-limit", type=click.IntRange(min=256), default=16384, show_default=True, metavar="MB", help="Of a child."
)
@click.option(
    "--time-limit", type=click.FloatRange(min=1), default=1800, show_default=True, metavar="S", help="Of the whole run."
)
def command(
    saved_model: Path,
    output: Path | None,
    name: str | None,
    quantize: str,
    calibration: Path | None,
    labels: Path | None,
    publish: Path | None,
    signature: str | None,
    as_json: bool,
    memory_limit: int,
    time_limit: float,
) -> None:
    """Turn the TensorFlow SavedModel in the folder SAVED_MODEL into a .tflite file for mmdaemon.

    The result is compared with TensorFlow's own answers and only written when it is equal enough. Without -o and
    --publish it is NAME.tflite in the current folder.
    """
    model_name = derive_name(saved_model, name)
    if output is None and publish is None:
        output = Path(f"{model_name}{MODEL_SUFFIX}")
    elif output is not None and output.is_dir():
        output /= f"{model_name}{MODEL_SUFFIX}"
    job = Job(
        saved_model=saved_model,
        name=model_name,
        quantize=decide_quantize(quantize, calibration is not None),
        output=output,
        publish=publish,
        calibration=calibration,
        labels=labels,
        signature=signature,
        limits=Limits(memory_limit << 20, time_limit),
    )
    from mmconvert.pipeline import convert  # numpy and all that: not for --help

    outcome = convert(job, Progress())
    if as_json:
        click.echo(json.dumps(outcome.as_dict(), ensure_ascii=False, indent=2))
    elif outcome.error is None:
        click.echo(outcome.as_text())
    if outcome.error is not None:
        raise error_from_dict(outcome.error)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status; no failure shows a traceback."""
    arguments = sys.argv[1:] if arguments is None else arguments
    before = {number: signal.signal(number, _on_signal) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        return _run(arguments)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(arguments: Sequence[str]) -> int:
    try:
        command.main(list(arguments), prog_name="mmconvert", standalone_mode=False)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.UsageError as error:
        return _fail(ClientError("USAGE", error.format_message(), "mmconvert --help tells the options"), arguments)
    except MmError as error:
        return _fail(error, arguments)
    except (KeyboardInterrupt, click.Abort, Stopped) as stopped:
        click.echo("interrupted; no file was left half written", err=True)
        return _SIGNAL_EXIT + (stopped.number if isinstance(stopped, Stopped) else signal.SIGINT)
    except Exception as error:
        text = f"a bug in mmconvert: {type(error).__name__}: {error}"
        return _fail(InternalError("INTERNAL", text, "please report it with the command line"), arguments)
    return EXIT_OK


def _on_signal(number: int, frame: FrameType | None) -> NoReturn:
    raise Stopped(number)


def _fail(error: MmError, arguments: Sequence[str]) -> int:
    if "--json" in arguments:
        click.echo(json.dumps({"error": error.as_dict()}, ensure_ascii=False), err=True)
    else:
        click.echo(f"error: {error.message}" + (f"\nhint: {error.hint}" if error.hint else ""), err=True)
    return error.exit_status
