"""Bringing one source up: into the store, through the probe, into the runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mmdaemon.dispatch.deployment import Deployment
from mmdaemon.folder.bundle import read_bundle
from mmdaemon.folder.opening import open_regular
from mmdaemon.folder.snapshot import Sidecar, Source
from mmdaemon.loader.arrived import Arrived, Refused
from mmdaemon.loader.instances import Instances, LoadSpec
from mmdaemon.loader.records import Records
from mmdaemon.loader.route import Policy, Way, is_to_be_converted
from mmdaemon.log.logger import LOG, about
from mmdaemon.runtime.interface import Runtime, Traits
from mmdaemon.store.archive import is_archive, require_files
from mmdaemon.store.blob import Blobs, OpenBlob
from mmdaemon.store.trial import TrialResult, TrialResults, trial_key
from mmwire.errors import MmError, ModelError
from mmwire.manifest import ModelOptions, parse_labels, parse_options, read_options
from mmwire.tflite import ModelState

# What of a model's facts people are shown.
_SHOWN = ("batch", "state", "load_ms", "run_us", "memory_bytes", "device", "compiled", "traced")
_SIDECAR_BYTES = 4 * 1024 * 1024  # the labels of ImageNet take 22 KB

# Tries a blob in a throw-away process.
Check = Callable[[OpenBlob, int], TrialResult]
# Converts a SavedModel folder for a name; gives the file or folder that came of it, which is gone afterwards.
Convert = Callable[[Path, str], AbstractContextManager[Path]]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a model may take of the box.

    Attributes:
        cpu: Which kernels it runs on; part of the key of a verdict.
    """

    cores: int
    max_model_bytes: int
    cpu: str


