"""What the store's tests share: a store, and a power cut."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmdaemon.store.layout import Layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "store")
    layout.prepare()
    return layout


class PowerCutError(BaseException):
    """The process is gone; nothing may handle this."""


class Power:
    """Counts the calls that change the disk; the one before which the power goes, and all after it, do not happen."""

    error = PowerCutError

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.cut_at: int | None = None

    def step(self, name: str) -> None:
        if self.cut_at is not None and len(self.steps) >= self.cut_at:
            raise PowerCutError(name)
        self.steps.append(name)


@pytest.fixture
def power(monkeypatch: pytest.MonkeyPatch) -> Power:
    power = Power()

    def wrap(module: Any, name: str) -> None:
        real: Callable[..., Any] = getattr(module, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            power.step(_described(name, args))
            return real(*args, **kwargs)

        monkeypatch.setattr(module, name, call)

    for name in ("fsync", "replace", "rename", "unlink", "mkdir", "fchmod", "write", "ftruncate"):
        wrap(os, name)
    wrap(tempfile, "mkstemp")
    return power


def _described(name: str, args: tuple[Any, ...]) -> str:
    if name == "fsync":
        place = Path(f"/proc/self/fd/{args[0]}").readlink()
        return f"fsync {'folder ' + place.name if place.is_dir() else 'file'}"
    return name
