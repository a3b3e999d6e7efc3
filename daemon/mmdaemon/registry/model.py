"""One model name with its versions, as people are shown it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mmdaemon.registry.state import VersionState, check_transition
from mmwire.errors import MmError
from mmwire.manifest import ModelOptions
from mmwire.tensor import SignatureSpec


@dataclass(slots=True)
class Version:
    """One version of a model.

    Attributes:
        number: Its number. A flat file that is not stored yet has the number that it will get.
        state: How far it is.
        sha256: The SHA-256 of its bytes in hex; empty until they are stored.
        reason: Why it is quarantined or tried again later. On a version that serves: why its changed file does not.
        detail: The last words of the process that tried it, when that process died.
        has_file: Whether its file lies in the folder; otherwise only the store has it.
    """

    number: int
    state: VersionState
    sha256: str = ""
    reason: MmError | None = None
    detail: str = ""
    has_file: bool = True

    def as_dict(self) -> dict[str, Any]:
        """Return the form that ``show`` lists under ``versions``."""
        fields: dict[str, Any] = {"version": self.number, "sha256": self.sha256 or None, "state": str(self.state)}
        if self.reason is not None:
            fields["reason"] = str(self.reason)
        if self.detail:
            fields["detail"] = self.detail
        return fields


@dataclass(frozen=True, slots=True)
class ServingFacts:
    """The facts that people see about the version that serves.

    Attributes:
        signatures: The default one first.
        labels: One for each class; empty when it has none.
        options: Those that it serves with.
        traits: What its trial found out.
        runtime: The name of the distribution that runs it; empty while nothing has served.
    """

    signatures: Sequence[SignatureSpec] = ()
    labels: Sequence[str] = ()
    options: ModelOptions = field(default_factory=ModelOptions)
    traits: dict[str, Any] = field(default_factory=dict)
    runtime: str = ""


@dataclass(slots=True)
class Model:
    """One model name.

    Attributes:
        versions: By number.
        serving: The number of the version that serves, 0 for none.
        problem: What is wrong with its place in the folder; whatever serves goes on.
        facts: About the version that serves, or served last.
        is_unloaded: Whether its owner took it out of memory.
    """

    name: str
    versions: dict[int, Version] = field(default_factory=dict)
    serving: int = 0
    problem: MmError | None = None
    facts: ServingFacts = field(default_factory=ServingFacts)
    is_unloaded: bool = False

    @property
    def newest(self) -> Version | None:
        """The version with the highest number among those with a file; when none has one, among all."""
        listed = [version for version in self.versions.values() if version.has_file] or self.versions.values()
        return max(listed, key=lambda version: version.number, default=None)

    def move(
        self,
        number: int,
        state: VersionState,
        sha256: str = "",
        reason: MmError | None = None,
        detail: str = "",
    ) -> None:
        """Move a version to a state, along the table of ``registry.state``; a new number becomes a new version."""
        version = self.versions.get(number)
        check_transition(version.state if version else None, state)
        if version is None:
            version = self.versions[number] = Version(number, state)
        version.state, version.reason, version.detail = state, reason, detail
        version.sha256 = sha256 or version.sha256

    def drop(self, number: int) -> None:
        """Forget a version. Idempotent."""
        version = self.versions.get(number)
        if version is not None:
            check_transition(version.state, None)
            del self.versions[number]

    def set_serving(self, number: int, facts: ServingFacts, sha256: str = "", reason: MmError | None = None) -> None:
        """Let a version serve; the one before retires."""
        if self.serving and self.serving != number:
            self.move(self.serving, VersionState.RETIRING)
        self.move(number, VersionState.READY, sha256, reason)
        self.serving, self.facts = number, facts

    def set_idle(self) -> None:
        """Let nothing serve; the version that did retires."""
        if self.serving:
            self.move(self.serving, VersionState.RETIRING)
        self.serving = 0
