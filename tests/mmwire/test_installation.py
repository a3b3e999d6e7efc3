from __future__ import annotations

import pytest

from mmwire.installation import dependency_hint, install_hint


@pytest.mark.parametrize(
    ("extra", "prefix", "says"),
    [
        ("images", "/home/me/.venv", "pip install 'mmdaemon[images]'"),
        ("tensorflow", "/usr", "pip install 'mmdaemon[tensorflow]'"),
        ("images", "/usr/lib/mmdaemon", "apt install --reinstall ./mmdaemon_*.deb"),
        ("images", "/usr/local/lib/mmdaemon/", "apt install --reinstall ./mmdaemon_*.deb"),
        ("tensorflow", "/usr/lib/mmdaemon", "docs/operations.md"),
    ],
)
def test_the_hint_fits_the_installation(extra: str, prefix: str, says: str) -> None:
    hint = install_hint(extra, prefix)

    assert says in hint
    assert ("pip install" in hint) == ("pip install" in says)


@pytest.mark.parametrize(
    ("prefix", "says"),
    [
        ("/home/me/.venv", "pip install --force-reinstall ai-edge-litert"),
        ("/usr/lib/mmdaemon", "apt install --reinstall ./mmdaemon_*.deb"),
    ],
)
def test_a_damaged_base_install_is_mended_by_what_installed_it(prefix: str, says: str) -> None:
    assert says in dependency_hint("ai-edge-litert", prefix)
