"""Which runtime is chosen on which box, and that nobody lands on the slower one without being told."""

from __future__ import annotations

import importlib.machinery
import platform
import sys
import types
from typing import Any

import pytest

from mmdaemon.runtime.interface import describe
from mmdaemon.runtime.tflite import selection
from mmdaemon.runtime.tflite.selection import select_runtime
from mmwire.errors import ConfigError


class Box:
    """A box with some runtimes and a kind of processor."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.has()

    def has(self, *packages: str, machine: str = "x86_64") -> None:
        def find_spec(name: str) -> Any:
            return importlib.machinery.ModuleSpec(name, None) if name in packages else None

        self._monkeypatch.setattr(selection, "find_spec", find_spec)
        self._monkeypatch.setattr(platform, "machine", lambda: machine)
        for package in ("ai_edge_litert", "tflite_runtime"):
            module: Any = types.ModuleType(package)
            module.__version__ = "9.9"
            module.__path__ = []
            interpreter: Any = types.ModuleType(f"{package}.interpreter")
            interpreter.Interpreter = object
            self._monkeypatch.setitem(sys.modules, package, module)
            self._monkeypatch.setitem(sys.modules, f"{package}.interpreter", interpreter)
        for adapter in ("litert", "tflite_runtime"):
            self._monkeypatch.delitem(sys.modules, f"mmdaemon.runtime.tflite.{adapter}", raising=False)

    def breaks(self, package: str) -> None:
        """Have its native library missing something."""
        self._monkeypatch.delattr(sys.modules[f"{package}.interpreter"], "Interpreter")


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch) -> Box:
    return Box(monkeypatch)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_litert_is_chosen_wherever_it_is_installed(box: Box, machine: str) -> None:
    box.has("ai_edge_litert", "tflite_runtime", machine=machine)
    runtime, why = select_runtime()
    assert describe(runtime, why) == {
        "name": "ai-edge-litert",
        "version": "9.9",
        "reason": "the default, and installed",
    }


def test_tflite_runtime_where_litert_has_no_wheel(box: Box) -> None:
    box.has("tflite_runtime", machine="armv7l")
    runtime, why = select_runtime()
    document = describe(runtime, why)
    assert document["name"] == "tflite-runtime"
    assert document["reason"] == "ai-edge-litert is not installed and has no wheel for armv7l"
    assert "slower" in document["caution"]


def test_tflite_runtime_beside_a_litert_that_could_be_installed_says_so(box: Box) -> None:
    box.has("tflite_runtime", machine="aarch64")
    assert select_runtime()[1].endswith("would run here: pip install --force-reinstall ai-edge-litert")


@pytest.mark.parametrize(
    ("machine", "hint"),
    [("x86_64", "pip install --force-reinstall ai-edge-litert"), ("armv7l", "mmdaemon[tflite-runtime]")],
)
def test_no_runtime_is_an_error_with_the_way_out(box: Box, machine: str, hint: str) -> None:
    box.has(machine=machine)
    with pytest.raises(ConfigError, match="no runtime is installed") as caught:
        select_runtime()
    assert hint in caught.value.hint


@pytest.mark.parametrize(("machine", "hint"), [("x86_64", "apt install --reinstall"), ("armv7l", "docs/operations.md")])
def test_the_packaged_box_is_not_sent_to_pip(
    box: Box, monkeypatch: pytest.MonkeyPatch, machine: str, hint: str
) -> None:
    monkeypatch.setattr(sys, "prefix", "/usr/lib/mmdaemon")
    box.has(machine=machine)
    with pytest.raises(ConfigError) as caught:
        select_runtime()
    assert hint in caught.value.hint
    assert "pip install" not in caught.value.hint


@pytest.mark.parametrize("package", ["ai_edge_litert", "tflite_runtime"])
def test_a_broken_runtime_is_named_and_not_skipped(box: Box, package: str) -> None:
    box.has(package)
    box.breaks(package)
    with pytest.raises(ConfigError, match="is installed and cannot be loaded") as caught:
        select_runtime()
    assert package.replace("_", "-") in str(caught.value)
