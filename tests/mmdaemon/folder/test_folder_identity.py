from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mmdaemon.folder.identity import FileIdentity


def identity_of(path: Path) -> FileIdentity:
    return FileIdentity.of(path.stat())


def test_json_form_survives_a_round_trip(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    identity = identity_of(tmp_path / "a")
    assert identity.size == 3
    assert FileIdentity.from_list(json.loads(json.dumps(identity.as_list()))) == identity


@pytest.mark.parametrize("values", [None, [], [1, 2, 3, 4], [1, 2, 3, 4, "5"], [1, 2, 3, 4, 5.0], [True] * 5, {}])
def test_other_json_is_refused(values: object) -> None:
    with pytest.raises(ValueError, match="not a file identity"):
        FileIdentity.from_list(values)


def test_a_rewrite_with_size_and_mtime_kept_shows(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    before = identity_of(path)
    os.utime(path, ns=(before.mtime_ns, before.mtime_ns))  # ctime moves, whatever a tool sets
    after = identity_of(path)
    assert (after.size, after.mtime_ns, after.inode) == (before.size, before.mtime_ns, before.inode)
    assert after.ctime_ns >= before.ctime_ns
    assert after.changed_ns() == max(after.mtime_ns, after.ctime_ns)


def test_a_tree_changes_with_any_member() -> None:
    root = FileIdentity(1, 2, 10, 100, 100)
    one, other = FileIdentity(1, 3, 5, 50, 50), FileIdentity(1, 4, 5, 50, 50)
    tree = FileIdentity.of_tree([("", root), ("a", one)])
    assert tree == FileIdentity.of_tree([("a", one), ("", root)])
    assert tree != FileIdentity.of_tree([("", root), ("a", other)])
    assert tree != FileIdentity.of_tree([("", root), ("b", one)])
    assert (tree.size, tree.mtime_ns, tree.ctime_ns) == (15, 100, 100)


def test_a_tree_without_members_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="root"):
        FileIdentity.of_tree([])
