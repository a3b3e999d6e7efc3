"""How this copy was installed, and therefore how somebody adds what it lacks."""

from __future__ import annotations

# Source: APP in the Makefile. `make install` and the Debian package put their Python environment there.
_PACKAGE_FOLDER = "/lib/mmdaemon"
_IN_THE_PACKAGE = frozenset({"images"})
_REINSTALL = "this installation has lost it: apt install --reinstall ./mmdaemon_*.deb, or make install again"


def install_hint(extra: str, prefix: str) -> str:
    """Return the command or the page that brings an extra to this installation.

    Args:
        extra: A key of ``optional-dependencies`` in pyproject.toml.
        prefix: ``sys.prefix`` of the interpreter that lacks it.
    """
    if not _is_packaged(prefix):
        return f"pip install 'mmdaemon[{extra}]'"
    if extra in _IN_THE_PACKAGE:
        return _REINSTALL
    return f"the package comes without {extra}; docs/operations.md says how to add it beside the package"


def dependency_hint(distribution: str, prefix: str) -> str:
    """Return the command that brings a dependency of the base install that is missing or damaged.

    Args:
        distribution: Its name on PyPI.
        prefix: ``sys.prefix`` of the interpreter that lacks it.
    """
    return _REINSTALL if _is_packaged(prefix) else f"pip install --force-reinstall {distribution}"


def _is_packaged(prefix: str) -> bool:
    return prefix.rstrip("/").endswith(_PACKAGE_FOLDER)
