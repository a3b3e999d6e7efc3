"""What holds for all tests."""

from __future__ import annotations

import signal

# Signals do what they do in a terminal, however the tests were started: nohup and a shell's background jobs ignore
# some, and what a test starts would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
