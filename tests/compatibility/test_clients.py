"""A client of one release and a daemon of another one understand each other."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmwire.errors import EXIT_REFUSED, EXIT_RETRYABLE
from rig import tiny_tflite as tiny
from rig.release import Release, ReleaseDaemon
from rig.waiting import LIMIT_S

CONVERSATION = Path(__file__).with_name("conversation.py")
PAIRS = [("old", "new"), ("new", "old")]
Start = Callable[[Release, Path], ReleaseDaemon]

HEARD = {
    "predict": [[2, 3, 4, 5]],
    "version": 1,
    "quantized": [[12, 14, 16, 18]],
    "dequantized": [[1, 2, 3, 4]],
    "by name": [[31, 42]],
    "signature": [[2, 3]],
    "rows": [70, 4],
    "many": [number + 1 for number in range(500)],
    "models": {
        "both": ["ready", 1],
        "broken": ["quarantined", 1],
        "pair": ["ready", 1],
        "plus": ["ready", 1],
        "small": ["ready", 1],
    },
    "show": {"name": "plus", "state": "ready", "version": 1, "labels": ["a", "b", "c", "d"]},
    "inputs": [[-1, 4]],
    "wait": True,
    "state": "ready",
    "rows run": True,
    "unloaded": "unloaded",
    "refused": ["MODEL_UNLOADED", False],
    "loaded": "ready",
    "errors": {
        "no model": ["MODEL_NOT_FOUND", False],
        "no signature": ["SIGNATURE_NOT_FOUND", False],
        "no version": ["VERSION_NOT_SERVED", False],
        "bad tensor": ["BAD_TENSOR", False],
        "bad file": ["MODEL_QUARANTINED", False],
    },
    "is retryable": True,
    "next": 2,
    "quantized anew": [[-1, 3, 7, 11]],
}


def serve(start: Start, release: Release, folder: Path) -> ReleaseDaemon:
    """Start a daemon with the models that the conversation speaks of."""
    models = folder / "models"
    models.mkdir()
    (models / "plus.tflite").write_bytes(tiny.add_constant(1))
    (models / "plus.labels.txt").write_text("a\nb\nc\nd\n")
    (models / "small.tflite").write_bytes(tiny.quantized(scale=0.5, zero_point=10))
    (models / "pair.tflite").write_bytes(tiny.add_two())
    (models / "both.tflite").write_bytes(tiny.two_signatures())
    (models / "broken.tflite").write_bytes(tiny.custom_op())
    daemon = start(release, folder)
    with daemon.client() as client:
        for name in ("plus", "small", "pair", "both"):
            client.wait(name, timeout=LIMIT_S)
    return daemon


@pytest.mark.parametrize(("client", "daemon"), PAIRS)
def test_the_client_library(
    releases: dict[str, Release], start: Start, tmp_path: Path, client: str, daemon: str
) -> None:
    served = serve(start, releases[daemon], tmp_path)
    spare = tmp_path / "spare"
    spare.mkdir()
    (spare / "other_scale.tflite").write_bytes(tiny.quantized(scale=0.25, zero_point=-5))
    told = releases[client].run(CONVERSATION, served.socket, served.models, spare)
    assert json.loads(told.stdout) == HEARD


@pytest.mark.parametrize(("client", "daemon"), PAIRS)
def test_mmctl(releases: dict[str, Release], start: Start, tmp_path: Path, client: str, daemon: str) -> None:
    served = serve(start, releases[daemon], tmp_path)
    (tmp_path / "row.json").write_text("[[1, 2, 3, 4]]")

    def mmctl(*arguments: str) -> tuple[int, Any]:
        return releases[client].mmctl(served, *arguments)

    status, document = mmctl("predict", "plus", "-i", str(tmp_path / "row.json"))
    assert (status, document["model"], document["version"]) == (0, "plus", 1)
    assert document["outputs"][0]["data"] == [[2, 3, 4, 5]]
    assert document["outputs"][0]["top"][0] == {"index": 3, "label": "d", "score": 5}
    status, document = mmctl("ls")
    assert status == 0
    assert {one["name"]: one["state"] for one in document["models"]} == {
        name: state for name, (state, _) in HEARD["models"].items()
    }
    for verb in ("show", "wait"):
        status, document = mmctl(verb, "plus")
        assert (status, document["state"], document["versions"][0]["version"]) == (0, "ready", 1)
    for verb in ("ps", "status"):
        assert mmctl(verb)[0] == 0
    assert mmctl("unload", "plus")[1]["state"] == "unloaded"
    assert mmctl("predict", "plus", "-i", str(tmp_path / "row.json"))[1]["error"]["code"] == "MODEL_UNLOADED"
    assert mmctl("load", "plus")[1]["state"] == "ready"
    status, document = mmctl("wait", "broken")
    assert (status, document["error"]["code"]) == (EXIT_REFUSED, "MODEL_QUARANTINED")
    status, document = mmctl("wait", "plus", "--version", "77", "--timeout", "0.2")
    assert (status, document["error"]["retryable"]) == (EXIT_RETRYABLE, True)
