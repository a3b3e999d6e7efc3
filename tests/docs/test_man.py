"""The man pages and completions that an installation brings: made from the commands, so they say what those say."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ("mmdaemon", "mmctl", "mmconvert")


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> Path:
    prefix = tmp_path_factory.mktemp("prefix")
    subprocess.run([sys.executable, "docs/man/make.py", prefix], cwd=ROOT, check=True, timeout=60)
    return prefix / "share"


def text_of(page: Path) -> str:
    """Return a page as somebody reads it."""
    plain = re.sub(r"^\.(?:TH|SH|SS|B|TP|PP) ?", "", page.read_text(), flags=re.MULTILINE)
    return plain.replace("\\-", "-").replace("\\&", "").replace("\\e", "\\")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_page_has_every_option_of_the_help(share: Path, command: str) -> None:
    page = text_of(share / f"man/man1/{command}.1")
    binary = Path(sys.executable).parent / command
    helped = subprocess.run([binary, "--help"], capture_output=True, text=True, check=True, timeout=60).stdout
    options = re.findall(r"^  (?:-\w, )?(--[a-z-]+)", helped, re.MULTILINE)
    assert len(options) >= 2
    for option in options:
        assert option in page


def test_the_page_of_mmctl_has_every_verb(share: Path) -> None:
    page = (share / "man/man1/mmctl.1").read_text()
    for verb in ("predict", "ls", "show", "ps", "status", "wait", "load", "unload"):
        assert f".SS mmctl {verb}\n" in page


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.skipif(shutil.which("man") is None, reason="no man here")
def test_man_has_nothing_to_complain_of(share: Path, command: str) -> None:
    page = share / f"man/man1/{command}.1"
    done = subprocess.run(["man", "--warnings", "-l", page], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert "standard input" not in done.stderr, "that is how troff names the page; its own setting up may warn too"
    assert command in done.stdout


def test_bash_completes_verbs_and_options(share: Path) -> None:
    script = """
source "$1"
COMP_WORDS=(mmctl s); COMP_CWORD=1; _mmctl_completion mmctl; echo "${COMPREPLY[@]}"; COMPREPLY=()
COMP_WORDS=(mmctl predict --to); COMP_CWORD=2; _mmctl_completion mmctl; echo "${COMPREPLY[@]}"
"""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = ["bash", "-c", script, "bash", str(share / "bash-completion/completions/mmctl")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert done.stderr == ""
    assert done.stdout == "show status\n--top\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize("command", ["mmdaemon", "mmctl"])
def test_each_shell_finds_its_own(share: Path, shell: str, command: str) -> None:
    names = {
        "bash": f"bash-completion/completions/{command}",
        "zsh": f"zsh/vendor-completions/_{command}",
        "fish": f"fish/vendor_completions.d/{command}.fish",
    }
    assert f"_{command.upper()}_COMPLETE" in (share / names[shell]).read_text()
