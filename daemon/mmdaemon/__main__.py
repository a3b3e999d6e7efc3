"""``mmdaemon``: the command line of the daemon."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import click

from mmdaemon.config.load import load_config
from mmdaemon.config.schema import Config
from mmdaemon.listener.address import inherited_sockets, open_socket, remove_socket
from mmdaemon.probe.limit import Limits
from mmdaemon.probe.probe import Probe
from mmdaemon.service.health import CHECK_S
from mmdaemon.service.lifecycle import SIGNALS, Lifecycle
from mmdaemon.service.notify import Notifier, watchdog_interval_s
from mmdaemon.telemetry.log import set_up_log
from mmwire.errors import MmError


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="Configuration file (see config.toml).")
@click.option("--models", type=click.Path(path_type=Path), help="Model folder; must exist when given.")
@click.option("--store", type=click.Path(path_type=Path), help="Private store; made when missing.")
@click.option("--socket", "socket_path", type=click.Path(path_type=Path), help="Unix socket to serve on.")
@click.option("--check", is_flag=True, help="Check the configuration, say what it comes to, and exit.")
@click.version_option(package_name="mmdaemon")
def command(
    config_file: Path | None, models: Path | None, store: Path | None, socket_path: Path | None, check: bool
) -> None:
    """Serve the models of a folder over a Unix socket."""
    flags = {"paths.models": models, "paths.store": store, "paths.socket": socket_path}
    given = {key: str(value) for key, value in flags.items() if value is not None}

    def read() -> Config:
        return load_config(config_file, os.environ, given)

    config = read()
    if check:
        click.echo(config.describe())
        return
    sys.exit(serve(config, read))


def serve(config: Config, read: Callable[[], Config]) -> int:
    """Serve until told to stop; return the exit status.

    Args:
        config: What to serve with.
        read: Reads the configuration again.

    Raises:
        ConfigError: It cannot start.
    """
    set_up_log(config.service.log_level)
    faulthandler.enable()  # systemd ends a hung daemon with SIGABRT: the log then says where each thread was
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    inherited = inherited_sockets(os.environ)
    path = config.paths.socket
    listening = inherited[0] if inherited else open_socket(path, config.socket.mode, config.socket.group)
    identity = None if inherited else path.lstat()
    limits = Limits(config.probe.wall_s, config.probe.cpu_s, config.probe.memory_mb * 1024 * 1024)
    probe = Probe(limits, config.limits.cores)
    try:
        if not (config.paths.store / "verdicts").is_dir():  # every model will be tried: let the helper start meanwhile
            threading.Thread(target=_start, args=(probe,), name="mm-probe-start", daemon=True).start()
        from mmdaemon.app import App  # loads the runtime; --help and --check do without

        watchdog_s = watchdog_interval_s(os.environ)
        app = App(config, listening, probe, watchdog_s or CHECK_S)
        return Lifecycle(app, config, read, Notifier(os.environ), watchdog_s is not None).run()
    finally:
        probe.stop()
        listening.close()
        if identity is not None:
            remove_socket(path, identity)


def _start(probe: Probe) -> None:
    with contextlib.suppress(MmError):  # the first model that is tried will say so
        probe.start()


def main() -> None:
    """Run the command; a refused start is one line on stderr, never a traceback."""
    try:
        command.main(standalone_mode=True)
    except MmError as error:
        print(f"mmdaemon: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"  hint: {error.hint}", file=sys.stderr)
        sys.exit(error.exit_status)


if __name__ == "__main__":
    main()
