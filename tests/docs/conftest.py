"""What the tests of the pages share: the scripts under ``docs/`` can be imported as ``docs.pictures`` and so on."""

from __future__ import annotations

import sys
from pathlib import Path

# Last, so that the folder systemd/ hides no package of that name.
sys.path.append(str(Path(__file__).resolve().parents[2]))
