"""LiteRT and litert-quantizer, as the stages ask them."""

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
    """Makes, runs, times and weighs ``.tflite`` files.

    Args:
        worker: The child process that runs models and quantizes.
        scale: Another child that only weighs models: memory left by models that ran before must not count.
        folder: Private folder for what travels to and from the children.
        versions: Of the tools; other versions make other results.
    """

    def __init__(self, worker: Worker, scale: Worker, cache: Cache, folder: Path, versions: Mapping[str, str]) -> None:
        self._worker = worker
        self._scale = scale
        self._cache = cache
        self._folder = folder
        self._versions = versions

    def describe(self, model: Path) -> dict[str, Any]:
        """Return census, operations, signatures and delegate partitions of a file.

        Raises:
            ConvertError: ``CONVERTER_FAILED``: LiteRT refuses the file; or the child ended.
        """
        return self._worker.call("describe", model=str(model))

    def answer(self, model: Path, signature: str, feeds: Sequence[Feed], resets: bool = True) -> list[Feed]:
        """Return what a file answers to feeds.

        Args:
            model: The file.
            signature: The signature that is called.
            feeds: Rows or batches.
            resets: Whether a model with state starts each feed as it was loaded.

        Raises:
            ConvertError: ``CONVERTER_FAILED``: LiteRT refuses the file or the feeds; or the child ended.
        """
        question = self._folder / f"question-{digest_feeds(feeds)[:16]}.npz"
        if not question.exists():
            save_feeds(question, feeds)
        output = self._folder / "answers.npz"
        self._worker.call(
            "answer", model=str(model), signature=signature, feeds=str(question), output=str(output), resets=resets
        )
        return load_feeds(output)

    def measure_ranges(self, model: Path, recipe: list[dict[str, Any]], feeds: Mapping[str, list[Feed]]) -> Any:
        """Return the ranges of the tensors over the feeds of every signature, and how they grew.

        Raises:
            ConvertError: ``CONVERTER_FAILED``: litert-quantizer cannot walk the graph; or the child ended.
        """

        def make(place: Path) -> None:
            files = self._save(feeds, "ranges")
            write_json(place / _FACTS_FILE, self._worker.call("ranges", model=str(model), recipe=recipe, feeds=files))

        digests = {name: digest_feeds(rows) for name, rows in feeds.items()}
        place = self._cache.get("ranges", [file_digest(model), digests, self._versions], make)
        return read_json(place / _FACTS_FILE)

    def quantize(self, model: Path, recipe: list[dict[str, Any]], ranges: Mapping[str, Any] | None) -> Path:
        """Return the model quantized by a recipe.

        Raises:
            ConvertError: ``OP_UNSUPPORTED``: litert-quantizer has no form for it; or the child ended.
        """

        def make(place: Path) -> None:
            output = str(place / _MODEL_FILE)
            self._worker.call("candidate", model=str(model), recipe=recipe, ranges=ranges, output=output)

        key = [file_digest(model), recipe, ranges, self._versions]
        return self._cache.get("candidate", key, make) / _MODEL_FILE

    def prune(self, model: Path, share: float) -> Path:
        """Return the model with this share of the weights of its 1x1 convolutions left out.

        Raises:
            ConvertError: ``OP_UNSUPPORTED``: it has no such convolution; or the child ended.
        """

        def make(place: Path) -> None:
            self._worker.call("prune", model=str(model), share=share, output=str(place / _MODEL_FILE))

        return self._cache.get("pruned", [file_digest(model), share, self._versions], make) / _MODEL_FILE

    def measure_latency(self, models: Mapping[str, Path], rounds: int, rows: int = 1) -> dict[str, list[float]]:
        """Return, for each model, the milliseconds of one run in each of some interleaved rounds.

        Raises:
            ConvertError: ``CONVERTER_FAILED``: a model refuses so many rows; or the child ended.
        """
        files = {name: str(path) for name, path in models.items()}
        return self._worker.call("time", models=files, rounds=rounds, rows=rows)

    def measure_memory(self, models: Mapping[str, Path]) -> dict[str, int | None]:
        """Return the bytes of memory that each model needs of its own; None where running it kills the process."""
        return self._scale.call("weigh", models={name: str(path) for name, path in models.items()})

    def record_goldens(self, model: Path, feeds: Mapping[str, list[Feed]], has_integers: bool) -> bytes:
        """Return the goldens of a file, packed.

        Raises:
            ConvertError: ``CONVERTER_FAILED``: LiteRT refuses the feeds; or the child ended.
        """
        files, output = self._save(feeds, "golden"), self._folder / "golden.bin"
        self._worker.call("goldens", model=str(model), feeds=files, has_integers=has_integers, output=str(output))
        return output.read_bytes()

    def _save(self, feeds: Mapping[str, list[Feed]], stem: str) -> dict[str, str]:
        """Write the feeds of each signature to a file of its own; return the files by signature."""
        files = {}
        for index, (name, rows) in enumerate(feeds.items()):
            files[name] = str(self._folder / f"{stem}-{index}.npz")
            save_feeds(Path(files[name]), rows)
        return files
