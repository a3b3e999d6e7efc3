"""Bringing one candidate up: into the store, through a trial, into a runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmdaemon.dispatch.deployment import Deployment
from mmdaemon.loader.arrived import Arrived, Refused, Result
from mmdaemon.loader.candidate import Candidate
from mmdaemon.loader.instances import Instances, LoadSpec
from mmdaemon.loader.intake import Door, Intake
from mmdaemon.loader.route import Way
from mmdaemon.log.logger import LOG, about
from mmdaemon.registry.model import ServingFacts
from mmdaemon.runtime.interface import Instance, Runtime, Traits
from mmdaemon.store.archive import is_archive
from mmdaemon.store.blob import OpenBlob
from mmdaemon.store.trial import TrialResult, trial_key
from mmwire.errors import MmError, ModelError
from mmwire.manifest import ModelOptions
from mmwire.tflite import ModelState

# The findings about a model that people are shown.
_SHOWN = ("batch", "state", "load_ms", "run_us", "memory_bytes", "device", "compiled", "traced")

# Tries a blob with so many threads in a throw-away process.
Check = Callable[[OpenBlob, int], TrialResult]


@dataclass(frozen=True, slots=True)
class Box:
    """The things that all models of this box share.

    Attributes:
        cores: How many there are.
        cpu: Which kernels it runs; part of the key of a trial result.
        runtimes: What runs a model, by the way that it goes.
    """

    cores: int
    cpu: str
    runtimes: Mapping[Way, Runtime]


class Arrivals:
    """Brings candidates up.

    Args:
        door: Takes their bytes in.
        check: Tries a TFLite model.
        instances: Loads and closes.
        box: What models share.

    Thread: ``bring_up`` by any loader thread, one at a time for a name; the rest by any.
    """

    def __init__(self, door: Door, check: Check, instances: Instances, box: Box) -> None:
        self._door = door
        self._check = check
        self._instances = instances
        self._box = box
        self._refused: set[str] = set()  # keys of models that this start refuses; each operation on it is atomic

    def bring_up(self, candidate: Candidate, number: int) -> Result:
        """Store, try, load and warm up: slow, and never raises for what a file is.

        Args:
            candidate: What is to serve.
            number: The version that it is, unless its bytes have one already.
        """
        blobs, sha256 = self._door.store.blobs, ""
        try:
            intake = self._door.intake(candidate)
            number, sha256 = intake.known() or intake.copy()
            options = intake.options()
            try:
                blob = blobs.open(sha256)
            except ModelError:  # damaged, or collected since it last served
                number, sha256 = intake.copy()
                blob = blobs.open(sha256)
            try:
                result = self._load(intake, candidate.name, number, blob, options)
            except BaseException:
                blob.close()
                raise
            if isinstance(result, Refused):
                blob.close()
        except MmError as error:
            result = Refused(error, number, sha256)
        if isinstance(result, Refused):
            blobs.release(sha256)
        return result

    def discard(self, arrived: Arrived) -> None:
        """Close what was loaded and will not serve."""
        self._instances.discard(arrived.deployment)
        self._door.store.blobs.release(arrived.sha256)

    def _load(self, intake: Intake, name: str, number: int, blob: OpenBlob, options: ModelOptions) -> Result:
        intake.check(blob)
        sidecar = intake.labels()  # first: nothing is loaded in vain
        way = _way(blob, options)
        runtime, cores = self._box.runtimes[way], self._box.cores
        threads = min(options.threads or (cores if way is Way.TENSORFLOW else 1), cores)
        trial = None if way is Way.TENSORFLOW else self._try(blob, threads)
        if trial is not None and not trial.ok:
            return Refused(trial.error(), number, blob.sha256, trial.detail)
        traits = Traits(trial.batch, ModelState(trial.state)) if trial is not None else Traits()
        spec = LoadSpec(name, number, runtime, blob, threads, traits)
        instance = self._instances.load(spec)
        most = options.max_instances or (1 if way is Way.TENSORFLOW else cores)
        deployment = Deployment(
            name,
            number,
            instance.signatures,
            threads,
            min(most, max(1, cores // threads)),
            [instance],
            max_run_s=options.max_run_s,
            is_on_demand=way is not Way.THREAD,
            image_mean=options.image_mean,
            image_scale=options.image_scale,
        )
        self._instances.adopt(deployment, spec)
        found: Mapping[str, Any] = trial.as_dict() if trial is not None else _facts_of(instance)
        labels = found.get("labels", []) if sidecar is None else sidecar
        _report_misfit(deployment, labels)
        traits_shown = {"bytes": blob.size} | {key: found[key] for key in _SHOWN if key in found}
        facts = ServingFacts(tuple(instance.signatures.values()), labels, options, traits_shown, runtime.name)
        return Arrived(deployment, blob.sha256, facts)

    def _try(self, blob: OpenBlob, threads: int) -> TrialResult:
        """Return what a trial found, from the store where it knows.

        A refusal of the store counts once a start: whoever changes the files or loads the model wants another trial.
        """
        runtime, trials = self._box.runtimes[Way.THREAD], self._door.store.trials
        key = trial_key(blob.sha256, runtime.name, runtime.version, self._box.cpu)
        result = trials.get(key)
        if result is None or key in self._refused:
            result = self._check(blob, threads)
            if result.code == "MODEL_CRASHED":  # a stray signal looks like this: only what happens twice is believed
                result = self._check(blob, threads)
            trials.put(key, result)
        (self._refused.discard if result.ok else self._refused.add)(key)
        return result


def _way(blob: OpenBlob, options: ModelOptions) -> Way:
    """Return the way to run these bytes. Only TensorFlow can run a folder."""
    if is_archive(blob.fd):
        return Way.TENSORFLOW
    return Way.PROCESS if options.isolation == "process" else Way.THREAD


def _facts_of(instance: Instance) -> Mapping[str, Any]:
    """Return the facts that a model's own process reported when it loaded the model."""
    facts: Mapping[str, Any] = getattr(instance, "facts", {})
    return facts


def _report_misfit(deployment: Deployment, labels: Sequence[str]) -> None:
    """Log labels that are more or fewer than the classes: the model serves, its names may be wrong."""
    classes = next((spec.classes for spec in deployment.signatures.values()), 0)
    if labels and classes and len(labels) != classes:
        LOG.warning(
            "%s: %d labels for %d classes; a label's line is its class, from 0",
            deployment.name,
            len(labels),
            classes,
            extra=about(deployment.name, deployment.version),
        )
