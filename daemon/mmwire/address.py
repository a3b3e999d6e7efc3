"""Where a daemon and its clients meet: what Linux demands of a socket's path."""

from __future__ import annotations

# Source: unix(7). sun_path has 108 bytes, and the last is NUL.
SOCKET_PATH_MAX_BYTES = 107
