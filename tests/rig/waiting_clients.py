"""Clients in a booted box that ask without a pause, and must wait over whatever happens to the service."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from rig.booted_box import Box
from rig.waiting import wait_for


class Clients:
    """Four clients of the library that ask without a pause, as alice."""

    CODE = (
        "import sys, numpy as np\nfrom mmclient import Client\nx = np.ones((1, 4), np.float32)\n"
        "with Client('/run/mmdaemon.sock') as mm:\n"
        "    while True:\n"
        "        out = mm.predict('one', x)['y']\n"
        "        assert out.tolist() == [[2, 2, 2, 2]], out\n"
        "        print(1, flush=True)\n"
    )

    def __init__(self, box: Box) -> None:
        self._processes = [box.start("/usr/lib/mmdaemon/bin/python", "-c", self.CODE, user="alice") for _ in range(4)]
        self.answers = [0] * 4
        self._threads = [threading.Thread(target=self._count, args=(number,)) for number in range(4)]
        for thread in self._threads:
            thread.start()

    def _count(self, number: int) -> None:
        output = self._processes[number].stdout
        assert output is not None
        for _ in output:
            self.answers[number] += 1

    def go_on(self) -> None:
        """Wait until every one of them got ten more answers."""
        before = list(self.answers)
        wait_for("all are answered", lambda: all(b + 10 <= now for b, now in zip(before, self.answers, strict=True)))

    def end(self) -> list[str]:
        """Stop them; return what each said of a failure."""
        alive = [process.poll() is None for process in self._processes]
        for process in self._processes:
            process.kill()
        for thread in self._threads:
            thread.join()
        said = [process.communicate()[1].strip().splitlines()[-1:] for process in self._processes]
        return [str(lines) for fine, lines in zip(alive, said, strict=True) if not fine]


@contextlib.contextmanager
def clients_that_only_wait(box: Box) -> Iterator[Clients]:
    """Four clients that get answers before, during and after, and never an error."""
    clients = Clients(box)
    try:
        yield clients
        clients.go_on()
    finally:
        failures = clients.end()
    assert failures == []
    print(f"requests answered: {sum(clients.answers)}, failed: {len(failures)}")
