"""What a process gives up, tried in processes of their own: none of it can be taken back."""

from __future__ import annotations

import subprocess
import sys


def run(code: str) -> tuple[int, list[str]]:
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, timeout=60)
    return done.returncode, done.stdout.splitlines()


def test_a_process_gives_up_new_privileges_core_files_and_its_place_in_memory() -> None:
    code = (
        "import resource; from pathlib import Path; from mmdaemon.confinement.privilege import give_up\n"
        "give_up(700)\n"
        "print(Path('/proc/self/status').read_text().partition('NoNewPrivs:')[2].split()[0])\n"
        "print(*resource.getrlimit(resource.RLIMIT_CORE))\n"
        "print(Path('/proc/self/oom_score_adj').read_text().strip())\n"
    )
    assert run(code) == (0, ["1", "0 0", "700"])


def test_a_limit_goes_down_and_never_up() -> None:
    code = (
        "import resource; from mmdaemon.confinement.privilege import lower\n"
        "for value in (100, 50, 200):\n"
        "    lower(resource.RLIMIT_NOFILE, value, 5)\n"
        "    print(*resource.getrlimit(resource.RLIMIT_NOFILE))\n"
    )
    assert run(code) == (0, ["100 105", "50 55", "55 55"])


def test_a_process_whose_parent_is_gone_does_not_go_on() -> None:
    code = (
        "import os; from mmdaemon.confinement.privilege import die_with\n"
        "die_with(os.getpid())\nprint('went on')"  # it is not its own parent
    )
    assert run(code) == (1, [])
