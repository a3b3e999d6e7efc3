"""``mmdaemon``: the command line of the daemon."""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path

import click

from mmdaemon.config.load import load_config
from mmdaemon.config.schema import Config
from mmdaemon.log.journal import leads_to_journal
from mmdaemon.log.logger import LOG, about, set_up_log
from mmdaemon.probe.limit import TrialLimits
from mmdaemon.probe.probe import Probe
from mmdaemon.store.layout import Layout
from mmwire.errors import MmError, error_text


@click.command(context_settings={"help_option_names": ["-h", "--help"], "allow_extra_args": True})
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="Read the configuration from this file.")
@click.option(
    "--models",
    type=click.Path(path_type=Path),
    help="Serve the models in this folder. A folder that you name must exist. Default: ./models, which the daemon makes"
    " if needed; for root /var/lib/mmdaemon/models, which must exist.",
)
@click.option(
    "--store",
    type=click.Path(path_type=Path),
    help="Keep the daemon's own copies of the models in this folder. The daemon creates it. Default:"
    " $XDG_STATE_HOME/mmdaemon, else ~/.local/state/mmdaemon; for root /var/lib/mmdaemon/store.",
)
@click.option(
    "--socket",
    "socket_path",
    type=click.Path(path_type=Path),
    help="Listen on this Unix socket. Default: $XDG_RUNTIME_DIR/mmdaemon.sock, else /tmp/mmdaemon-$UID/mmdaemon.sock;"
    " for root /run/mmdaemon.sock.",
)
@click.option("--check", is_flag=True, help="Check the configuration, print it, and exit.")
@click.version_option(package_name="mmdaemon", message="%(prog)s %(version)s")
@click.pass_context
def command(
    ctx: click.Context,
    config_file: Path | None,
    models: Path | None,
    store: Path | None,
    socket_path: Path | None,
    check: bool,
) -> None:
    """Serve the models of a folder over a Unix socket.

    The file of --config may set every key. An environment variable MMDAEMON_SECTION_KEY wins over the file, and a flag
    wins over both. config.toml lists the keys; --check prints the values that apply.
    """
    if ctx.args:
        raise click.UsageError(
            f"expected options only, got {ctx.args[0]!r}; the model folder is --models {ctx.args[0]}"
        )
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
    """Serve until a signal ends the daemon; return the exit status.

    Args:
        config: The configuration to start with.
        read: Reads the configuration again.

    Raises:
        ConfigError: The daemon cannot start.
    """
    set_up_log(config.service.log_level)
    gc.disable()  # until the daemon is ready: a start makes no garbage, and the search for it takes a tenth of the time
    faulthandler.enable()  # systemd ends a hung daemon with SIGABRT: the log then shows where each thread was
    probe = Probe(
        TrialLimits(config.probe.wall_s, config.probe.cpu_s, config.probe.memory_mb * 1024 * 1024), config.limits.cores
    )
    try:
        if not Layout(config.paths.store).trials.is_dir():  # every model will be tried: the helper warms up meanwhile
            with contextlib.suppress(MmError):  # the first trial reports the failure
                probe.start()
        # numpy's OpenBLAS would start threads that nothing here uses; they cost 30 ms, and memory for each core.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        from mmdaemon.app import run  # loads the runtime; --help and --check do without

        return run(config, read, probe)
    finally:
        probe.stop()


def main() -> None:
    """Run the command; a refused start shows its reason on stderr or in the journal, never a traceback."""
    try:
        command.main(standalone_mode=True)
    except MmError as error:
        if leads_to_journal(sys.stderr.fileno(), os.environ):
            set_up_log("error")
            LOG.error("%s", error, extra=about(error=error))
        else:
            print(error_text(error, "mmdaemon"), file=sys.stderr)
        sys.exit(error.exit_status)


if __name__ == "__main__":
    main()
