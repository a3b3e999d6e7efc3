"""Every key of the configuration, with its default and its range. Tests hold ``config.toml`` and the docs to this."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

LOG_LEVELS = ("debug", "info", "warning", "error")
TENSORFLOW = ("auto", "always", "never")


def _key(
    default: Any, low: float = 0, high: float = float("inf"), live: bool = False, choices: tuple[str, ...] = ()
) -> Any:
    return field(default=default, metadata={"low": low, "high": high, "live": live, "choices": choices})


@dataclass(frozen=True, slots=True)
class PathsSection:
    """The places of the daemon.

    Attributes:
        models: The model folder.
        store: The daemon's private folder. The daemon creates it.
        socket: The socket that clients connect to.
    """

    models: Path
    store: Path
    socket: Path


@dataclass(frozen=True, slots=True)
class SocketSection:
    """The rights to connect.

    Attributes:
        mode: The permissions of the socket, in octal.
        group: The group of the socket; empty for the group of the daemon.
    """

    mode: str = "0660"
    group: str = ""


@dataclass(frozen=True, slots=True)
class LimitsSection:
    """How much clients may use.

    Attributes:
        cores: Cores that all models together may use; 0 = all cores that the daemon may use.
        max_connections: Clients that may be connected at a time.
        max_queue: Requests that may wait for one model.
        max_queued_mb: MiB that the inputs of all waiting requests may take.
        max_request_mb: MiB that the inputs of one request may take.
        max_output_mb: MiB of replies that a client may leave unread; above it the daemon stops reading from that
            client.
        max_run_s: Seconds that one invocation may take, for models that set no limit of their own.
        client_stall_s: Seconds that a client may send and read nothing while a frame is half sent or replies wait.
    """

    cores: int = _key(0, 0, 1024)
    max_connections: int = _key(256, 1, 65_536)
    max_queue: int = _key(1024, 1, 1_000_000, live=True)
    max_queued_mb: int = _key(256, 1, 1_000_000)
    max_request_mb: int = _key(64, 1, 4095)
    max_output_mb: int = _key(8, 1, 4095)
    max_run_s: float = _key(60.0, 0.1, 86_400, live=True)
    client_stall_s: float = _key(30.0, 0.1, 86_400)


@dataclass(frozen=True, slots=True)
class ModelsSection:
    """How the daemon takes models up.

    Attributes:
        rescan_s: The daemon looks at the folder at least this often, in seconds.
        settle_ms: Milliseconds that a complete file must have been still before it is loaded.
        unfinished_s: Seconds that an incomplete file must have been still before it is tried and refused.
        retire_grace_s: Seconds that a deleted file may be away before its model retires.
        max_model_mb: MiB that one model may have.
        load_threads: Models that may load at the same time; 0 = as many as there are cores, at least 4.
        tensorflow: Which SavedModel folders full TensorFlow serves, where it is installed. ``auto``: those that
            mmconvert published, and on a box with a GPU all of them; ``always``: all; ``never``: none.
        convert_on_drop: Whether a SavedModel that TensorFlow does not serve is converted, where mmconvert is installed.
    """

    rescan_s: float = _key(10.0, 0.1, 86_400, live=True)
    settle_ms: int = _key(200, 0, 600_000, live=True)
    unfinished_s: float = _key(5.0, 0, 86_400, live=True)
    retire_grace_s: float = _key(3.0, 0, 86_400, live=True)
    max_model_mb: int = _key(2048, 1, 1_000_000)
    load_threads: int = _key(0, 0, 256)
    tensorflow: str = _key("auto", choices=TENSORFLOW)
    convert_on_drop: bool = _key(False)


@dataclass(frozen=True, slots=True)
class ProbeSection:
    """The limits of a trial.

    Attributes:
        memory_mb: MiB of memory; 0 = half of the box's memory.
        wall_s: Seconds.
        cpu_s: Seconds of processor time, of all its threads together.
    """

    memory_mb: int = _key(0, 0, 1_000_000)
    wall_s: float = _key(60.0, 0.1, 86_400)
    cpu_s: int = _key(60, 1, 86_400)


@dataclass(frozen=True, slots=True)
class ExecutorSection:
    """Models in processes of their own: full TensorFlow, and those whose ``NAME.toml`` asks for one.

    Attributes:
        device: The device that TensorFlow computes on: ``auto`` (a GPU if there is one), ``cpu``, ``gpu``, ``gpu:N``.
        memory_mb: MiB of memory that one process may take; 0 = half of the box's memory.
        total_mb: MiB that all of them together may take. Above it those that were idle for longest are stopped until
            their next request. 0 = half of the box's memory.
        idle_s: Seconds that a process may be idle before it is stopped until its next request; 0 = never stop it.
        start_s: Seconds that a process may take until its model has answered for the first time.
    """

    device: str = "auto"
    memory_mb: int = _key(0, 0, 1_000_000)
    total_mb: int = _key(0, 0, 1_000_000)
    idle_s: float = _key(0.0, 0, 31_536_000)
    start_s: float = _key(120.0, 0.1, 86_400)


@dataclass(frozen=True, slots=True)
class ServiceSection:
    """How the daemon stops and what it logs.

    Attributes:
        drain_s: Seconds that accepted requests have to be answered, after SIGTERM.
        log_level: The least important messages that the log shows: debug, info, warning or error.
    """

    drain_s: float = _key(25.0, 0, 86_400, live=True)
    log_level: str = _key("info", live=True, choices=LOG_LEVELS)


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration."""

    paths: PathsSection
    socket: SocketSection = field(default_factory=SocketSection)
    limits: LimitsSection = field(default_factory=LimitsSection)
    models: ModelsSection = field(default_factory=ModelsSection)
    probe: ProbeSection = field(default_factory=ProbeSection)
    executor: ExecutorSection = field(default_factory=ExecutorSection)
    service: ServiceSection = field(default_factory=ServiceSection)

    def values(self) -> dict[str, Any]:
        """Return every value by its key ``section.key``."""
        return {
            f"{section.name}.{key.name}": getattr(getattr(self, section.name), key.name)
            for section in fields(self)
            for key in fields(getattr(self, section.name))
        }

    def describe(self) -> str:
        """Return the configuration as TOML, for ``--check``."""
        lines: list[str] = []
        for section in fields(self):
            lines.append(f"[{section.name}]")
            for key in fields(getattr(self, section.name)):
                value = getattr(getattr(self, section.name), key.name)
                lines.append(f"{key.name} = {_as_toml(value)}")
        return "\n".join(lines)


def _as_toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, (str, Path)) else str(value)


SECTIONS: dict[str, type[Any]] = {
    "paths": PathsSection,
    "socket": SocketSection,
    "limits": LimitsSection,
    "models": ModelsSection,
    "probe": ProbeSection,
    "executor": ExecutorSection,
    "service": ServiceSection,
}


def default_paths(environment: dict[str, str], uid: int) -> PathsSection:
    """Return the default places: those of the system for root, those of the user for others.

    Source: the XDG base directory specification for ``XDG_STATE_HOME`` and ``XDG_RUNTIME_DIR``.
    """
    if uid == 0:
        state = Path("/var/lib/mmdaemon")
        return PathsSection(state / "models", state / "store", Path("/run/mmdaemon.sock"))
    home = Path(environment.get("XDG_STATE_HOME") or Path(environment.get("HOME") or "/") / ".local/state")
    runtime = environment.get("XDG_RUNTIME_DIR")
    socket = Path(runtime) / "mmdaemon.sock" if runtime else Path(f"/tmp/mmdaemon-{uid}/mmdaemon.sock")
    return PathsSection(Path("models").absolute(), home / "mmdaemon", socket)
