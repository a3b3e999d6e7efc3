"""Every key of the configuration with its default and its range. ``config.toml`` and the docs are held to this."""

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
class Paths:
    """Where things are.

    Attributes:
        models: The model folder.
        store: The daemon's private folder; made when missing.
        socket: Where clients connect.
    """

    models: Path
    store: Path
    socket: Path


@dataclass(frozen=True, slots=True)
class Socket:
    """Who may connect.

    Attributes:
        mode: Permissions of the socket, octal.
        group: Group of the socket; empty for the daemon's own.
    """

    mode: str = "0660"
    group: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """What clients may take.

    Attributes:
        cores: Cores that running invocations share; 0 = all that the daemon may use.
        max_connections: Clients at a time.
        max_queue: Waiting requests of one model.
        max_queued_mb: Waiting inputs over all models, in MiB.
        max_request_mb: Inputs of one request, in MiB.
        max_output_mb: Unread replies of one client, in MiB; above it nothing more is read from that client.
        max_run_s: Longest that one invocation of a model may take that does not say otherwise.
        client_stall_s: How long a client may move nothing in the middle of a frame, or with replies to read.
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
class Models:
    """How models are taken up.

    Attributes:
        rescan_s: The folder is looked at at least this often, inotify or not.
        settle_ms: How long a whole file must have been still before it is taken up.
        unfinished_s: How long a file that is not structurally whole must have been, before it is tried and refused.
        retire_grace_s: How long a deleted file may be away before its model retires.
        max_model_mb: Largest model file, in MiB.
        load_threads: Models that load at the same time; 0 = as many as cores, at least 4.
        tensorflow: Which SavedModel folders full TensorFlow serves, where it is installed. ``auto``: those that
            mmconvert handed over, and on a box with a GPU all; ``always``: all; ``never``: none.
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
class Probe:
    """What a model may take while it is tried in a throw-away process.

    Attributes:
        memory_mb: Memory, in MiB; 0 = half of the box's.
        wall_s: Time.
        cpu_s: Processor time of all its threads.
    """

    memory_mb: int = _key(0, 0, 1_000_000)
    wall_s: float = _key(60.0, 0.1, 86_400)
    cpu_s: int = _key(60, 1, 86_400)


@dataclass(frozen=True, slots=True)
class Executor:
    """Models in processes of their own: full TensorFlow, and those whose ``NAME.toml`` asks for it.

    Attributes:
        device: Where TensorFlow computes: ``auto`` (a GPU when one is visible), ``cpu``, ``gpu`` or ``gpu:N``.
        memory_mb: Memory that one process may take, in MiB; 0 = half of the box's.
        total_mb: Memory of all of them together, in MiB, above which those not used for longest are stopped until
            their next request; 0 = half of the box's.
        idle_s: How long a process may be without a request before it is stopped until the next; 0 = for ever.
        start_s: How long a process may take until its model has answered for the first time.
    """

    device: str = "auto"
    memory_mb: int = _key(0, 0, 1_000_000)
    total_mb: int = _key(0, 0, 1_000_000)
    idle_s: float = _key(0.0, 0, 31_536_000)
    start_s: float = _key(120.0, 0.1, 86_400)


@dataclass(frozen=True, slots=True)
class Service:
    """The daemon's manners.

    Attributes:
        drain_s: How long accepted requests may take to be answered after SIGTERM.
        log_level: debug, info, warning or error.
    """

    drain_s: float = _key(25.0, 0, 86_400, live=True)
    log_level: str = _key("info", live=True, choices=LOG_LEVELS)


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration."""

    paths: Paths
    socket: Socket = field(default_factory=Socket)
    limits: Limits = field(default_factory=Limits)
    models: Models = field(default_factory=Models)
    probe: Probe = field(default_factory=Probe)
    executor: Executor = field(default_factory=Executor)
    service: Service = field(default_factory=Service)

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
    "paths": Paths,
    "socket": Socket,
    "limits": Limits,
    "models": Models,
    "probe": Probe,
    "executor": Executor,
    "service": Service,
}


def default_paths(environment: dict[str, str], uid: int) -> Paths:
    """Return where things are when nobody says: the system's places for root, the user's own for others.

    Source: the XDG base directory specification for ``XDG_STATE_HOME`` and ``XDG_RUNTIME_DIR``.
    """
    if uid == 0:
        state = Path("/var/lib/mmdaemon")
        return Paths(state / "models", state / "store", Path("/run/mmdaemon.sock"))
    home = Path(environment.get("XDG_STATE_HOME") or Path(environment.get("HOME") or "/") / ".local/state")
    runtime = environment.get("XDG_RUNTIME_DIR")
    socket = Path(runtime) / "mmdaemon.sock" if runtime else Path(f"/tmp/mmdaemon-{uid}/mmdaemon.sock")
    return Paths(Path("models").absolute(), home / "mmdaemon", socket)
