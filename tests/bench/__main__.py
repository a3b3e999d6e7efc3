"""``make bench``: one run, one table. Figures are for comparing within a run; machines are noisy."""

from __future__ import annotations

import os

from tests.bench import loading, overload, serving, swapping


def main() -> None:
    print(
        f"{os.cpu_count()} cores; microseconds; medians of {serving.ROUNDS} rounds; clients are lean processes, ",
        end="",
    )
    print("Client is the library")
    serving.report()
    print()
    loading.report()
    print()
    swapping.report()
    print()
    overload.report()


if __name__ == "__main__":
    main()
