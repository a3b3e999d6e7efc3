"""What an application says to a daemon, and what it hears: ``python conversation.py SOCKET MODELS SPARE``.

The test runs this with the client of either release; it prints one JSON document. MODELS is the model folder, SPARE
holds files that the conversation deploys.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mmclient import Client, MmError

ROW = np.float32([[1, 2, 3, 4]])
MANY = 500
LIMIT_S = 60


def converse(mm: Client, models: Path, spare: Path) -> dict[str, Any]:
    heard: dict[str, Any] = {}
    heard["predict"] = mm.predict("plus", ROW)["y"].tolist()
    heard["version"] = mm.ask("plus", ROW).version
    heard["quantized"] = mm.predict("small", ROW)["y"].tolist()
    heard["dequantized"] = mm.predict("small", ROW, dequantize=True)["y"].tolist()
    heard["by name"] = mm.predict("pair", {"zeta": ROW[:, :2], "alpha": ROW[:, 2:]})["sum"].tolist()
    heard["signature"] = mm.predict("both", ROW[:, :2], signature="plus")["b"].tolist()
    heard["rows"] = mm.predict("plus", np.repeat(ROW, 70, axis=0))["y"].shape
    rows = (np.full(4, number, np.float32) for number in range(MANY))
    heard["many"] = [out["y"][0].item() for out in mm.predict_many("plus", rows)]
    heard["models"] = {one["name"]: (one["state"], one["version"]) for one in mm.models()}
    shown = mm.show("plus")
    heard["show"] = {key: shown[key] for key in ("name", "state", "version", "labels")}
    heard["inputs"] = [one["shape"] for one in shown["signatures"][0]["inputs"]]
    heard["wait"] = mm.wait("plus", timeout=LIMIT_S)["sha256"] == shown["sha256"]
    heard["state"] = mm.status()["state"]
    heard["rows run"] = {one["name"]: one["rows"] for one in mm.ps()["models"]}["plus"] > MANY
    heard["unloaded"] = mm.unload("plus")["state"]
    heard["refused"] = refusal(lambda: mm.predict("plus", ROW))
    heard["loaded"] = mm.load("plus", timeout=LIMIT_S)["state"]
    heard["errors"] = {
        "no model": refusal(lambda: mm.predict("nothing", ROW)),
        "no signature": refusal(lambda: mm.predict("plus", ROW, signature="minus")),
        "no version": refusal(lambda: mm.predict("plus", ROW, version=77)),
        "bad tensor": refusal(lambda: mm.predict("plus", np.zeros((1, 5), np.float32))),
        "bad file": refusal(lambda: mm.wait("broken", timeout=LIMIT_S)),
    }
    heard["is retryable"] = refusal(lambda: mm.wait("plus", version=77, timeout=0.2))[1]  # either side may say it first
    (spare / "other_scale.tflite").rename(models / "small.tflite")  # while this client holds the specs of version 1
    heard["next"] = mm.wait("small", version=2, timeout=LIMIT_S)["version"]
    heard["quantized anew"] = mm.predict("small", ROW)["y"].tolist()
    return heard


def refusal(call: Callable[[], object]) -> tuple[str, bool]:
    """Return the code of the error, and whether it is retryable."""
    try:
        call()
    except MmError as error:
        return error.code, error.retryable
    return "none", False


if __name__ == "__main__":
    socket, models, spare = sys.argv[1:]
    with Client(socket) as mm:
        print(json.dumps(converse(mm, Path(models), Path(spare))))
