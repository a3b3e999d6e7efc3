"""How this copy was installed, and therefore how somebody adds what it lacks."""

from __future__ import annotations

# Source: APP in the Makefile. `make install` and the Debian package put their Python environment there.
_PACKAGE_FOLDER = "/lib/mmdaemon"
_IN_THE_PACKAGE = frozenset({"images"})


def install_hint(extra: str, prefix: str) -> str:
    """Return the command or the page that brings an extra to this installation.

    Args:
        extra: A key of ``optional-dependencies`` in pyproject.toml.
        prefix: ``sys.prefix`` of the interpreter that lacks it.
    """
    if not prefix.rstrip("/").endswith(_PACKAGE_FOLDER):
        return f"pip install 'mmdaemon[{extra}]'"
    if extra in _IN_THE_PACKAGE:
        return "the package brings it, so this installation is damaged: apt install --reinstall mmdaemon"
    return f"the package comes without {extra}; docs/operations.md says how to add it beside the package"
