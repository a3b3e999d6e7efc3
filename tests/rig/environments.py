"""Runs the daemon's tests in other environments, under other Pythons or with another runtime, and prints one table.

``python -m tests.rig.environments pythons 3.11 3.12 3.13`` or ``python -m tests.rig.environments runtimes``. Each
environment has the packages of an edge box: the product as a wheel, without TensorFlow. ``.venvs/`` keeps them.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / ".venvs"
DAEMON = ("mmwire", "mmdaemon", "mmclient", "e2e", "architecture")
TESTING = ("pytest>=8.3", "pytest-timeout>=2.3", "hypothesis>=6.100", "pillow>=11", "flatbuffers>=24")
PINNED = ("--constraint", "constraints.txt")  # not where tflite-runtime wants another numpy
LOWEST = (3, 11)  # watchdog 7.1 and the numpy of today want it


@dataclass(frozen=True, slots=True)
class Environment:
    """One environment, and what is run in it.

    Attributes:
        name: Its folder in ``.venvs/``.
        python: The interpreter it is made with.
        steps: Lists of pip's arguments, in order.
        files: Modules to put beside the packages.
        runtime: What ``mmctl status`` must call its runtime.
        tests: Folders or files in ``tests/``.
    """

    name: str
    python: str
    steps: tuple[tuple[str, ...], ...]
    files: tuple[Path, ...] = ()
    runtime: str = "ai-edge-litert"
    tests: tuple[str, ...] = DAEMON

    def make(self) -> Path:
        """Install what is missing; return its interpreter."""
        folder = PLACE / self.name
        if not (folder / "bin/python").exists():
            subprocess.run([self.python, "-m", "venv", str(folder)], check=True)
        for step in self.steps:
            subprocess.run([folder / "bin/python", "-m", "pip", "install", "--quiet", *step], check=True, cwd=ROOT)
        [packages] = folder.glob("lib/python3*/site-packages")
        for file in self.files:
            shutil.copy(file, packages)
        return folder / "bin/python"

    def run(self) -> bool:
        """Make it, run its tests; return whether they passed."""
        try:
            python = self.make()
        except subprocess.CalledProcessError as error:
            print(f"{self.name}: cannot be made: status {error.returncode}", file=sys.stderr)
            return False
        command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not tensorflow"]
        command += [str(ROOT / "tests" / each) for each in self.tests]
        return not subprocess.run(command, cwd=ROOT, env=os.environ | {"MM_RUNTIME": self.runtime}).returncode


def interpreter(version: str) -> str | None:
    """Return the interpreter of a Python such as ``3.12`` that is installed here, None for none."""
    kept = sorted((Path.home() / ".pyenv/versions").glob(f"{version}.*/bin/python"))
    for candidate in (f"python{version}", *map(str, kept)):
        found = shutil.which(candidate)
        if found and not subprocess.run([found, "-c", "import venv"], capture_output=True).returncode:
            return found
    return None


def pythons(versions: Iterable[str]) -> dict[str, str]:
    """Run the daemon's tests under each of some Pythons; return the result by version."""
    results = {}
    for version in versions:
        python = interpreter(version)
        if tuple(map(int, version.split("."))) < LOWEST:
            results[version] = f"below {LOWEST[0]}.{LOWEST[1]}: pip refuses to install it"
        elif python is None:
            results[version] = "not installed here"
        else:
            results[version] = told(Environment(f"python{version}", python, ((*PINNED, ".", *TESTING),)).run())
    return results


def runtimes() -> dict[str, str]:
    """Run the runtime's contract with tflite-runtime, which wants a numpy of its own."""
    needed = ("tflite-runtime>=2.14", "numpy>=1.26,<2", "watchdog>=7.1,<8", "click>=8.1", "tqdm>=4.66", *TESTING)
    environment = Environment(
        "tflite-runtime",
        interpreter("3.11") or sys.executable,
        (needed, ("--no-deps", ".")),
        (schema_of_litert(),),
        "tflite-runtime",
        ("mmdaemon/runtime/test_runtime_contract.py", "mmdaemon/probe", "e2e/test_swap.py"),
    )
    return {"tflite-runtime": told(environment.run())}


def schema_of_litert() -> Path:
    """Return LiteRT's module that writes ``.tflite`` files: the tests make their models with it."""
    package = importlib.util.find_spec("ai_edge_litert")
    assert package is not None
    assert package.submodule_search_locations is not None
    return Path(package.submodule_search_locations[0]) / "schema_py_generated.py"


def told(passed: bool) -> str:
    return "passed" if passed else "FAILED"


def main() -> int:
    results = pythons(sys.argv[2:]) if sys.argv[1] == "pythons" else runtimes()
    for name, result in results.items():
        print(f"{name:16}{result}")
    return "FAILED" in results.values() or "passed" not in results.values()


if __name__ == "__main__":
    sys.exit(main())
