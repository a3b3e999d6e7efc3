"""``python docs/man/make.py FOLDER``: the man pages and shell completions of all commands, made from the commands.

Source: man(7) for the macros, man-pages(7) for the order of sections.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from mmclient.cli.main import command as mmctl
from mmconvert.cli import convert, doctor, verify
from mmdaemon import __version__
from mmdaemon.__main__ import command as mmdaemon

SHELLS = {
    "bash": "share/bash-completion/completions/{}",
    "zsh": "share/zsh/vendor-completions/_{}",
    "fish": "share/fish/vendor_completions.d/{}.fish",
}
SEE_ALSO = {
    "mmdaemon": "mmctl(1), mmconvert(1), systemd.service(5); /etc/mmdaemon/config.toml lists every key",
    "mmctl": "mmdaemon(1), mmconvert(1)",
    "mmconvert": "mmdaemon(1), mmctl(1)",
}


class Forms(click.Group):
    """A command that has other forms: its usage line names its own arguments only."""

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Return the pieces of the usage line."""
        return click.Command.collect_usage_pieces(self, ctx)


MMCONVERT = Forms("mmconvert", params=convert.command.params, help=convert.command.help, epilog=convert.command.epilog)
MMCONVERT.add_command(doctor.command, "doctor")
MMCONVERT.add_command(verify.command, "verify")
COMMANDS: dict[str, click.Command] = {"mmdaemon": mmdaemon, "mmctl": mmctl, "mmconvert": MMCONVERT}


def page(name: str, command: click.Command) -> str:
    """Return a command's man page."""
    summary = (command.help or "").split("\n\n")[0].replace("\n", " ").strip()
    lines = [
        f'.TH {name.upper()} 1 "" "mmdaemon {__version__}" "User commands"',
        ".SH NAME",
        f"{name} \\- {_escaped(summary[:1].lower() + summary[1:]).rstrip('.')}",
        ".SH SYNOPSIS",
        *_synopsis(name, command),
        ".SH DESCRIPTION",
        *_paragraphs(command.help or ""),
        ".SH OPTIONS",
        *_options(name, command),
    ]
    if isinstance(command, click.Group):
        context = click.Context(command)
        lines += [".SH COMMANDS"]
        for verb in command.list_commands(context):
            found = command.get_command(context, verb)
            assert found is not None
            lines += [f".SS {name} {verb}", *_synopsis(f"{name} {verb}", found), ".PP"]
            lines += [*_paragraphs(found.help or ""), *_options(f"{name} {verb}", found)]
    if command.epilog:
        lines += [".SH EXIT STATUS", *_paragraphs(command.epilog)]
    return "\n".join([*lines, ".SH SEE ALSO", _escaped(SEE_ALSO[name]), ""])


def _synopsis(name: str, command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=name)
    pieces = " ".join(command.collect_usage_pieces(context))
    yield f".B {_escaped(name)}"
    yield _escaped(pieces) or "\\&"


def _options(name: str, command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=name, **command.context_settings)
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and isinstance(parameter, click.Option):
            yield ".TP"
            yield f".B {_escaped(record[0])}"
            yield _escaped(record[1]) or "\\&"


def _paragraphs(text: str) -> Iterator[str]:
    for number, paragraph in enumerate(text.replace("\b\n", "").split("\n\n")):
        if number:
            yield ".PP"
        yield _escaped(" ".join(paragraph.split()))


def _escaped(text: str) -> str:
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("\n", " ")
    return f"\\&{text}" if text.startswith((".", "'")) else text


def completion(name: str, shell: str) -> str:
    """Return the script that a shell loads to complete a command."""
    made = get_completion_class(shell)
    assert made is not None
    return made(COMMANDS[name], {}, name, f"_{name.upper()}_COMPLETE").source()


def main(folder: Path) -> None:
    """Write all pages and completions beneath a prefix such as /usr."""
    for name, command in COMMANDS.items():
        _write(folder / f"share/man/man1/{name}.1", page(name, command))
        if name != "mmconvert":  # its first argument is a folder, which a shell completes by itself
            for shell, place in SHELLS.items():
                _write(folder / place.format(name), completion(name, shell))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
