"""Draw every picture of these pages that follows from the code: ``.venv/bin/python -m docs.pictures.draw``.

``docs.pictures.minute`` and ``docs.pictures.bench`` draw what a run on this machine shows; ``make.py`` photographs the
converter's report.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from docs.pictures import locks, paths, processes, states, swap
from docs.pictures.drawing import Drawing, write

HERE = Path(__file__).resolve().parent
PICTURES: dict[str, Callable[[], Drawing]] = {
    "paths": paths.draw,
    "locks": locks.draw,
    "processes": processes.draw,
    "states": states.draw_version,
    "names": states.draw_name,
    "swap": swap.draw,
}


def main() -> None:
    """Draw them all."""
    for name, draw in PICTURES.items():
        write(draw(), HERE / f"{name}.svg")


if __name__ == "__main__":
    main()
