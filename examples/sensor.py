"""Watch a stream of readings for what is not normal: ``python sensor.py MODEL --threshold X < readings.csv``.

MODEL is an autoencoder: its output has the shape of its input and repeats what it knows as normal. Each line of
standard input is one reading, its numbers separated by commas. A reading whose mean squared error passes the threshold
is an alarm. The exit status is 1 if there was one.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np

from mmclient import Client, MmError


def main() -> int:
    parser = argparse.ArgumentParser(description="Watch a stream of readings for what is not normal.")
    parser.add_argument("model")
    parser.add_argument("--threshold", type=float, required=True, help="mean squared error above which it is an alarm")
    parser.add_argument("--period", type=float, default=1.0, help="seconds until the next reading comes (default: 1)")
    arguments = parser.parse_args()
    alarms = 0
    with Client() as mm:
        for number, line in enumerate(sys.stdin, 1):
            try:
                reading = np.array([line.split(",")], np.float32)
            except ValueError:
                print(f"{number}: not examined: expected numbers and commas, got {line.strip()!r}", file=sys.stderr)
                continue
            try:
                # Within its deadline the library waits for a daemon that restarts, and sends a lost request again.
                outputs = mm.predict(arguments.model, reading, dequantize=True, timeout=arguments.period)
            except MmError as error:
                if not error.retryable and error.code != "DAEMON_UNREACHABLE":
                    raise  # the model is gone or takes another input: the next reading will fare no better
                print(f"{number}: not examined ({error.code}: {error.message})", file=sys.stderr)
                continue
            [repeated] = outputs.values()
            mean_squared_error = float(np.mean((repeated - reading) ** 2))
            is_alarm = mean_squared_error > arguments.threshold
            alarms += is_alarm
            print(f"{number}: {mean_squared_error:.4g}{'  ALARM' if is_alarm else ''}", flush=True)
    return 1 if alarms else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MmError as error:
        sys.exit(f"{error.message}\n{error.hint}")
