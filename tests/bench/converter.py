"""``make bench-converter``: the search on four real models beside every single recipe, and the time that it takes.

Every model is converted once with each explicit form (a single recipe) and once by the search. Then all files run in
turns in one process, so that the ratios compare times of the same moment. Inputs are real where there are some: digits
with their classes, and crops of photographs without classes for the two vision models. Keyword spotting gets random
rows, since its recordings are not here.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_sample_images
from tests.bench.daemon import BIN, INSTALLED

ROOT = Path(__file__).resolve().parents[2]
REAL = Path(os.environ.get("MM_REAL_MODELS", ROOT.parent / "shared" / "models"))
PHOTOGRAPHS = ("cat.bmp", "grace_hopper.bmp", "sunflower.bmp")
# The values of --quantize, and the names of these forms in the search.
SINGLE = {
    "float32": "float32",
    "float16": "float16",
    "dynamic": "dynamic_int8",
    "int8": "static_int8",
    "int16x8": "int16x8",
}
ROUNDS = 31
ROUND_S = 0.01
# Where TensorFlow must not be imported, importing it ends the run.
FORBIDDEN = "raise SystemExit('TensorFlow was imported')\n"


@dataclass(frozen=True, slots=True)
class Subject:
    """A model to convert, and the options to convert it with."""

    name: str
    source: Path
    options: tuple[str, ...]


def crops(count: int, side: int, scale: float, seed: int) -> NDArray[np.float32]:
    """Return squares cut out of photographs, of all sizes, as ``[count, side, side, 3]``."""
    chance = np.random.default_rng(seed)
    images = [Image.open(REAL / name).convert("RGB") for name in PHOTOGRAPHS]
    images += [Image.fromarray(image) for image in load_sample_images().images]
    rows = []
    for number in range(count):
        image = images[number % len(images)]
        size = int(chance.integers(side, min(image.size)))
        left, top = (int(chance.integers(0, edge - size + 1)) for edge in image.size)
        square = image.crop((left, top, left + size, top + size)).resize((side, side), Image.Resampling.BILINEAR)
        rows.append(np.asarray(square, np.float32) * np.float32(scale))
    return np.stack(rows)


def subjects(folder: Path) -> list[Subject]:
    """Make the data; return the models to convert."""
    train = subprocess.run(
        [sys.executable, ROOT / "docs/demo/train.py", folder], capture_output=True, text=True, check=False
    )
    assert train.returncode == 0, train.stderr[-2000:]
    held_out = np.load(folder / "held_out.npz")
    rows = held_out["images"][..., None] / np.float32(255)
    np.savez(folder / "digits_eval.npz", pixels=rows, labels=held_out["answers"])
    digits = ("--calibration", str(folder / "calibration.npz"), "--eval", str(folder / "digits_eval.npz"))
    found = [Subject("digits", folder / "digits_v2", digits)]
    makers: dict[str, tuple[str, Callable[[int, int], NDArray[np.float32]]]] = {
        "kws": ("kws_ref_model", lambda count, seed: np.random.default_rng(seed).normal(0, 10, (count, 49, 10, 1))),
        "vww": ("vww_96.h5", lambda count, seed: crops(count, 96, 1 / 255, seed)),
        "resnet": ("pretrainedResnet.h5", lambda count, seed: crops(count, 32, 1.0, seed)),
    }
    for name, (source, make) in makers.items():
        if not (REAL / source).exists():
            print(f"{name}: skipped, {REAL / source} is not there (MM_REAL_MODELS)")
            continue
        np.save(folder / f"{name}.npy", make(200, 1).astype(np.float32))
        np.save(folder / f"{name}_eval.npy", make(300, 2).astype(np.float32))
        data = ("--calibration", str(folder / f"{name}.npy"), "--eval", str(folder / f"{name}_eval.npy"))
        found.append(Subject(name, REAL / source, data))
    return found


def convert(
    folder: Path, subject: Subject, form: str, cache: str = "recipes", **environment: str
) -> tuple[dict[str, Any], float]:
    """Run the command as a user does; return its document and the seconds that it took."""
    command = [BIN / "mmconvert", subject.source, "--name", subject.name, "--quantize", form, "--json"]
    command += [*subject.options, "-o", folder / f"{subject.name}-{form}.tflite"]
    began = time.perf_counter()
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**INSTALLED, "XDG_CACHE_HOME": str(folder / f"cache-{cache}"), **environment},
    )
    took = time.perf_counter() - began
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout), took


def measure(files: Mapping[str, Path]) -> dict[str, list[float]]:
    """Run all files in turns, ``ROUND_S`` for each; return their microseconds for one row."""
    interpreters = {}
    for form, path in files.items():
        made = interpreters[form] = Interpreter(model_path=str(path), num_threads=1)
        made.allocate_tensors()
        made.invoke()
    took: dict[str, list[float]] = {form: [] for form in files}
    for _ in range(ROUNDS):
        for form, interpreter in interpreters.items():
            times = []
            end = time.perf_counter() + ROUND_S
            while not times or time.perf_counter() < end:
                began = time.perf_counter()
                interpreter.invoke()
                times.append(time.perf_counter() - began)
            took[form].append(statistics.median(times) * 1e6)
    return took


def ratio(mine: list[float], theirs: list[float]) -> str:
    """Return how many times as fast one file is as the other, with the middle half of the rounds."""
    rounds = sorted(other / own for own, other in zip(mine, theirs, strict=True))
    quarter = len(rounds) // 4
    return f"{statistics.median(rounds):.2f} ({rounds[quarter]:.2f} to {rounds[-1 - quarter]:.2f})"


def report_on(folder: Path, subject: Subject) -> None:
    """Convert one model in every way, measure, print."""
    files = {}
    for form in SINGLE:
        document, _ = convert(folder, subject, form)
        if document["output"] is not None and document["verdict"].startswith("LITE"):
            files[form] = folder / document["output"]
        else:
            print(f"  {form}: {document['verdict']}, {document['reason']}")
    convert(folder, subject, "float32", "search")  # now the cache holds the float model, and nothing else
    found, search_s = convert(folder, subject, "auto", "search")
    trap = folder / "trap" / "tensorflow"
    trap.mkdir(parents=True, exist_ok=True)
    (trap / "__init__.py").write_text(FORBIDDEN)
    again, again_s = convert(folder, subject, "auto", "search", PYTHONPATH=str(trap.parent))
    assert again["sha256"] == found["sha256"]
    took = measure({**files, "auto": folder / found["output"]})
    refusals = {candidate["name"]: candidate["refusal"] for candidate in found["search"]["candidates"]}
    allowed = [form for form in files if not refusals.get(SINGLE[form])]
    best = min(allowed, key=lambda form: statistics.median(took[form]))
    print(f"{subject.name}: {found['verdict']}, {found['reason']}")
    for form in took:
        size = (files.get(form) or folder / found["output"]).stat().st_size
        refusal = refusals.get(SINGLE.get(form, ""), "")
        print(f"  {form:9} {statistics.median(took[form]):8.1f} us {size / 1e3:8.1f} KB  {refusal}")
    drop = found["drop"]
    print(f"  the search's model / the fastest single recipe ({best}): {ratio(took['auto'], took[best])} times as fast")
    print(f"  the search's model / float32: {ratio(took['auto'], took['float32'])} times as fast")
    print(f"  accuracy given up: {drop['estimate']:.2%}, at most {drop['high']:.2%} (95 %); 1 % allowed")
    print(f"  search, once the float model is there: {search_s:.1f} s; again: {again_s:.1f} s, no TensorFlow")


def report() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for subject in subjects(folder):
            report_on(folder, subject)


if __name__ == "__main__":
    report()
