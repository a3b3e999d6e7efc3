from __future__ import annotations

import pytest

from mmclient.cli.output import quantity


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 us"),
        (12.1e-6, "12.1 us"),
        (0.5, "500 ms"),
        (0.9996, "1000 ms"),
        (3.51, "3.5 s"),
        (61, "1 min 1 s"),
        (3700, "1 h 1 min"),
        (200_000, "2 d 7 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert quantity.duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 bytes"), (1023, "1023 bytes"), (2048, "2.0 KiB"), (5 << 40, "5.0 TiB")]
)
def test_sizes(count: int, text: str) -> None:
    assert quantity.size(count) == text


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("memory_bytes", 2048, ("memory", "2.0 KiB")),
        ("bytes", 720, ("size", "720 bytes")),
        ("load_ms", 5.567, ("load", "5.57 ms")),
        ("run_us", 12.1, ("run", "12.1 us")),
        ("uptime_s", 3700.0, ("uptime", "1 h 1 min")),
        ("batch", 32, ("batch", 32)),
        ("state", "none", ("state", "none")),
        ("load_ms", None, ("load_ms", None)),
        ("has_bytes", True, ("has_bytes", True)),
    ],
)
def test_a_key_gives_its_unit_to_its_value(key: str, value: object, told: tuple[str, object]) -> None:
    assert quantity.told(key, value) == told
