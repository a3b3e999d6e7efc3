"""Answers to the ADMIN verbs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from mmclient.testing.model import SHA256, FakeModel
from mmwire.errors import CapacityError, RequestError
from mmwire.manifest import is_model_name, unknown_model
from mmwire.spelling import nearest


def find(models: Mapping[str, FakeModel], name: str) -> FakeModel:
    """Return a model by its name.

    Raises:
        RequestError: ``MODEL_NOT_FOUND``.
    """
    if name not in models:
        raise unknown_model(name, models)
    return models[name]


def answer(models: Mapping[str, FakeModel], verb: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Answer a verb as the daemon does; ``wait`` and ``load`` give up at once instead of waiting.

    Raises:
        MmError: What the daemon would refuse with.
    """
    match verb:
        case "ls":
            return {"models": [model.document() for model in models.values()]}
        case "ps":
            return _ps(models)
        case "status":
            return _status(models)
        case "show" | "wait" | "load" | "unload":
            name = str(arguments["model"])
            if verb == "wait" and is_model_name(name) and name not in models and not nearest(name, models):
                raise CapacityError("DEADLINE_EXCEEDED", f"{name!r} does not serve", "mmctl ls lists the models")
            return _answer_for(find(models, name), verb, arguments)
    raise RequestError("BAD_REQUEST", f"unknown verb {verb!r}", "known: ls, show, ps, status, wait, load, unload")


def _answer_for(model: FakeModel, verb: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    if verb == "show":
        return model.document() | model.details()
    if verb == "unload":
        model.state = "unloaded"
        return model.document()
    if verb == "load" and model.state == "unloaded":
        model.state = "ready"
    model.require_ready()
    is_other_file = not SHA256.startswith(arguments.get("sha256", ""))
    if is_other_file or arguments.get("version", model.version) != model.version:
        raise CapacityError("DEADLINE_EXCEEDED", f"model {model.name!r} does not serve that yet", "give it more time")
    return model.document()


def _ps(models: Mapping[str, FakeModel]) -> dict[str, Any]:
    loaded = [model for model in models.values() if model.state == "ready"]
    counts = {"instances": 1, "busy": 0, "queued": 0, "pids": [], "requests": 3, "rows": 9, "errors": 0}
    rows = [{"name": model.name, "version": model.version, **counts, "run_us_mean": 44} for model in loaded]
    return {"models": rows, "workers": {"cores": 2, "busy": 0}}


def _status(models: Mapping[str, FakeModel]) -> dict[str, Any]:
    return {
        "state": "ready",
        "pid": 1,
        "uptime_s": 3.5,
        "models": dict(Counter(model.state for model in models.values())),
        "queued": 0,
        "busy": 0,
        "software": "fake 1",
        "runtime": {"name": "fake", "version": "1", "reason": "a test"},
        "paths": {"models": "/models", "store": "/store"},
    }
