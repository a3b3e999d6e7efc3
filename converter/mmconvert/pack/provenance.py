"""Where a file comes from: enough to make it again and to compare."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

FORMAT = 1
_DISTRIBUTION = "mmdaemon"


def tool_versions(children: Mapping[str, str]) -> dict[str, str]:
    """Return the versions of what took part in the conversion, by name."""
    return {
        "mmconvert": version(_DISTRIBUTION),
        "python": platform.python_version(),
        "numpy": version("numpy"),
        **children,
    }


def provenance_json(facts: Mapping[str, Any]) -> bytes:
    """Return the ``MM_PROVENANCE`` entry; the same facts give the same bytes.

    The time is left out, or is SOURCE_DATE_EPOCH where that is set.

    Source: https://reproducible-builds.org/specs/source-date-epoch/
    """
    document = {"format": FORMAT, **facts}
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    if epoch.isdecimal():
        document["time"] = datetime.fromtimestamp(int(epoch), UTC).isoformat()
    return json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
