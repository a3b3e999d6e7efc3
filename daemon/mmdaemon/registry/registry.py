"""The registry: every model name with its versions, as they are now."""

from __future__ import annotations

from collections import Counter
from enum import Enum
from typing import Any

from mmdaemon.registry.model import Model, Version
from mmdaemon.registry.state import VersionState
from mmwire.errors import MmError


class Standing(Enum):
    """How a wait for a model stands."""

    WAIT = "wait"
    SERVES = "serves"
    REFUSED = "refused"
    UNLOADED = "unloaded"  # its owner took it out of memory; only a load or a new file changes that


class Registry:
    """All models.

    Args:
        runtime: The name of the default runtime: what ``document`` shows for a model that never served.

    Thread: under the reconciler's monitor only.
    """

    def __init__(self, runtime: str) -> None:
        self._runtime = runtime
        self._models: dict[str, Model] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._models

    def names(self) -> list[str]:
        """Return all names, sorted."""
        return sorted(self._models)

    def model(self, name: str) -> Model:
        """Return a known model.

        Raises:
            KeyError: The name is not known.
        """
        return self._models[name]

    def add(self, model: Model) -> None:
        """Make a model known."""
        self._models[model.name] = model

    def drop(self, name: str) -> None:
        """Forget a name altogether. Idempotent."""
        self._models.pop(name, None)

    def standing(self, name: str, version: int, sha256: str) -> tuple[Standing, MmError | None]:
        """Return how a wait for a model stands, and the reason when it is refused.

        Args:
            name: The model.
            version: The version waited for, 0 for the newest.
            sha256: The hash waited for, or its first digits; empty for any.
        """
        model = self._models.get(name)
        if model is None:
            return Standing.WAIT, None
        if model.problem is not None and not version and not sha256:
            return Standing.REFUSED, model.problem
        target = _wanted(model, version, sha256)
        if target is not None and target.state is VersionState.READY and target.reason is None:
            return Standing.SERVES, None
        if model.is_unloaded and (target is not None or not (version or sha256)):
            return Standing.UNLOADED, None
        if target is not None and target.state in (VersionState.READY, VersionState.QUARANTINED):
            return Standing.REFUSED, target.reason
        return (Standing.WAIT, None) if model.problem is None else (Standing.REFUSED, model.problem)

    def document(self, name: str) -> dict[str, Any]:
        """Return the model as ``ls`` and ``show`` give it: the serving version first, else the newest.

        Raises:
            KeyError: The name is not known.
        """
        model = self._models[name]
        shown = model.versions.get(model.serving) or model.newest
        fields: dict[str, Any] = {
            "name": name,
            "state": str(shown.state) if shown else str(VersionState.QUARANTINED),
            "version": shown.number if shown else None,
            "sha256": (shown.sha256 or None) if shown else None,
            "runtime": model.facts.runtime or self._runtime,
        }
        reason = _reason(model, shown)
        if reason:
            fields["reason"] = reason
        fields["versions"] = [version.as_dict() for _, version in sorted(model.versions.items(), reverse=True)]
        fields["signatures"] = [spec.as_dict() for spec in model.facts.signatures]
        return fields

    def counts(self) -> dict[str, int]:
        """Return how many models are in which state, as ``document`` shows it."""
        return dict(Counter(self.document(name)["state"] for name in self._models))


def _wanted(model: Model, version: int, sha256: str) -> Version | None:
    if sha256:
        numbers = sorted(model.versions, reverse=True)
        return next((model.versions[n] for n in numbers if model.versions[n].sha256.startswith(sha256)), None)
    return model.versions.get(version) if version else model.newest


def _reason(model: Model, shown: Version | None) -> str:
    """Return why a model, or its newest version beside the one that serves, does not serve."""
    if model.problem is not None:
        return str(model.problem)
    for version in (shown, model.newest):
        if version is not None and version.reason is not None:
            return str(version.reason) if version is shown else f"version {version.number}: {version.reason}"
    return ""
