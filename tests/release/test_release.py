"""``make release`` refuses what is not ready, takes its commit back where a build fails, and builds what it says.

Each test has a repository of its own, made from the files of this tree. The one that builds everything takes minutes
and needs the package index: ``make test-release``.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = ("pyproject.toml", "Makefile", "constraints.txt", "LICENSE", "config.toml", "README.md", "CHANGELOG.md")
FOLDERS = ("daemon", "converter", "systemd", "docs", "examples", "tests/compatibility")
NOTES = "# Changelog\n\n## [Unreleased]\n### Added\n- A thing.\n\n## [0.0.1] - 2026-01-01\n- An older thing.\n"
BUILD_LIMIT_S = 900


class Repository:
    """A clone of this project that may be released."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run(["cp", "-a", "--parents", *FILES, *FOLDERS, folder], check=True, cwd=ROOT)
        (folder / ".gitignore").write_text("dist/\n__pycache__/\n")
        (folder / "CHANGELOG.md").write_text(NOTES)
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("config", "user.name", "A releaser")
        self.git("config", "user.email", "releaser@example.org")
        self.commit("Ready")

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], check=True, cwd=self.folder, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, subject: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", f"--message={subject}")

    def release(self, version: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, self.folder / "docs/release/make.py", version, "--checked"],
            capture_output=True,
            text=True,
            timeout=BUILD_LIMIT_S,
            env={**os.environ, **environment},
        )

    def state(self) -> tuple[str, str, str]:
        """Return the commit, the tags, and what differs from the commit."""
        return self.git("rev-parse", "HEAD"), self.git("tag"), self.git("status", "--porcelain")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    folder = tmp_path / "project"
    folder.mkdir()
    return Repository(folder)


def test_a_repository_that_is_not_ready_is_refused_and_stays_as_it_was(repository: Repository) -> None:
    def refused(version: str) -> str:
        before = repository.state()
        done = repository.release(version)
        assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
        assert repository.state() == before
        return done.stderr

    assert "expected a version X.Y.Z, got 'v1'" in refused("v1")
    assert "expected a version from 0.1.0 on, got 0.0.9" in refused("0.0.9")
    assert "version 7.0 has no golden files" in refused("7.0.0")
    repository.git("tag", "v0.1.7")
    assert "the tag v0.1.7 is there already" in refused("0.1.7")
    (repository.folder / "notes.txt").write_text("mine")
    assert "the work tree is not clean" in refused("0.1.1") and "notes.txt" in refused("0.1.1")
    (repository.folder / "notes.txt").unlink()
    changelog = repository.folder / "CHANGELOG.md"
    changelog.write_text(NOTES.replace("### Added\n- A thing.\n", ""))
    repository.commit("Nothing to say")
    assert "says nothing under [Unreleased]" in refused("0.1.1")


def test_a_build_that_fails_takes_the_commit_back(repository: Repository) -> None:
    before = repository.state()
    done = repository.release("0.1.1", PIP_NO_INDEX="1", PIP_FIND_LINKS="/nowhere")
    assert done.returncode == 1
    assert "not released: " in done.stderr and "ended with status 1" in done.stderr
    assert repository.state() == before
    assert (repository.folder / "CHANGELOG.md").read_text() == NOTES


def test_a_release_has_everything_that_it_says(repository: Repository) -> None:
    if not os.environ.get("MM_RELEASE"):
        pytest.skip("a long one: make test-release")
    before = repository.state()
    done = repository.release("0.1.1")
    assert done.returncode == 0, done.stderr
    commit, tags, changed = repository.state()
    assert (tags, changed, repository.git("rev-parse", "HEAD~1")) == ("v0.1.1", "", before[0])
    assert repository.git("rev-parse", "v0.1.1^{commit}") == commit
    assert "- A thing." in repository.git("tag", "--list", "--format=%(contents)", "v0.1.1")
    assert re.search(
        r"## \[Unreleased\]\n\n## \[0\.1\.1\] - \d{4}-\d\d-\d\d\n### Added\n- A thing\.\n\n## \[0\.0\.1\]",
        (repository.folder / "CHANGELOG.md").read_text(),
    )
    made = repository.folder / "dist/0.1.1"
    sums = dict(reversed(line.split("  ")) for line in (made / "SHA256SUMS").read_text().splitlines())
    assert {path.name for path in made.iterdir()} == {*sums, "SHA256SUMS"}
    assert {re.sub(r"_[a-z0-9]+\.deb$", ".deb", name) for name in sums} == {
        "mmdaemon-0.1.1-py3-none-any.whl",
        "mmdaemon-0.1.1.tar.gz",
        "mmdaemon_0.1.1.deb",
        "mmdaemon_0.1.1.cdx.json",
    }
    assert all(hashlib.sha256((made / name).read_bytes()).hexdigest() == digest for name, digest in sums.items())
    with zipfile.ZipFile(made / "mmdaemon-0.1.1-py3-none-any.whl") as wheel:
        assert b'__version__ = "0.1.1"' in wheel.read("mmdaemon/__init__.py")
    [package] = made.glob("*.deb")
    control = subprocess.run(["dpkg-deb", "--field", package, "Version"], check=True, capture_output=True, text=True)
    assert control.stdout.strip() == "0.1.1"
    bill = json.loads((made / "mmdaemon_0.1.1.cdx.json").read_text())
    assert (bill["bomFormat"], bill["metadata"]["component"]["version"]) == ("CycloneDX", "0.1.1")
    carried = {component["name"]: component["version"] for component in bill["components"]}
    assert {"numpy", "ai-edge-litert", "pillow", "click", "watchdog"} <= set(carried)
    assert f"numpy=={carried['numpy']}" in (ROOT / "constraints.txt").read_text()
