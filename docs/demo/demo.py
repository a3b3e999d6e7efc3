"""``make demo``: train, convert, serve and swap on real handwritten digits, as a user would do it."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mmclient import Client

BIN = Path(sys.executable).parent
SHOWN = 6


class Folder:
    """The folder that the demo works in."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.models = root / "models"
        self.socket = root / "mmdaemon.sock"
        self.models.mkdir()

    def short(self, text: object) -> str:
        """Return a command line without the folder's long name."""
        return str(text).replace(f"{self.root}/", "")


def say(text: str) -> None:
    """Print a step."""
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


def run(folder: Folder, *command: object, show: bool = True) -> str:
    """Run a command as a user would, show it, and return what it printed."""
    words = [str(word) for word in command]
    if show:
        print(f"$ {folder.short(' '.join(words))}", flush=True)
    done = subprocess.run([BIN / words[0], *words[1:]], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{words[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    if show and done.stdout.strip():
        print("  " + folder.short(done.stdout.rstrip()).replace("\n", "\n  "), flush=True)
    return done.stdout


def train(folder: Folder) -> dict[str, Any]:
    """Train the two models; return the accuracy and the time of a call in TensorFlow, by name."""
    script = Path(__file__).with_name("train.py")
    done = subprocess.run([sys.executable, script, folder.root], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"training ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    results: dict[str, Any] = json.loads((folder.root / "tensorflow.json").read_text())
    return results


def convert(folder: Folder, name: str) -> dict[str, Any]:
    """Convert one SavedModel to int8 and publish it as ``digits``; return mmconvert's document."""
    document: dict[str, Any] = json.loads(
        run(
            folder,
            *("mmconvert", folder.root / name, "--name", "digits", "--quantize", "int8"),
            *("--calibration", folder.root / "calibration.npz", "--labels", folder.root / "labels.txt"),
            *("--publish", folder.models, "--json"),
            show=False,
        )
    )
    print(f"$ mmconvert {name} --name digits --quantize int8 --calibration calibration.npz \\")
    print("      --labels labels.txt --publish models")
    print(f"  {document['verdict']}: {document['reason']}", flush=True)
    return document


@contextmanager
def daemon(folder: Folder) -> Iterator[None]:
    """Run mmdaemon on the folder until the block ends."""
    print("$ mmdaemon --models models --store store --socket mmdaemon.sock &", flush=True)
    with (folder.root / "mmdaemon.log").open("w") as log:
        process = subprocess.Popen(
            [BIN / "mmdaemon", "--models", folder.models, "--store", folder.root / "store", "--socket", folder.socket],
            stderr=log,
        )
        try:
            while not folder.socket.exists():
                if process.poll() is not None:
                    sys.exit((folder.root / "mmdaemon.log").read_text())
                time.sleep(0.01)
            yield
        finally:
            process.terminate()
            process.wait()


def served_accuracy(client: Client, images: Any, answers: Any) -> float:
    """Classify every held-out digit, one a call, over the socket; return the share that is right."""
    rows = (images[..., None].astype(np.int16) - 128).astype(np.int8)
    guesses = [int(next(iter(client.predict("digits", row[None]).values())).argmax()) for row in rows]
    return float(np.mean(guesses == answers))


def call_us(client: Client) -> float:
    """Return the median microseconds of a call over the socket."""
    row = np.zeros((1, 8, 8, 1), np.int8)
    taken: list[float] = []
    for _ in range(3_000):
        before = time.perf_counter()
        client.predict("digits", row)
        taken.append(time.perf_counter() - before)
    return statistics.median(taken) * 1e6


def low_rank(folder: Folder, client: Client, images: Any) -> None:
    """Publish a model with an SVD, and rebuild every held-out digit with it."""
    print("$ mmconvert low_rank --publish models")
    text = run(folder, "mmconvert", folder.root / "low_rank", "--publish", folder.models, "--json", show=False)
    document: dict[str, Any] = json.loads(text)
    print(f"  {document['verdict']}: {document['reason']}", flush=True)
    run(folder, "mmctl", "--socket", folder.socket, "wait", "low_rank")
    run(folder, "mmctl", "--socket", folder.socket, "ls")
    rows = images / np.float32(255)
    print('>>> client.predict("low_rank", rows)["image"]')
    kept = client.predict("low_rank", rows)["image"]
    share = float(np.sum(kept**2) / np.sum(rows**2))
    print(f"  {len(kept)} digits rebuilt from 3 of their 8 singular vectors keep {share:.1%} of their energy")


class Caller:
    """A thread that calls without a pause and counts answers and failures by version."""

    def __init__(self, folder: Folder) -> None:
        self.answers = 0
        self.failures: list[str] = []
        self._folder = folder
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Caller:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        row = np.zeros((1, 8, 8, 1), np.float32)
        with Client(str(self._folder.socket)) as client:
            while not self._stop.is_set():
                try:
                    client.predict("digits", row)
                    self.answers += 1
                except Exception as error:
                    self.failures.append(str(error))


def main() -> None:
    """Run the demo."""
    with tempfile.TemporaryDirectory(prefix="mmdemo-") as text:
        folder = Folder(Path(text))
        say("1. Train two small CNNs on scikit-learn's handwritten digits and save them as SavedModels")
        tensorflow = train(folder)
        held_out = np.load(folder.root / "held_out.npz")
        images, answers = held_out["images"], held_out["answers"]
        print(f"  {len(answers)} digits are held out; TensorFlow alone:", end="")
        print("".join(f" {name} {row['accuracy']:.1%}" for name, row in tensorflow.items()))

        say("2. Start the daemon on an empty folder")
        with daemon(folder), Client(str(folder.socket)) as client:
            say("3. Convert the first model to int8, prove it equal enough, and publish it into the running daemon")
            documents = {"digits_v1": convert(folder, "digits_v1")}
            run(folder, "mmctl", "--socket", folder.socket, "wait", "digits")

            say("4. Classify held-out digit images")
            files: list[Path] = []
            for number in range(SHOWN):
                files.append(folder.root / f"a_{answers[number]}_{number}.png")
                Image.fromarray(images[number]).save(files[-1])
            inputs = [word for file in files for word in ("-i", file)]
            run(folder, "mmctl", "--socket", folder.socket, "predict", "digits", "--top", 1, *inputs)

            rows = [("digits_v1", served_accuracy(client, images, answers), call_us(client))]

            say("5. Drop the second, better model over the first while a client calls without a pause")
            with Caller(folder) as caller:
                while caller.answers < 100:
                    time.sleep(0.01)
                documents["digits_v2"] = convert(folder, "digits_v2")
                run(folder, "mmctl", "--socket", folder.socket, "wait", "digits", "--version", 2)
                at_swap = caller.answers
                while caller.answers < at_swap + 100:
                    time.sleep(0.01)
            run(folder, "mmctl", "--socket", folder.socket, "ls")
            print(f"  {caller.answers} calls around the swap, {len(caller.failures)} failed")
            rows.append(("digits_v2", served_accuracy(client, images, answers), call_us(client)))

            say("6. A model that TFLite cannot express: full TensorFlow serves it, the call is the same")
            low_rank(folder, client, images)

            say("Results")
            print(f"  {'':10} {'accuracy':^21} {'size':^23} {'microseconds a call':^23}")
            print(f"  {'':10} {'TensorFlow':>10} {'served':>10} {'SavedModel':>12} {'int8':>10} ", end="")
            print(f"{'TensorFlow':>12} {'daemon':>10}")
            for name, accuracy, us in rows:
                document, reference = documents[name], tensorflow[name]
                print(
                    f"  {name:10} {reference['accuracy']:10.1%} {accuracy:10.1%} {document['source_bytes']:12,} "
                    f"{document['bytes']:10,} {reference['us']:12.0f} {us:10.0f}"
                )
            if caller.failures:
                sys.exit(f"calls failed during the swap: {caller.failures[:3]}")


if __name__ == "__main__":
    main()
