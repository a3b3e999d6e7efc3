"""WAV files: 16-bit, one channel."""

from __future__ import annotations

import wave

import numpy as np

from mmclient.array import Array
from mmwire.errors import RequestError


def read(path: str) -> Array:
    """Return the samples as float32 in [-1, 1), at the file's own sample rate.

    Shape: ``[samples]``

    Raises:
        RequestError: ``BAD_INPUT``: not a WAV file, or not 16-bit mono.
    """
    try:
        with wave.open(path, "rb") as file:
            channels, width, frames = file.getnchannels(), file.getsampwidth(), file.readframes(file.getnframes())
    except OSError as error:
        raise RequestError("BAD_INPUT", f"{path} cannot be read: {error.strerror or error}") from None
    except (wave.Error, EOFError) as error:
        raise RequestError("BAD_INPUT", f"{path} is not a WAV file: {error}") from None
    if (channels, width) != (1, 2):
        raise RequestError(
            "BAD_INPUT",
            f"{path}: expected 16-bit mono, got {8 * width}-bit with {channels} channels",
            "convert the file first, or give the samples as .npy",
        )
    return np.frombuffer(frames, "<i2").astype(np.float32) / np.float32(32768)
