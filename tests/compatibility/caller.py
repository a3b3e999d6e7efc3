"""Calls a daemon without a pause: ``python caller.py SOCKET CALLS STOP``.

Appends one byte to the file CALLS for each answer, ends when something is written to the FIFO STOP, and prints which
versions answered and what failed.
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

import numpy as np

from mmclient import Client, MmError

ROW = np.ones((1, 4), np.float32)


def main(socket: str, calls: str, stop: str) -> None:
    is_stopping = threading.Event()

    def listen() -> None:
        Path(stop).read_text()
        is_stopping.set()

    threading.Thread(target=listen, daemon=True).start()
    versions: set[int] = set()
    failures: list[str] = []
    with Client(socket) as mm, Path(calls).open("ab", buffering=0) as counter:
        while not is_stopping.is_set():
            try:
                versions.add(mm.ask("m", ROW).version)
                counter.write(b".")
            except MmError as error:
                failures.append(f"{error.code}: {error}")
    print(json.dumps({"versions": sorted(versions), "failures": failures}))


if __name__ == "__main__":
    main(*sys.argv[1:])
