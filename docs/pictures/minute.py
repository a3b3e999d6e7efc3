"""Draw the README's picture from a run of its commands: ``.venv/bin/python -m docs.pictures.minute``.

A daemon runs, both digit models are dropped, and a client asks all the while. The picture shows what the commands
printed and what the client counted. It moves where the viewer lets it; at rest it shows the end.
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
from PIL import Image

from mmclient import Client
from mmwire.errors import MmError

HERE = Path(__file__).resolve().parent
PICTURE = HERE / "minute.svg"
QUICKSTART = HERE.parent / "quickstart"
BIN = Path(sys.executable).parent

_LOOP_S = 14.0
_STEPS_S = (0.0, 0.9, 2.4, 3.6, 4.4, 6.6, 8.2, 9.4, 10.2, 11.4)  # when each thing appears
_MONO = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
_STYLE = f"""text{{font-family:{_MONO};font-size:14px;fill:#e6edf3;white-space:pre}}
.soft{{fill:#9198a1}}.prompt{{fill:#3fb950}}.good{{fill:#3fb950}}.bad{{fill:#f85149}}.name{{fill:#79c0ff}}.small{{font-size:12px}}
.card{{fill:#0d1117;stroke:#3d444d}}.inner{{fill:#161b22;stroke:#3d444d}}.bar{{fill:#238636}}.wrong{{fill:#8e1519}}.rest0{{opacity:0}}
@media (prefers-reduced-motion:reduce){{*{{animation:none!important}}}}"""


@dataclass(frozen=True, slots=True)
class Run:
    """The observations.

    Attributes:
        printed: The output of each command, in order: wait, predict, wait, predict.
        answers: How many answers each version gave to the client that asked all the while.
        failures: How many of its requests failed.
    """

    printed: tuple[str, ...]
    answers: dict[int, int]
    failures: int


def run() -> Run:
    """Run the commands of the README, with a client that asks without a pause from the first version on."""
    with tempfile.TemporaryDirectory(prefix="mm") as text:
        folder = Path(text)
        models, socket = folder / "models", str(folder / "s")
        models.mkdir()
        environment = os.environ | {"MM_SOCKET": socket}
        command = [BIN / "mmdaemon", "--models", models, "--store", folder / "store", "--socket", socket]
        daemon = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        answers: Counter[int] = Counter()
        failures: list[MmError] = []
        is_over = threading.Event()

        def ask() -> None:
            with Image.open(QUICKSTART / "nine.png") as image:
                pixels = np.asarray(image.resize((8, 8), Image.Resampling.BILINEAR), np.float32)[None, ..., None] / 255
            with Client(socket) as client:
                while not is_over.is_set():
                    try:
                        answers[client.ask("digits", pixels).version] += 1
                    except MmError as error:
                        failures.append(error)

        def type_(*words: object) -> str:
            call = [BIN / "mmctl", *map(str, words)]
            return subprocess.run(call, check=True, capture_output=True, text=True, env=environment).stdout.rstrip()

        asking = threading.Thread(target=ask)
        try:
            while not Path(socket).exists():
                time.sleep(0.01)
            printed = []
            for number in (1, 2):
                (models / "digits.tflite").write_bytes((QUICKSTART / f"digits_v{number}.tflite").read_bytes())
                printed.append(type_("wait", "digits", "--version", number))
                if number == 1:
                    asking.start()
                printed.append(type_("predict", "digits", "--top", 2, "-i", QUICKSTART / "nine.png"))
            is_over.set()
            asking.join()
        finally:
            is_over.set()
            daemon.terminate()
            daemon.wait()
    return Run(tuple(printed), dict(answers), len(failures))


def draw(seen: Run) -> str:
    """Return the picture as SVG."""
    first, second = (seen.printed[number].splitlines() for number in (1, 3))
    cp, ask = "cp digits_v{}.tflite models/digits.tflite", "mmctl predict digits --top 2 -i nine.png"
    parts: list[str] = []
    y = 62

    def line(step: int, text: str, kind: str = "", prompt: bool = False) -> None:
        nonlocal y
        head = '<tspan class="prompt">$ </tspan>' if prompt else ""
        parts.append(f'<text x="28" y="{y}" class="{kind} a{step}" xml:space="preserve">{head}{escape(text)}</text>')
        y += 21

    line(0, "mmdaemon --models models &", prompt=True)
    line(1, cp.format(1), prompt=True)
    line(1, "mmctl wait digits", prompt=True)
    line(2, seen.printed[0], "soft")
    line(2, ask, prompt=True)
    for number, text in enumerate(first):
        line(3, text, "bad" if number == 0 else "soft")
    y += 8
    line(5, cp.format(2), prompt=True)
    line(5, "mmctl wait digits", prompt=True)
    line(6, seen.printed[2], "soft")
    line(6, ask, prompt=True)
    for number, text in enumerate(second):
        line(7, text, "good" if number == 0 else "soft")
    y += 14
    line(9, f"a client asked all the while: {sum(seen.answers.values()):,} answers, {seen.failures} failed", "name")
    panels = _panel(first[0], 1, "wrong", "b1 rest0") + _panel(second[0], 2, "bar", "b2")
    image = base64.b64encode((QUICKSTART / "nine.png").read_bytes()).decode()
    height = y + 12
    title = "mmdaemon: drop a model, predict, drop a better one"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="880" height="{height}" viewBox="0 0 880 {height}">'
        f"<title>{title}</title>\n<style>{_STYLE}\n{_motion()}</style>\n"
        f'<rect x="0.5" y="0.5" width="879" height="{height - 1}" rx="10" class="card"/>\n'
        + "".join(f'<circle cx="{24 + 20 * n}" cy="22" r="6" fill="{c}"/>' for n, c in enumerate(_DOTS))
        + "\n"
        + "\n".join(parts)
        + f'\n<image x="604" y="54" width="96" height="96" href="data:image/png;base64,{image}"/>'
        + '\n<text x="604" y="172" class="soft small">nine.png</text>\n'
        + panels
        + "\n</svg>\n"
    )


_DOTS = ("#f85149", "#d29922", "#3fb950")


def _panel(best: str, version: int, bar: str, classes: str) -> str:
    """Return what the daemon says of the picture, as a bar."""
    words = best.split()
    label, percent = words[2], float(words[3])
    return (
        f'<g class="{classes}"><rect x="590" y="192" width="262" height="112" rx="8" class="inner"/>'
        f'<text x="606" y="220">digits <tspan class="name">version {version}</tspan></text>'
        f'<rect x="606" y="236" width="{percent * 2.3:.0f}" height="20" rx="4" class="{bar}"/>'
        f'<text x="606" y="284">{label} {percent:g} %</text></g>\n'
    )


def _motion() -> str:
    """Return when each part appears, and that all of it begins again."""

    def show(name: str, begin_s: float, end_s: float) -> str:
        begin, end = 100 * begin_s / _LOOP_S, 100 * end_s / _LOOP_S
        hidden = f"0%,{begin:.1f}%{{opacity:0}}" if begin else ""
        frames = f"{hidden}{begin + 0.6:.1f}%,{end:.1f}%{{opacity:1}}{min(end + 1, 100):.1f}%,100%{{opacity:0}}"
        return f"@keyframes {name}{{{frames}}}.{name}{{animation:{name} {_LOOP_S:g}s infinite}}"

    lines = [show(f"a{number}", begin_s, _LOOP_S - 0.3) for number, begin_s in enumerate(_STEPS_S)]
    return "".join([*lines, show("b1", _STEPS_S[3], _STEPS_S[7] - 0.2), show("b2", _STEPS_S[7], _LOOP_S - 0.3)])


def main() -> None:
    """Run and draw."""
    seen = run()
    if seen.failures:
        sys.exit(f"{seen.failures} requests failed")
    PICTURE.write_text(draw(seen), "utf-8")
    print(f"{PICTURE}: {seen}")


if __name__ == "__main__":
    main()
