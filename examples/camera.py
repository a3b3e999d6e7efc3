"""Classify what a camera sees: ``python camera.py MODEL SOURCE``.

SOURCE is a folder of pictures, or a video device such as /dev/video0 (needs OpenCV). One line is printed for each
frame: its best class with the score, and the milliseconds that the answer took.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mmclient import Client, MmError

DEADLINE_S = 0.5  # an older answer is of no use to a live picture


def frames(source: Path) -> Iterator[tuple[str, Image.Image]]:
    """Yield each frame with its name."""
    if source.is_dir():
        for path in sorted(source.iterdir()):
            if path.suffix.lower() in (".png", ".jpg", ".jpeg", ".bmp"):
                with Image.open(path) as picture:
                    yield path.name, picture.convert("RGB")
        return
    import cv2

    camera = cv2.VideoCapture(str(source), cv2.CAP_V4L2)
    camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # so that read() gives the newest frame, not the oldest that waits
    number = 0
    while True:
        is_read, pixels = camera.read()
        if not is_read:
            raise SystemExit(f"{source}: expected a frame, got none; is the camera in use?")
        number += 1
        yield f"frame {number}", Image.fromarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))


def as_input(frame: Image.Image, opened: Any) -> np.ndarray:
    """Return a frame in the size and the numbers that the model takes."""
    [tensor] = opened.spec.inputs
    height, width, channels = tensor.shape[-3:]
    pixels = np.asarray(frame.convert("L" if channels == 1 else "RGB").resize((width, height)))
    pixels = pixels.reshape(1, height, width, channels)
    if tensor.dtype == "uint8":
        return pixels
    if tensor.dtype == "int8":
        return (pixels.astype(np.int16) - 128).astype(np.int8)
    return ((pixels - opened.image_mean) / opened.image_scale).astype(np.float32)


def main() -> int:
    parser = argparse.ArgumentParser(description="Classify what a camera sees.")
    parser.add_argument("model")
    parser.add_argument("source", type=Path, help="a folder of pictures, or a device such as /dev/video0")
    arguments = parser.parse_args()
    with Client() as mm:
        labels = mm.show(arguments.model)["labels"]
        for name, frame in frames(arguments.source):
            begin = time.monotonic()
            try:
                opened = mm.open(
                    arguments.model
                )  # at no cost while the model stays; a new version may have another size
                outputs = mm.predict(arguments.model, as_input(frame, opened), dequantize=True, timeout=DEADLINE_S)
            except MmError as error:
                if not error.retryable:
                    raise
                print(f"{name}: dropped ({error.code})")
                continue
            scores = next(iter(outputs.values())).ravel()
            best = int(scores.argmax())
            label = labels[best] if best < len(labels) else str(best)
            print(f"{name}: {label} {scores[best]:.3f} ({1000 * (time.monotonic() - begin):.1f} ms)")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MmError as error:
        sys.exit(f"{error.message}\n{error.hint}")
