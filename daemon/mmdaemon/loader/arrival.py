"""Bringing one source up: into the store, through the probe, into the runtime."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mmdaemon.folder.opening import open_regular
from mmdaemon.folder.snapshot import Sidecar, Source
from mmdaemon.loader.arrived import Arrived, Refused
from mmdaemon.loader.instances import Instances, Recipe
from mmdaemon.loader.records import Records
from mmdaemon.runtime.interface import Runtime, Traits
from mmdaemon.scheduler.deployment import Deployment
from mmdaemon.store.blob import Blobs, OpenBlob
from mmdaemon.store.verdict import Verdict, Verdicts, verdict_key
from mmwire.errors import MmError, ModelError
from mmwire.manifest import ModelOptions, parse_labels, parse_options
from mmwire.tflite import ModelState

_SIDECAR_BYTES = 4 * 1024 * 1024  # the labels of ImageNet take 22 KB

# Tries a blob in a throw-away process.
Check = Callable[[OpenBlob, int], Verdict]


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

    Thread: ``bring_up`` by any loader thread, one at a time for a name; the rest by any.
    """

    def __init__(
        self,
        records: Records,
        blobs: Blobs,
        verdicts: Verdicts,
        check: Check,
        runtime: Runtime,
        instances: Instances,
        bounds: Bounds,
    ) -> None:
        self.next_version = records.next_version
        self.is_stored = records.is_stored
        self.is_unloaded = records.is_unloaded
        self.set_unloaded = records.set_unloaded
        self.is_kept = records.is_kept
        self.on_serving = records.on_serving
        self._records = records
        self._blobs = blobs
        self._verdicts = verdicts
        self._check = check
        self._runtime = runtime
        self._instances = instances
        self._bounds = bounds

    def bring_up(self, source: Source, number: int) -> Arrived | Refused:
        """Store, try, load and warm up; see ``Arrivals``."""
        sha256 = ""
        try:
            self._require_servable(source)
            number, sha256 = self._records.known(source) or self._store(source)
            options = parse_options(_text(source.options)) if source.options else ModelOptions()
            try:
                blob = self._blobs.open(sha256)
            except ModelError:  # damaged, or collected since it last served
                number, sha256 = self._store(source)
                blob = self._blobs.open(sha256)
            try:
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

    def _require_servable(self, source: Source) -> None:
        if source.kind == "saved_model":
            raise ModelError(
                "MODEL_INVALID",
                "a SavedModel folder, which is not served as it is",
                f"mmconvert {source.path} --name {source.name} --publish {_folder_of(source)}, "
                "then move the SavedModel out of the model folder",
            )
        if source.identity.size > self._bounds.max_model_bytes:
            raise ModelError(
                "MODEL_INVALID",
                f"the file has {source.identity.size} bytes, the limit is {self._bounds.max_model_bytes}",
                "raise models.max_model_mb",
            )

    def _store(self, source: Source) -> tuple[int, str]:
        blob = self._blobs.ingest(source.path)
        return self._records.put(source, blob.sha256), blob.sha256

    def _load(self, source: Source, number: int, blob: OpenBlob, options: ModelOptions) -> Arrived:
        threads = min(options.threads, self._bounds.cores)
        sidecar = parse_labels(_text(source.labels)) if source.labels else None  # first: nothing is loaded in vain
        verdict = self._verdict(blob, threads)
        recipe = Recipe(self._runtime, blob, threads, Traits(verdict.batch, ModelState(verdict.state)))
        instance = self._instances.load(recipe)
        deployment = Deployment(
            source.name,
            number,
            instance.signatures,
            threads,
            min(options.max_instances or self._bounds.cores, max(1, self._bounds.cores // threads)),
            [instance],
            max_run_s=options.max_run_s,
        )
        self._instances.adopt(deployment, recipe)
        labels = verdict.labels if sidecar is None else sidecar
        return Arrived(deployment, blob.sha256, labels, options, _traits(verdict, blob))

    def _verdict(self, blob: OpenBlob, threads: int) -> Verdict:
        key = verdict_key(blob.sha256, self._runtime.name, self._runtime.version, self._bounds.cpu)
        verdict = self._verdicts.get(key)
        if verdict is None:
            verdict = self._check(blob, threads)
            self._verdicts.put(key, verdict)
        if not verdict.ok:
            raise verdict.error()
        return verdict


def _text(sidecar: Sidecar) -> str:
    descriptor, identity = open_regular(sidecar.path)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor has no path
        if identity.size > _SIDECAR_BYTES:
            raise ModelError("MODEL_INVALID", f"{sidecar.path.name} has {identity.size} bytes: too large")
        try:
            return file.read().decode("utf-8")
        except UnicodeDecodeError:
            raise ModelError("MODEL_INVALID", f"{sidecar.path.name} is not UTF-8 text") from None


def _folder_of(source: Source) -> str:
    return str(source.path.parent if source.version is None else source.path.parent.parent)


def _traits(verdict: Verdict, blob: OpenBlob) -> dict[str, Any]:
    return {
        "bytes": blob.size,
        "batch": verdict.batch,
        "state": verdict.state,
        "load_ms": verdict.load_ms,
        "run_us": verdict.run_us,
        "memory_bytes": verdict.memory_bytes,
    }
