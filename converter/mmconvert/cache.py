"""Results of earlier work, kept under a hash of everything that they depend on: input, data, recipe and tools.

An entry is a folder. It appears whole or not at all, so that a run that is killed loses only its last step.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

FORMAT = "3"  # older entries are not found under another format
MAX_BYTES = 2 << 30


def default_folder() -> Path:
    """Return ``$XDG_CACHE_HOME/mmconvert``, by default ``~/.cache/mmconvert``."""
    root = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(root) / "mmconvert"


class Cache:
    """The entries below one folder.

    Args:
        folder: Created if it does not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def place(self, kind: str, facts: Any) -> Path:
        """Return the folder of a result, which need not exist; the facts are everything that it depends on."""
        text = json.dumps([FORMAT, kind, facts], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return self._folder / f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:40]}"

    def get(self, kind: str, facts: Any, make: Callable[[Path], None]) -> Path:
        """Return the folder of a result; ``make`` fills it if it does not exist yet.

        Raises:
            OSError: The folder cannot be written.
            Exception: ``make`` raised it; nothing is kept then.
        """
        place = self.place(kind, facts)
        if place.is_dir():
            with contextlib.suppress(OSError):
                os.utime(place)
            return place
        making = Path(tempfile.mkdtemp(prefix=".making-", dir=self._folder))
        try:
            make(making)
            with contextlib.suppress(OSError):  # another run made the same result in the meantime
                making.rename(place)
        finally:
            shutil.rmtree(making, ignore_errors=True)
        return place

    def trim(self, max_bytes: int = MAX_BYTES) -> None:
        """Remove the entries that were not used for longest until the rest fits."""
        entries = [(entry.stat().st_mtime, entry) for entry in self._folder.iterdir() if entry.is_dir()]
        left = max_bytes
        for _, entry in sorted(entries, reverse=True):
            left -= sum(path.stat().st_size for path in entry.rglob("*") if path.is_file())
            if left < 0:
                shutil.rmtree(entry, ignore_errors=True)


def write_json(path: Path, document: Any) -> None:
    """Write a document into an entry."""
    path.write_text(json.dumps(document, ensure_ascii=False), "utf-8")


def read_json(path: Path) -> Any:
    """Read what ``write_json`` wrote."""
    return json.loads(path.read_text("utf-8"))
