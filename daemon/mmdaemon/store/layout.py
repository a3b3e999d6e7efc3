"""The store's folders."""

from __future__ import annotations

import contextlib
import errno
import shutil
from dataclasses import dataclass
from pathlib import Path

from mmdaemon.store.durable import make_folder
from mmwire.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Layout:
    """The places beneath the root of the store."""

    root: Path

    @property
    def blobs(self) -> Path:
        """Models by the SHA-256 of their bytes."""
        return self.root / "blobs"

    @property
    def names(self) -> Path:
        """One record for each model name."""
        return self.root / "names"

    @property
    def trials(self) -> Path:
        """The results of trials; the folder keeps the name that the first release gave it."""
        return self.root / "verdicts"

    @property
    def tmp(self) -> Path:
        """Files that have no name yet."""
        return self.root / "tmp"

    @property
    def lock(self) -> Path:
        """Held by the one daemon that uses the store."""
        return self.root / "lock"

    def prepare(self) -> None:
        """Make what is missing. On a full or read-only disk this does nothing: blobs then live in memory.

        Raises:
            ConfigError: ``CONFIG_INVALID``: the root is not a folder that this user may use.
        """
        try:
            self.root.parent.mkdir(parents=True, exist_ok=True)
            for folder in (self.root, self.blobs, self.names, self.trials, self.tmp):
                make_folder(folder)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
                return
            raise ConfigError(
                "CONFIG_INVALID",
                f"the store {self.root} cannot be used: {error.strerror}",
                "choose another folder with --store, or give this one to the user of the daemon",
            ) from None

    def sweep(self) -> None:
        """Remove what a crash left in ``tmp``. Only the holder of the lock may do that."""
        with contextlib.suppress(OSError):
            for path in self.tmp.iterdir():
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)
