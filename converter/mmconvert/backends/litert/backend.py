"""LiteRT and the quantizer, asked from here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmconvert.backends.process.worker import Worker
from mmconvert.cache import Cache, read_json, write_json
from mmconvert.digest import file_digest
from mmconvert.feed import Feed, digest_feeds, load_feeds, save_feeds

_MODEL_FILE, _FACTS_FILE = "model.tflite", "facts.json"


class LiteRTBackend:
    """What becomes of a float model without TensorFlow.

    Args:
        worker: The child process that runs models and quantizes.
        scale: One that does nothing but weigh; its memory is not that of models run before.
        versions: Of the tools; another one makes other results.
    """

    def __init__(
        self, worker: Worker, scale: Worker, cache: Cache, workspace: Path, versions: dict[str, str], keeps_state: bool
    ) -> None:
        self._worker = worker
        self._scale = scale
        self._cache = cache
        self._workspace = workspace
        self._versions = versions
        self._keeps_state = keeps_state

    def describe(self, model: Path) -> dict[str, Any]:
        """Return census, operations and delegate partitions of a file.

        Raises:
            ConvertError: ``CONVERTER_FAILED``, LiteRT refuses the file; or the child ended.
        """
        return self._worker.call("describe", model=str(model))

    def answer(
        self, model: Path, signature: str, feeds: Sequence[Feed], resets: bool = True, plain: bool = False
    ) -> list[Feed]:
        """Return what a file answers to feeds; ``plain`` leaves the delegate's kernels out.

        Raises:
            ConvertError: ``CONVERTER_FAILED``, LiteRT refuses the file or the feeds; or the child ended.
        """
        question = self._workspace / f"question-{digest_feeds(feeds)[:16]}.npz"
        if not question.exists():
            save_feeds(question, feeds)
        output = self._workspace / "produced.npz"
        self._worker.call(
            "run",
            model=str(model),
            signature=signature,
            feeds=str(question),
            output=str(output),
            resets=resets and self._keeps_state,
            plain=plain,
        )
        return load_feeds(output)

    def measure_ranges(self, model: Path, recipe: list[dict[str, Any]], feeds: Mapping[str, list[Feed]]) -> Any:
        """Return the ranges of the tensors over the feeds, by signature, and how they grew.

        Raises:
            ConvertError: ``CONVERTER_FAILED``, the library cannot walk the graph; or the child ended.
        """

        def make(place: Path) -> None:
            files = {}
            for index, (name, rows) in enumerate(feeds.items()):
                files[name] = str(self._workspace / f"ranges-{index}.npz")
                save_feeds(Path(files[name]), rows)
            write_json(place / _FACTS_FILE, self._worker.call("ranges", model=str(model), recipe=recipe, feeds=files))

        digests = {name: digest_feeds(rows) for name, rows in feeds.items()}
        place = self._cache.get("ranges", [file_digest(model), digests, self._versions], make)
        return read_json(place / _FACTS_FILE)

    def quantize(self, model: Path, recipe: list[dict[str, Any]], ranges: Mapping[str, Any] | None) -> Path:
        """Return the model quantized by a recipe.

        Raises:
            ConvertError: ``OP_UNSUPPORTED``, the library has no form for it; or the child ended.
        """

        def make(place: Path) -> None:
            self._worker.call(
                "candidate", model=str(model), recipe=recipe, ranges=ranges, output=str(place / _MODEL_FILE)
            )

        key = [file_digest(model), recipe, ranges, self._versions]
        return self._cache.get("candidate", key, make) / _MODEL_FILE

    def prune(self, model: Path, share: float) -> Path:
        """Return the model with this share of the weights of its 1x1 convolutions left out.

        Raises:
            ConvertError: ``OP_UNSUPPORTED``, it has no such convolution; or the child ended.
        """

        def make(place: Path) -> None:
            self._worker.call("prune", model=str(model), share=share, output=str(place / _MODEL_FILE))

        return self._cache.get("pruned", [file_digest(model), share, self._versions], make) / _MODEL_FILE

    def measure_latency(self, models: Mapping[str, Path], rounds: int, rows: int = 1) -> dict[str, list[float]]:
        """Return the milliseconds of one run in each of some interleaved rounds, by model.

        Raises:
            ConvertError: ``CONVERTER_FAILED``, one of them refuses so many rows; or the child ended.
        """
        files = {name: str(path) for name, path in models.items()}
        return self._worker.call("time", models=files, rounds=rounds, rows=rows)

    def measure_memory(self, models: Mapping[str, Path]) -> dict[str, int | None]:
        """Return the bytes of memory that each model needs of its own; None where it does not survive being run."""
        return self._scale.call("weigh", models={name: str(path) for name, path in models.items()})

    def record_goldens(self, model: Path, feeds: Mapping[str, list[Feed]], has_integers: bool) -> bytes:
        """Return the goldens of a file as they are packed.

        Raises:
            ConvertError: ``CONVERTER_FAILED``, LiteRT refuses the feeds; or the child ended.
        """
        files = {}
        for index, (name, rows) in enumerate(feeds.items()):
            files[name] = str(self._workspace / f"golden-{index}.npz")
            save_feeds(Path(files[name]), rows)
        output = self._workspace / "golden.bin"
        self._worker.call("goldens", model=str(model), feeds=files, has_integers=has_integers, output=str(output))
        return output.read_bytes()
