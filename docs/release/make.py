"""Release a version: ``python docs/release/make.py X.Y.Z``, or ``make release VERSION=X.Y.Z``. It pushes nothing.

It commits the version and its section of the changelog, builds everything from a fresh clone of that commit, and tags
the commit only when all of it was built. Until then a failure takes the commit back.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VERSION_FILE = ROOT / "daemon/mmdaemon/__init__.py"
CHANGELOG = ROOT / "CHANGELOG.md"
GOLDEN = ROOT / "tests/compatibility/golden"
CHECKS = ("check", "test", "coverage", "test-systemd")
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)\Z")
_ASSIGNMENT = re.compile(r'^__version__ = "(.*)"$', re.MULTILINE)
_UNRELEASED = re.compile(r"^## \[Unreleased\]\n(.*?)(?=^## \[|\Z)", re.MULTILINE | re.DOTALL)


class RefusalError(Exception):
    """The release cannot be made; the text says why and what to do."""


def main() -> int:
    """Make the release, or say why not."""
    parser = argparse.ArgumentParser(description="Release a version; push nothing.")
    parser.add_argument("version", help="X.Y.Z")
    parser.add_argument("--checked", action="store_true", help=f"this commit passed make {' '.join(CHECKS)}")
    arguments = parser.parse_args()
    try:
        release(arguments.version, is_checked=arguments.checked)
    except RefusalError as error:
        print(f"not released: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        command = " ".join(map(str, error.cmd))
        print(f"not released: {command} ended with status {error.returncode}", file=sys.stderr)
        return 1
    return 0


def release(version: str, *, is_checked: bool) -> None:
    """Check, commit, build, tag.

    Raises:
        RefusalError: The version or the state of the repository does not allow a release.
        CalledProcessError: A check or a build failed.
    """
    notes = require_ready(version)
    if not is_checked:
        run("make", *CHECKS)
    before = git("rev-parse", "HEAD")
    write_version(version)
    run("git", "commit", "--quiet", "--all", f"--message=Release {version}")
    try:
        files = build(version)
        run("git", "tag", "--annotate", f"v{version}", f"--message=mmdaemon {version}\n\n{notes}", "--cleanup=verbatim")
    except BaseException:
        run("git", "reset", "--quiet", "--hard", before)  # the tree was clean: only this commit goes
        raise
    print(f"released {version}:")
    for file in files:
        print(f"  {file.relative_to(ROOT)}  {file.stat().st_size:,} bytes")
    print(f"next: git push origin HEAD v{version}, and publish these files")


def require_ready(version: str) -> str:
    """Return the text of the changelog for this version.

    Raises:
        RefusalError: Something is missing; nothing was changed.
    """
    given = _VERSION.match(version)
    if not given:
        raise RefusalError(f"expected a version X.Y.Z, got {version!r}")
    [current] = _ASSIGNMENT.findall(VERSION_FILE.read_text())
    if [int(part) for part in given.groups()] < [int(part) for part in current.split(".")]:
        raise RefusalError(f"expected a version from {current} on, got {version}")
    if git("tag", "--list", f"v{version}"):
        raise RefusalError(f"the tag v{version} is there already; choose a higher version")
    if changed := git("status", "--porcelain"):
        raise RefusalError(f"the work tree is not clean; commit or remove these files first:\n{changed}")
    found = _UNRELEASED.search(CHANGELOG.read_text())
    if not found or not found[1].strip():
        raise RefusalError(f"{CHANGELOG.name} says nothing under [Unreleased]; write there what a user will notice")
    minor = version.rpartition(".")[0]
    if not (GOLDEN / minor).is_dir():
        made = f"set __version__ to {version} and run tests/compatibility/make_golden.py"
        raise RefusalError(f"version {minor} has no golden files; {made}, then commit both")
    return found[1].strip()


def write_version(version: str) -> None:
    """Set the version, and give the changelog's unreleased section its name."""
    VERSION_FILE.write_text(_ASSIGNMENT.sub(f'__version__ = "{version}"', VERSION_FILE.read_text()))
    heading = f"## [Unreleased]\n\n## [{version}] - {datetime.datetime.now(datetime.UTC):%Y-%m-%d}\n"
    CHANGELOG.write_text(CHANGELOG.read_text().replace("## [Unreleased]\n", heading, 1))


def build(version: str) -> list[Path]:
    """Build wheel, sdist, Debian package and SBOM from a clone of HEAD; return the files in ``dist/VERSION``."""
    target = ROOT / "dist" / version
    target.mkdir(parents=True, exist_ok=True)
    for old in target.iterdir():
        old.unlink()
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        run("git", "clone", "--quiet", ROOT, clone)
        pins = str(clone / "constraints.txt")
        environment = os.environ | {
            "SOURCE_DATE_EPOCH": git("log", "-1", "--format=%ct"),
            "PIP_CONSTRAINT": pins,
            "PIP_BUILD_CONSTRAINT": pins,
        }
        tools = Path(folder) / "tools"
        run(sys.executable, "-m", "venv", tools)
        run(tools / "bin/pip", "install", "--quiet", "build", "cyclonedx-bom", env=environment)
        run(tools / "bin/python", "-m", "build", "--outdir", target, clone, env=environment)
        run("make", "--no-print-directory", "-C", clone, "deb", env=environment)
        [package] = (clone / "dist").glob("*.deb")
        made = Path(shutil.copy(package, target))
        project = clone / "pyproject.toml"
        project.write_text(project.read_text().replace('dynamic = ["version"]', f'version = "{version}"'))
        describe(made, project, target / f"mmdaemon_{version}.cdx.json", tools)
    files = sorted(target.iterdir())
    sums = "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files)
    (target / "SHA256SUMS").write_text(sums)
    return [*files, target / "SHA256SUMS"]


def describe(package: Path, project: Path, bill: Path, tools: Path) -> None:
    """Write the bill of materials (CycloneDX) of the Python environment that a Debian package carries.

    Args:
        package: The Debian package.
        project: A pyproject.toml with the name, version and licence of what is described.
        bill: The file to write.
        tools: An environment that has cyclonedx-bom.
    """
    with tempfile.TemporaryDirectory() as folder:
        run("dpkg-deb", "--extract", package, folder)
        python = Path(folder) / "usr/lib/mmdaemon/bin/python"
        options = ("--pyproject", project, "--mc-type", "application", "--output-reproducible", "--validate")
        run(tools / "bin/cyclonedx-py", "environment", *options, "--output-file", bill, python)


def run(*command: object, env: dict[str, str] | None = None) -> None:
    """Run a command in the root of the project.

    Raises:
        CalledProcessError: It failed.
    """
    subprocess.run([str(part) for part in command], check=True, cwd=ROOT, env=env)


def git(*arguments: str) -> str:
    """Return what git prints."""
    done = subprocess.run(["git", *arguments], check=True, cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
