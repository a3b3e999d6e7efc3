import pytest

from mmconvert.report.quantity import describe_bytes, percent, time_unit


@pytest.mark.parametrize(("count", "text"), [(999, "999 B"), (1000, "1.0 kB"), (2_500_000, "2.5 MB"), (3e9, "3.00 GB")])
def test_sizes_are_readable(count, text):
    assert describe_bytes(count) == text


@pytest.mark.parametrize(
    ("fastest", "shown"),
    [(0.00153, "1.53 µs"), (0.0227, "22.7 µs"), (0.1, "100 µs"), (0.25, "0.250 ms"), (31.4, "31.4 ms")],
)
def test_times_have_three_digits_of_the_fastest_in_a_unit_that_fits_it(fastest, shown):
    search = {"candidates": [{"latency_ms": {"estimate": fastest}}, {"latency_ms": None}]}
    assert time_unit(search).say(fastest) == shown


def test_a_percent_sign_stays_on_the_line_of_its_figure():
    assert percent(0.0123) == "1.23\N{NO-BREAK SPACE}%"
