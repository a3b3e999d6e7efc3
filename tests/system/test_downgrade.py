"""A serving box takes the old release's package, then the new one again: the same versions serve, no client fails."""

from __future__ import annotations

import json
from pathlib import Path

from rig import tiny_tflite as tiny
from rig.booted_box import Box
from rig.debian_package import OLD_VERSION
from rig.waiting_clients import clients_that_only_wait

STORE = "/var/lib/mmdaemon/store"


def install(box: Box, package: Path) -> None:
    before = box.property("MainPID")
    box.put(Path("/tmp/other.deb"), package.read_bytes())
    box.run("dpkg", "--install", "/tmp/other.deb")
    assert box.property("MainPID") not in ("0", before), "the other release runs"


def served(box: Box) -> dict[str, tuple[int, str]]:
    """Return version and digest of every model that is ready."""
    models = json.loads(box.run("mmctl", "--json", "ls", user="alice").stdout)["models"]
    return {one["name"]: (one["version"], one["sha256"]) for one in models if one["state"] == "ready"}


def copies(box: Box, digests: list[str]) -> str:
    """Return which file holds each blob, and when it was written."""
    return box.run("stat", "--format=%n %i %Y", *(f"{STORE}/blobs/{sha256}" for sha256 in digests)).stdout


def test_clients_only_wait_over_a_downgrade_and_the_upgrade_after_it(
    box: Box, model: None, old_package: Path, package: Path
) -> None:
    for value in (1, 2):
        box.deploy("kept.tflite", tiny.add_constant(value))
        box.wait("kept")
    before = served(box)
    digests = [sha256 for _, sha256 in before.values()]
    held = copies(box, digests)
    with clients_that_only_wait(box) as clients:
        clients.go_on()
        install(box, old_package)
        clients.go_on()
        assert box.run("dpkg-query", "--show", "--showformat=${Version}", "mmdaemon").stdout == OLD_VERSION
        for name in before:
            box.wait(name)
        assert served(box) == before
        assert copies(box, digests) == held, "nothing was copied again"
        assert box.predict("kept") == [3, 4, 5, 6]
        box.deploy("kept.tflite", tiny.add_constant(3))
        box.wait("kept")
        assert served(box)["kept"][0] == before["kept"][0] + 1
        install(box, package)
        clients.go_on()
        for name in before:
            box.wait(name)
        assert served(box)["kept"][0] == before["kept"][0] + 1
        assert box.predict("kept") == [4, 5, 6, 7]
    box.run("rm", "/var/lib/mmdaemon/models/kept.tflite")
