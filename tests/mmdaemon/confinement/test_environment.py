from __future__ import annotations

from mmdaemon.confinement.environment import child_environment


def test_a_child_gets_everything_but_what_systemd_told_the_daemon() -> None:
    told = {"LISTEN_FDS": "1", "LISTEN_PID": "7", "NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "5", "WATCHDOG_PID": "7"}
    rest = {"PATH": "/bin", "MY_LISTEN_FDS": "1", "JOURNAL_STREAM": "8:9"}
    assert child_environment(told | rest) == rest