class Arrival:
    """``Arrivals``: store, probe, runtime, in this order.

    Args:
        records: What is known of every name.
        blobs: Where bytes are kept.
        verdicts: Of earlier trials.
        check: Tries a TFLite model.
        convert: Turns a SavedModel folder into what mmconvert makes of it.
        policy: Says what becomes of SavedModels.
        runtimes: What runs a model, by the way it goes.
        instances: Loads and closes.
        bounds: Of every model.

    Thread: ``bring_up`` by any loader thread, one at a time for a name; the rest by any.
    """

    def __init__(
        self,
        records: Records,
        blobs: Blobs,
        verdicts: TrialResults,
        check: Check,
        convert: Convert,
        policy: Callable[[], Policy],
        runtimes: Mapping[Way, Runtime],
        instances: Instances,
        bounds: Bounds,
    ) -> None:
        self.next_version = records.next_version
        self.is_stored = records.is_stored
        self.is_unloaded = records.is_unloaded
        self.set_unloaded = records.set_unloaded
        self.is_kept = records.is_kept
        self.on_serving = records.on_serving
        self.last_served = records.last_served
        self._records = records
        self._blobs = blobs
        self._verdicts = verdicts
        self._check = check
        self._convert = convert
        self._policy = policy
        self._runtimes = runtimes
        self._instances = instances
        self._bounds = bounds

    def bring_up(self, source: Source, number: int) -> Arrived | Refused:
        """Store, try, load and warm up; see ``Arrivals``."""
        sha256 = ""
        try:
            store = self._way_to_the_store(source)
            number, sha256 = self._records.known(source) or store(source)
            options = self._options(source)
            try:
                blob = self._blobs.open(sha256)
            except ModelError:  # damaged, or collected since it last served
                number, sha256 = store(source)
                blob = self._blobs.open(sha256)
            try:
                if source.kind == "stored":
                    self._require_recallable(blob)
                return self._load(source, number, blob, options)
            except BaseException:
                blob.close()
                raise
        except MmError as error:
            self._blobs.release(sha256)
            return Refused(error, number, sha256)

    def write_down(self) -> None:
        """Write down what was noted and remove the blobs and verdicts that nobody needs."""
        if not self._records.write_down():
            return
        self._blobs.collect(self._records.blobs())
        self._verdicts.collect(self._records.known_blobs())

    def discard(self, arrived: Arrived) -> None:
        """Close what was loaded and will not serve."""
        self._instances.discard(arrived.deployment)

    def _way_to_the_store(self, source: Source) -> Callable[[Source], tuple[int, str]]:
        """Return how a source's bytes get into the store.

        Raises:
            ModelError: ``MODEL_INVALID``: they do not, and why.
        """
        if source.kind == "stored":
            return self._recall
        self._require_size(source.identity.size)
        if source.kind == "tflite":
            return self._store
        bundle = read_bundle(source.path)
        if is_to_be_converted(source, bundle, self._policy()):
            return self._store_converted
        return partial(self._store, files=bundle.files if bundle else {})

    def _require_size(self, size: int) -> None:
        if size > self._bounds.max_model_bytes:
            raise ModelError(
                "MODEL_INVALID",
                f"the model has {size} bytes, the limit is {self._bounds.max_model_bytes}",
                "raise models.max_model_mb",
            )

    def _require_recallable(self, blob: OpenBlob) -> None:
        """Hold what only the store has to what the configuration says now."""
        self._require_size(blob.size)
        if is_archive(blob.fd):  # what becomes of one depends on its folder, which is not here
            raise ModelError(
                "MODEL_INVALID", "what served last was a SavedModel folder; it is not taken from the store"
            )

    def _recall(self, source: Source) -> tuple[int, str]:
        number = source.version or 0
        return number, self._records.stored(source.name, number).sha256

    def _options(self, source: Source) -> ModelOptions:
        """Return the options of a model; where only the store has it, those that it served with."""
        if source.kind == "stored":
            return read_options(self._records.stored(source.name, source.version or 0).options)
        return parse_options(_text(source.options)) if source.options else ModelOptions()

    def _store(self, source: Source, files: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Copy a source as it is, and hold it to the digests of its files."""
        blob = self._blobs.ingest(source.path)
        if files:
            with self._blobs.open(blob.sha256) as stored:
                require_files(stored.path, files)
        return self._records.put(source, blob.sha256), blob.sha256

    def _store_converted(self, source: Source) -> tuple[int, str]:
        with self._convert(source.path, source.name) as output:
            blob = self._blobs.ingest(output)
        return self._records.put(source, blob.sha256), blob.sha256

    def _load(self, source: Source, number: int, blob: OpenBlob, options: ModelOptions) -> Arrived:
        sidecar = _labels(source)  # first: nothing is loaded in vain
        way = _way(blob, options)
        runtime = self._runtimes[way]
        cores = self._bounds.cores
        threads = min(options.threads or (cores if way is Way.TENSORFLOW else 1), cores)
        verdict = None if way is Way.TENSORFLOW else self._verdict(blob, threads)
        traits = Traits(verdict.batch, ModelState(verdict.state)) if verdict is not None else Traits()
        spec = LoadSpec(source.name, number, runtime, blob, threads, traits)
        instance = self._instances.load(spec)
        facts: Mapping[str, Any] = verdict.as_dict() if verdict is not None else getattr(instance, "facts", {})
        most = options.max_instances or (1 if way is Way.TENSORFLOW else cores)
        deployment = Deployment(
            source.name,
            number,
            instance.signatures,
            threads,
            min(most, max(1, cores // threads)),
            [instance],
            max_run_s=options.max_run_s,
            is_on_demand=way is not Way.THREAD,
        )
        self._instances.adopt(deployment, spec)
        labels = facts.get("labels", []) if sidecar is None else sidecar
        _report_misfit(deployment, labels)
        shown = {"bytes": blob.size} | {key: facts[key] for key in _SHOWN if key in facts}
        return Arrived(deployment, blob.sha256, labels, options, shown, runtime.name)

    def _verdict(self, blob: OpenBlob, threads: int) -> TrialResult:
        runtime = self._runtimes[Way.THREAD]
        key = trial_key(blob.sha256, runtime.name, runtime.version, self._bounds.cpu)
        verdict = self._verdicts.get(key)
        if verdict is None:
            verdict = self._check(blob, threads)
            self._verdicts.put(key, verdict)
        if not verdict.ok:
            raise verdict.error()
        return verdict


def _way(blob: OpenBlob, options: ModelOptions) -> Way:
    """Return what runs these bytes: those of a folder only TensorFlow can."""
    if is_archive(blob.fd):
        return Way.TENSORFLOW
    return Way.PROCESS if options.isolation == "process" else Way.THREAD


def _labels(source: Source) -> list[str] | None:
    """Return the labels that lie beside a model, None without.

    Unreadable ones keep nothing that only the store has from serving.
    """
    try:
        return parse_labels(_text(source.labels)) if source.labels else None
    except MmError:
        if source.kind == "stored":
            return None
        raise


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


def _text(sidecar: Sidecar) -> str:
    descriptor, identity = open_regular(sidecar.path)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor has no path
        if identity.size > _SIDECAR_BYTES:
            raise ModelError("MODEL_INVALID", f"{sidecar.path.name} has {identity.size} bytes: too large")
        try:
            return file.read().decode("utf-8")
        except UnicodeDecodeError:
            raise ModelError("MODEL_INVALID", f"{sidecar.path.name} is not UTF-8 text") from None
