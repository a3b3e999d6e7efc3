from __future__ import annotations

from pathlib import Path

import pytest

from mmdaemon.box.cpu import cpu_identity, this_cpu

X86 = """processor\t: 0
model name\t: Some CPU @ 2.0GHz
cpu MHz\t\t: 1999.9
flags\t\t: fpu sse avx2

processor\t: 1
model name\t: Some CPU @ 2.0GHz
cpu MHz\t\t: 800.0
flags\t\t: fpu sse avx2
"""
PI = """processor\t: 0
Features\t: fp asimd crc32
CPU implementer\t: 0x41
CPU part\t: 0xd08
CPU revision\t: 3

Serial\t\t: 10000000abcdef
Model\t\t: Raspberry Pi 4 Model B
"""


def test_clock_order_and_number_of_cores_do_not_matter() -> None:
    one_core = X86[: X86.index("processor\t: 1")].replace("1999.9", "2000.0").replace("sse avx2", "avx2 sse")
    assert cpu_identity(X86, "x86_64") == cpu_identity(one_core, "x86_64")


def test_the_identity_differs_where_other_kernels_run() -> None:
    kinds = {
        cpu_identity(X86, "x86_64"),
        cpu_identity(X86.replace(" avx2", ""), "x86_64"),
        cpu_identity(X86.replace("Some", "Other"), "x86_64"),
        cpu_identity(X86, "i686"),
        cpu_identity(PI, "aarch64"),
        cpu_identity(PI.replace("0xd08", "0xd0b"), "aarch64"),
        cpu_identity(PI.replace("asimd", "asimd asimddp"), "aarch64"),
    }
    assert len(kinds) == 7


def test_a_serial_number_is_not_part_of_it() -> None:
    assert cpu_identity(PI, "aarch64") == cpu_identity(PI.replace("abcdef", "123456"), "aarch64")


def test_this_one_is_always_the_same() -> None:
    assert this_cpu() == this_cpu()


def test_without_cpuinfo_the_architecture_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    def hidden(*_: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", hidden)
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert this_cpu() == cpu_identity("", "riscv64")
