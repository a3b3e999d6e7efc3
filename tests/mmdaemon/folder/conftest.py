"""What the folder's tests share: a folder that an unprivileged user may reach, and becoming that user."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

NOBODY = 65534


@pytest.fixture
def models() -> Iterator[Path]:
    root = Path(tempfile.mkdtemp()).resolve()
    root.chmod(0o755)
    yield root
    shutil.rmtree(root)


@contextlib.contextmanager
def _unprivileged() -> Iterator[None]:
    if os.geteuid() != 0:
        yield
        return
    os.setegid(NOBODY)
    os.seteuid(NOBODY)  # the kernel drops the capability to read everything with it
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@pytest.fixture
def unprivileged() -> Callable[[], AbstractContextManager[None]]:
    return _unprivileged
