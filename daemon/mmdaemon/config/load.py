"""Reads the configuration: defaults < file < environment < flags."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field, fields, replace
from pathlib import Path
from typing import Any

from mmdaemon.box.allowance import usable_cores, usable_memory_mb
from mmdaemon.config.schema import (
    SECTIONS,
    Config,
    default_paths,
)
from mmwire.address import SOCKET_PATH_MAX_BYTES
from mmwire.errors import ConfigError
from mmwire.spelling import nearest

PREFIX = "MMDAEMON_"
_MODE = re.compile(r"0?[0-7]{3}\Z")
_DEVICE = re.compile(r"auto|cpu|gpu(:[0-9]{1,3})?\Z")
_SWITCH = {"true": True, "false": False}
_PARSERS: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "bool": _SWITCH.__getitem__}
_WORDS = {"int": "a whole number", "float": "a number", "bool": "true or false", "Path": "a path"}
_KEYS: dict[str, tuple[str, Field[Any]]] = {
    f"{section}.{key.name}": (section, key) for section, kind in SECTIONS.items() for key in fields(kind)
}


def load_config(file: Path | None, environment: Mapping[str, str], flags: Mapping[str, str]) -> Config:
    """Return the configuration.

    Args:
        file: A configuration file, which must exist; None for none.
        environment: The environment of the process, with variables ``MMDAEMON_SECTION_KEY``.
        flags: Values by ``section.key``, from the command line.

    Raises:
        ConfigError: ``CONFIG_INVALID``: an unknown key, a value of another type or out of range, a folder that is not
            there.
    """
    values: dict[str, Any] = {}
    for key, value in _from_file(file).items():
        values[key] = _checked(key, value, f"{file}: {key}")
    for name, value in environment.items():
        if name.startswith(PREFIX):
            key = _key_of(name)
            values[key] = _checked(key, _parsed(key, value, name), name)
    for key, value in flags.items():
        values[key] = _checked(key, value, f"--{key.partition('.')[2]}")
    config = _build(values, dict(environment))
    _check_paths(config, given="paths.models" in values)
    return config


def changes(old: Config, new: Config) -> tuple[list[str], list[str]]:
    """Return the keys that differ: those that apply while the daemon serves, and those that need a restart."""
    before, after = old.values(), new.values()
    differing = [key for key in before if before[key] != after[key]]
    live = [key for key in differing if _KEYS[key][1].metadata.get("live")]
    return live, [key for key in differing if key not in live]


def _from_file(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        tables = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise ConfigError("CONFIG_INVALID", f"cannot read {file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError("CONFIG_INVALID", f"{file} is not TOML: {error}") from None
    values: dict[str, Any] = {}
    for section, table in tables.items():
        if section not in SECTIONS or not isinstance(table, dict):
            raise _unknown(f"{file}: section [{section}]", section, SECTIONS)
        for name, value in table.items():
            if f"{section}.{name}" not in _KEYS:
                raise _unknown(f"{file}: key {section}.{name}", f"{section}.{name}", _KEYS)
            values[f"{section}.{name}"] = value
    return values


def _key_of(name: str) -> str:
    section, _, key = name.removeprefix(PREFIX).lower().partition("_")
    if f"{section}.{key}" not in _KEYS:
        raise _unknown(f"environment variable {name}", name, [_variable(key) for key in _KEYS])
    return f"{section}.{key}"


def _variable(key: str) -> str:
    return PREFIX + key.replace(".", "_").upper()


def _unknown(what: str, got: str, known: Iterable[str]) -> ConfigError:
    near = nearest(got, known, likeness=0.5)
    hint = f"did you mean {near}?" if near else f"known: {', '.join(known)}"
    return ConfigError("CONFIG_INVALID", f"{what} is not known", hint)


def _parsed(key: str, text: str, where: str) -> Any:
    kind = str(_KEYS[key][1].type)
    try:
        return _PARSERS.get(kind, str)(text)
    except (ValueError, KeyError):
        raise ConfigError("CONFIG_INVALID", f"{where}: expected {_words(kind)}, got {text!r}") from None


def _words(kind: str) -> str:
    return _WORDS.get(kind, "text")


def _checked(key: str, value: Any, where: str) -> Any:
    """Return the value in its type and range.

    Raises:
        ConfigError: ``CONFIG_INVALID``.
    """
    description = _KEYS[key][1]
    kind = str(description.type)
    accepted: tuple[type, ...] = {"int": (int,), "float": (int, float), "bool": (bool,)}.get(kind, (str,))
    is_accepted: bool = isinstance(value, accepted) and isinstance(value, bool) == (kind == "bool")
    if not is_accepted:
        raise ConfigError("CONFIG_INVALID", f"{where}: expected {_words(kind)}, got {value!r}")
    if kind in ("int", "float"):
        low, high = description.metadata["low"], description.metadata["high"]
        if not low <= value <= high:
            raise ConfigError("CONFIG_INVALID", f"{where}: expected {low:.15g} to {high:.15g}, got {value!r}")
        return float(value) if kind == "float" else value
    if kind == "bool":
        return value
    if not value and key != "socket.group":
        raise ConfigError("CONFIG_INVALID", f"{where}: expected {_words(kind)}, got an empty text")
    if key == "socket.mode" and not _MODE.match(value):
        raise ConfigError("CONFIG_INVALID", f"{where}: expected octal permissions like 0660, got {value!r}")
    if key == "executor.device" and not _DEVICE.match(value):
        raise ConfigError("CONFIG_INVALID", f"{where}: expected auto, cpu, gpu or gpu:N, got {value!r}")
    choices = description.metadata.get("choices")
    if choices and value not in choices:
        raise ConfigError("CONFIG_INVALID", f"{where}: expected one of {', '.join(choices)}, got {value!r}")
    return Path(value).expanduser().absolute() if kind == "Path" else value


def _build(values: Mapping[str, Any], environment: dict[str, str]) -> Config:
    sections = {
        section: {key.partition(".")[2]: value for key, value in values.items() if key.startswith(f"{section}.")}
        for section in SECTIONS
    }
    config = Config(
        replace(default_paths(environment, os.geteuid()), **sections.pop("paths")),
        **{section: SECTIONS[section](**given) for section, given in sections.items()},
    )
    cores = config.limits.cores or usable_cores()
    half_mb = usable_memory_mb() // 2
    executor = config.executor
    return replace(
        config,
        limits=replace(config.limits, cores=cores),
        probe=replace(config.probe, memory_mb=config.probe.memory_mb or half_mb),
        executor=replace(executor, memory_mb=executor.memory_mb or half_mb, total_mb=executor.total_mb or half_mb),
        models=replace(config.models, load_threads=config.models.load_threads or max(4, cores)),
    )


def _check_paths(config: Config, given: bool) -> None:
    models, socket = config.paths.models, config.paths.socket
    if models.is_file():
        raise ConfigError(
            "CONFIG_INVALID",
            f"expected the folder that holds the models, got the file {models}",
            f"give its folder: {models.parent}",
        )
    if not models.is_dir():
        if given or os.geteuid() == 0:
            raise ConfigError(
                "CONFIG_INVALID", f"the model folder {models} is not there", f"make it: mkdir -p {models}"
            )
        try:
            models.mkdir()
        except OSError as error:
            raise ConfigError("CONFIG_INVALID", f"cannot make {models}: {error.strerror}") from None
    folder, store = models.resolve(), config.paths.store.resolve()
    if folder == store or folder in store.parents or store in folder.parents:
        raise ConfigError(
            "CONFIG_INVALID",
            f"the store {store} and the model folder {folder} lie in one another",
            "the store is the daemon's own: give it a folder of its own with --store",
        )
    size = len(os.fsencode(socket))
    if size > SOCKET_PATH_MAX_BYTES:
        raise ConfigError(
            "CONFIG_INVALID",
            f"the socket path has {size} bytes, Linux allows {SOCKET_PATH_MAX_BYTES}: {socket}",
            "choose a shorter one with --socket",
        )
