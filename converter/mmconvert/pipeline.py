"""The way of one model, from a job to its outcome. The stages stand here in their order."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable, Mapping

from mmconvert.backends.tensorflow.refusal import full_tf_ground
from mmconvert.conversion import Conversion
from mmconvert.destination import find_targets
from mmconvert.job import Job
from mmconvert.outcome import Outcome, tell
from mmconvert.progress import Progress
from mmconvert.stages import calibrate, convert, full_tf, gate, inspect, pack, publish, search, verify
from mmconvert.workshop import Workshop, no_room, open_workshop
from mmwire.errors import EXIT_REFUSED, ConvertError, MmError
from mmwire.installation import install_hint

Stage = Callable[[Conversion, Workshop], Conversion]

STAGES: Mapping[str, Stage] = {
    "inspect": inspect.run,
    "calibrate": calibrate.run,
    "convert": convert.run,
    "gate": gate.run,
    "search": search.run,
    "verify": verify.run,
    "pack": pack.run,
    "publish": publish.run,
}
# A model that fails in one of these can still be served by full TensorFlow; the stages after it are then others.
_MAY_NEED_FULL_TF = ("convert", "gate")
_FULL_TF_STAGES: Mapping[str, Stage] = {"pack": full_tf.run, "publish": publish.run}


def convert_model(job: Job, progress: Progress) -> Outcome:
    """Convert, compare, pack and write one model; nothing is written unless every gate was passed.

    A refusal is an outcome too.

    Raises:
        MmError: The command line asked for something impossible (exit status 2), or a bug.
    """
    start = time.monotonic()
    conversion = Conversion(job=job)
    try:
        require_tensorflow()
        find_targets(job)  # a conversion takes its time: first see that its result can be written
        with open_workshop(job, progress) as workshop:
            conversion = run_stages(conversion, workshop, STAGES)
    except MmError as error:
        conversion = _refuse(conversion, error)
    return tell(conversion, round(time.monotonic() - start, 2))


def run_stages(conversion: Conversion, workshop: Workshop, stages: Mapping[str, Stage]) -> Conversion:
    """Return the conversion after these stages; one that was refused has its reason in ``refusal``.

    A model that LiteRT cannot run as TensorFlow does goes on through the stages for full TensorFlow.

    Raises:
        MmError: As ``convert_model``.
    """
    for name, stage in stages.items():
        workshop.progress.on_stage(list(STAGES).index(name) + 1, len(STAGES), name)
        try:
            conversion = stage(conversion, workshop)
        except MmError as error:
            ground = full_tf_ground(error) if name in _MAY_NEED_FULL_TF else None
            if ground is None:
                return _refuse(conversion, error)
            others = {each: _FULL_TF_STAGES[each] for each in stages if each in _FULL_TF_STAGES}
            return run_stages(conversion.adding(f"{ground}: {error.message}", obstacle=error), workshop, others)
        except OSError as error:
            return _refuse(conversion, no_room(error))
    return conversion


def _refuse(conversion: Conversion, error: MmError) -> Conversion:
    if error.exit_status != EXIT_REFUSED:
        raise error
    return conversion.adding(*getattr(error, "__notes__", ()), refusal=error)


def require_tensorflow() -> None:
    """Check that the convert extra is installed, without importing it.

    Raises:
        ConvertError: ``TENSORFLOW_MISSING``.
    """
    if importlib.util.find_spec("tensorflow") is None:
        hint = install_hint("convert", sys.prefix)
        raise ConvertError("TENSORFLOW_MISSING", "reading a SavedModel needs TensorFlow", hint)
