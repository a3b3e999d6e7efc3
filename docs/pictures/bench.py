"""Draw what ``make bench`` measured: ``.venv/bin/python -m docs.pictures.bench [--draw]``.

It runs the bench, keeps its words with machine and date in ``bench.txt``, and draws ``bench.svg`` from them;
``--draw`` only draws.
"""

from __future__ import annotations

import platform
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from docs.pictures.drawing import Drawing, write
from tests.bench.models import CLASSES

HERE = Path(__file__).resolve().parent
WORDS = HERE / "bench.txt"
PICTURE = HERE / "bench.svg"

_NUMBER = r"\s+([\d.]+)"
_ROW = re.compile(r"(.{14})" + _NUMBER * 2 + r" \|" + _NUMBER * 6 + r" \|" + _NUMBER + r" \|" + _NUMBER * 2)
_LEFT, _RIGHT = 290, 800
_NAME_WIDTH = 190
_TITLES = {
    "ad01_int8": "anomaly detector, int8",
    "kws_ref_model": "keyword spotter, int8",
    "tf2_mobilenet_v2_1.0_224_ptq": "MobileNetV2, uint8",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One model's line, in microseconds unless said otherwise.

    Attributes:
        model: The file that was measured.
        invoke: The runtime alone, in one process.
        library: ``Client.predict``.
        rps: Answers a second to four clients.
    """

    model: str
    invoke: float
    library: float
    rps: float


def measure() -> str:
    """Run the bench; return machine, date and its words."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    head = f"{cpu[1] if cpu else platform.machine()}; Python {platform.python_version()}; {time.strftime('%Y-%m-%d')}\n"
    command = [sys.executable, "-m", "tests.bench"]
    return head + subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def read(words: str) -> list[Row]:
    """Return the lines of the models."""
    rows = []
    for line in words.splitlines():
        if match := _ROW.match(line):
            invoke, _, _, _, _, _, rps, _, library, *_ = map(float, match.groups()[1:])
            rows.append(Row(CLASSES[match[1].strip()][0].removesuffix(".tflite"), invoke, library, rps))
    return rows


def draw(words: str) -> Drawing:
    """Return the picture: the model alone, and a call of the library, which asks the daemon."""
    rows = read(words)
    machine, cores = words.splitlines()[0], words.splitlines()[1].partition(";")[0]
    drawing = Drawing(
        900,
        84 + len(rows) * 92 + 46,
        "The cost of a call through the daemon",
        "For each model: the time of the model alone, and of Client.predict, which asks the daemon.",
    )
    drawing.text(24, 36, "The cost of a call through the daemon", "ink bold")
    drawing.text(24, 56, "median of one client's calls; each model has a scale of its own", "soft small")
    y = 84
    for row in rows:
        drawing.text(24, y + 16, _TITLES.get(row.model, row.model), "ink bold")
        drawing.text(24, y + 34, f"{row.model}.tflite", "soft small")
        drawing.text(24, y + 52, f"4 clients: {row.rps:,.0f} answers a second", "soft small")
        bars = (("the model alone, in process", row.invoke, "plain"), ("Client.predict", row.library, "green"))
        most = max(time_us for _, time_us, _ in bars)
        for number, (name, time_us, kind) in enumerate(bars):
            top = y + number * 30
            width = (_RIGHT - _LEFT) * time_us / most
            drawing.rectangle(_LEFT, top, width, 24, kind, radius=4)
            is_inside = width > _NAME_WIDTH
            shown = f"{time_us:,.0f} µs"
            drawing.text(_LEFT + width + 8, top + 17, shown if is_inside else f"{shown}, {name}", "ink small")
            if is_inside:
                drawing.text(_LEFT + 8, top + 17, name, "ink small")
        y += 92
    drawing.text(24, y + 16, f"make bench, {cores}, shared with other work; {machine}", "soft small")
    return drawing


def main() -> None:
    """Measure, keep, draw."""
    if "--draw" not in sys.argv:
        WORDS.write_text(measure(), "utf-8")
    write(draw(WORDS.read_text("utf-8")), PICTURE)


if __name__ == "__main__":
    main()
