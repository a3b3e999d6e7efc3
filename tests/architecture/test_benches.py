"""Benches are run by hand; here they are only imported, so that a name that moved is noticed."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

BENCHES = sorted(path.stem for path in (Path(__file__).parents[1] / "bench").glob("*.py") if path.stem != "__main__")
NEEDS_CONVERTER = ("converter",)  # imports what only the convert extra and the tests' own packages bring


@pytest.mark.parametrize(
    "bench",
    [pytest.param(name, marks=pytest.mark.tensorflow) if name in NEEDS_CONVERTER else name for name in BENCHES],
)
def test_a_bench_finds_what_it_imports(bench: str) -> None:
    assert importlib.import_module(f"tests.bench.{bench}")
