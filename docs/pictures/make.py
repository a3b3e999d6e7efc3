"""Make `report.png`: a search on real handwritten digits, and its report as a headless Chromium draws it.

Usage: ``.venv/bin/python docs/pictures/make.py``, with Chromium on the PATH or named in MM_CHROMIUM. It prints the
command with what it answered, as docs/converter.md shows it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).resolve().parent
PICTURE = HERE / "report.png"
COMMAND = "mmconvert digits --calibration images --publish models --report report.html"
WINDOW = (960, 1280)
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-device-scale-factor=1")


def prepare(folder: Path) -> None:
    """Train the digits of the demo, and write those held out as images, in one folder a class."""
    subprocess.run([sys.executable, HERE.parent / "demo/train.py", folder], check=True, capture_output=True)
    (folder / "digits_v2").rename(folder / "digits")
    (folder / "models").mkdir()
    held_out = np.load(folder / "held_out.npz")
    for number, (pixels, digit) in enumerate(zip(held_out["images"], held_out["answers"], strict=True)):
        place = folder / "images" / str(digit)
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place / f"{number:03}.png")


def photograph(chromium: str, page: Path, profile: Path) -> None:
    """Write the upper part of a page as the picture."""
    width, height = WINDOW
    shot = page.with_suffix(".png")
    options = (*FLAGS, f"--user-data-dir={profile}", f"--screenshot={shot}", f"--window-size={width},{height}")
    subprocess.run([chromium, *options, page.as_uri()], check=True, capture_output=True)
    with Image.open(shot) as image:
        image.convert("RGB").save(PICTURE, optimize=True)


def main() -> None:
    """Train, search, photograph."""
    chromium = os.environ.get("MM_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("no Chromium on the PATH: apt-get install chromium, or name one in MM_CHROMIUM")
    with tempfile.TemporaryDirectory(prefix="mmpictures-") as text:
        folder = Path(text)
        prepare(folder)
        print(f"$ {COMMAND}")
        words = COMMAND.split()[1:]
        done = subprocess.run([sys.executable, "-m", "mmconvert", *words, "--no-cache"], cwd=folder, check=False)
        if done.returncode:
            sys.exit(done.returncode)
        page = (folder / "report.html").read_text("utf-8").replace(" --no-cache", "")
        (folder / "report.html").write_text(page, "utf-8")
        photograph(chromium, folder / "report.html", folder / "profile")
    print(f"{PICTURE}: {PICTURE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
