"""The registry: every model name with its versions, as they are now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from mmdaemon.registry.state import VersionState, check_transition
from mmwire.errors import MmError
from mmwire.manifest import ModelOptions
from mmwire.tensor import SignatureSpec


@dataclass(slots=True)
class Version:
    """One version of a model.

    Attributes:
        number: Its number; of a flat file that is not stored yet, the one that it will get.
        state: How far it is.
        sha256: Of its bytes; empty until they are stored.
        reason: Why it is quarantined, or tried again later, or, while it serves, why its changed file does not.
        has_file: Whether its file lies in the folder; one without is kept in the store only.
    """

    number: int
    state: VersionState
    sha256: str = ""
    reason: MmError | None = None
    has_file: bool = True

    def as_dict(self) -> dict[str, Any]:
        """Return the form that ``show`` lists under ``versions``."""
        fields: dict[str, Any] = {"version": self.number, "sha256": self.sha256 or None, "state": str(self.state)}
        if self.reason is not None:
            fields["reason"] = str(self.reason)
        return fields


@dataclass(slots=True)
class Model:
    """One model name.

    Attributes:
        versions: By number.
        serving: The number of the version that serves, 0 for none.
        problem: What is wrong with its place in the folder; whatever serves goes on.
        signatures: Of the serving version.
        labels: Of the serving version.
        options: Of the serving version.
        traits: What was found out about the serving version, for people.
        runtime: What runs the serving version; empty while nothing has served.
    """

    name: str
    versions: dict[int, Version] = field(default_factory=dict)
    serving: int = 0
    problem: MmError | None = None
    signatures: Sequence[SignatureSpec] = ()
    labels: Sequence[str] = ()
    options: ModelOptions = field(default_factory=ModelOptions)
    traits: dict[str, Any] = field(default_factory=dict)
    runtime: str = ""

    @property
    def newest(self) -> Version | None:
        """The version with the highest number among those with a file, else among all."""
        listed = [version for version in self.versions.values() if version.has_file] or self.versions.values()
        return max(listed, key=lambda version: version.number, default=None)


class Standing(Enum):
    """How a wait for a model stands."""

    WAIT = "wait"
    SERVES = "serves"
    REFUSED = "refused"


class Registry:
    """All models.

    Thread: under the loader's monitor only.
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
        """Return a model; one that was not known is known from now on."""
        return self._models.setdefault(name, Model(name))

    def set_state(
        self, name: str, number: int, state: VersionState, sha256: str = "", reason: MmError | None = None
    ) -> None:
        """Move a version to a state, along the table of ``registry.state``."""
        versions = self.model(name).versions
        version = versions.get(number)
        check_transition(version.state if version else None, state)
        if version is None:
            version = versions[number] = Version(number, state)
        version.state = state
        version.sha256 = sha256 or version.sha256
        version.reason = reason

    def set_serving(self, name: str, number: int) -> None:
        """Let a version serve; the one before retires."""
        model = self.model(name)
        if model.serving and model.serving != number:
            self.set_state(name, model.serving, VersionState.RETIRING)
        self.set_state(name, number, VersionState.READY)
        model.serving = number

    def set_idle(self, name: str) -> None:
        """Let nothing serve; what did retires."""
        model = self.model(name)
        if model.serving:
            self.set_state(name, model.serving, VersionState.RETIRING)
        model.serving = 0

    def drop_version(self, name: str, number: int) -> None:
        """Forget a version that is nowhere any more."""
        version = self.model(name).versions.get(number)
        if version is not None:
            check_transition(version.state, None)
            del self.model(name).versions[number]

    def drop(self, name: str) -> None:
        """Forget a name altogether."""
        self._models.pop(name, None)

    def standing(self, name: str, version: int, sha256: str) -> tuple[Standing, MmError | None]:
        """Return how a wait for a model stands, and the reason when it is refused.

        Args:
            name: The model.
            version: The version waited for, 0 for the newest.
            sha256: The hash waited for, empty for any.
        """
        model = self._models.get(name)
        if model is None:
            return Standing.WAIT, None
        if sha256:
            target = next((v for _, v in sorted(model.versions.items(), reverse=True) if v.sha256 == sha256), None)
        else:
            target = model.versions.get(version) if version else model.newest
        if target is None or (model.problem is not None and not version and not sha256):
            return (Standing.WAIT, None) if model.problem is None else (Standing.REFUSED, model.problem)
        if target.state is VersionState.READY and target.reason is None:
            return Standing.SERVES, None
        if target.state in (VersionState.READY, VersionState.QUARANTINED):
            return Standing.REFUSED, target.reason
        return Standing.WAIT, None

    def document(self, name: str) -> dict[str, Any]:
        """Return the model as ``ls`` and ``show`` give it: the serving version first, else the newest."""
        model = self._models[name]
        shown = model.versions.get(model.serving) or model.newest
        fields: dict[str, Any] = {
            "name": name,
            "state": str(shown.state) if shown else str(VersionState.QUARANTINED),
            "version": shown.number if shown else None,
            "sha256": (shown.sha256 or None) if shown else None,
            "runtime": model.runtime or self._runtime,
        }
        reason = _reason(model, shown)
        if reason:
            fields["reason"] = reason
        fields["versions"] = [version.as_dict() for _, version in sorted(model.versions.items(), reverse=True)]
        fields["signatures"] = [spec.as_dict() for spec in model.signatures]
        return fields

    def counts(self) -> dict[str, int]:
        """Return how many models are in which state, as ``document`` shows it."""
        return dict(Counter(self.document(name)["state"] for name in self._models))


def _reason(model: Model, shown: Version | None) -> str:
    """Return why a model, or its newest version beside the one that serves, does not serve."""
    if model.problem is not None:
        return str(model.problem)
    for version in (shown, model.newest):
        if version is not None and version.reason is not None:
            return str(version.reason) if version is shown else f"version {version.number}: {version.reason}"
    return ""
