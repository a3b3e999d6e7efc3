"""What a control group leaves of the box."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mmdaemon.box.allowance import usable_cores, usable_memory_mb

BOX_MB = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20


@pytest.fixture
def root(tmp_path: Path) -> Path:
    group = tmp_path / "sys/fs/cgroup/system.slice/mmdaemon.service"
    group.mkdir(parents=True)
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("1:name=systemd:/x\n0::/system.slice/mmdaemon.service\n")
    return tmp_path


def group(root: Path, name: str) -> Path:
    return root / "sys/fs/cgroup" / name


def test_without_limits_the_box_is_all_there(root: Path) -> None:
    group(root, "system.slice/memory.max").write_text("max\n")
    group(root, "system.slice/cpu.max").write_text("max 100000\n")
    assert usable_memory_mb(root) == BOX_MB
    assert usable_cores(root) == len(os.sched_getaffinity(0))


@pytest.mark.parametrize("where", ["system.slice/mmdaemon.service", "system.slice", "."])
def test_the_lowest_limit_on_the_way_up_counts(root: Path, where: str) -> None:
    group(root, f"{where}/memory.max").write_text(f"{100 * 2**20}\n")
    group(root, f"{where}/cpu.max").write_text("40000 100000\n")
    assert usable_memory_mb(root) == 100
    assert usable_cores(root) == 1


def test_without_control_groups_the_box_is_all_there(tmp_path: Path) -> None:
    assert usable_memory_mb(tmp_path) == BOX_MB
