"""Run a model over a folder of ``.npy`` files: ``python batch.py MODEL FOLDER -o results.csv``.

Each file holds one row. The CSV file has one line a file: its name, the best class and the score.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mmclient import Client, MmError


def main() -> int:
    parser = argparse.ArgumentParser(description="Run a model over a folder of .npy files.")
    parser.add_argument("model")
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, help="the CSV file to write")
    arguments = parser.parse_args()
    sent: deque[str] = deque()

    def rows() -> Iterator[np.ndarray]:
        for path in sorted(arguments.folder.glob("*.npy")):
            try:
                row = np.load(path)
            except (OSError, ValueError) as error:
                raise SystemExit(f"{path} cannot be read as an array: {error}") from None
            sent.append(path.name)
            yield row

    begin, count = time.monotonic(), 0
    with Client() as mm, arguments.output.open("w", newline="") as file:
        labels = mm.show(arguments.model)["labels"]
        table = csv.writer(file)
        table.writerow(["file", "class", "score"])
        # Rows are read as they are sent, some of them ahead of the answers; answers come in the order of the rows.
        for outputs in mm.predict_many(arguments.model, rows(), dequantize=True):
            scores = next(iter(outputs.values())).ravel()
            best = int(scores.argmax())
            table.writerow([sent.popleft(), labels[best] if best < len(labels) else best, f"{scores[best]:.6g}"])
            count += 1
    print(f"{count} files in {time.monotonic() - begin:.1f} s: {arguments.output}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MmError as error:
        sys.exit(f"{error.message}\n{error.hint}")
