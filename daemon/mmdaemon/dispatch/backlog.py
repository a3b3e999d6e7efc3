"""The requests that wait: which lane is next, which deadline is next, how many may wait."""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Iterator

from mmdaemon.dispatch.lane import Lane
from mmdaemon.dispatch.refusal import queue_full
from mmdaemon.dispatch.request import Request


class Backlog:
    """The waiting requests of all lanes. Lanes take turns. A request may leave its lane from any place in it.

    Args:
        max_queue: How many requests may wait for a model whose options set no limit.
        max_bytes: How many bytes the inputs of all waiting requests may have.

    Attributes:
        max_queue: As above; it may change at any time.
        requests: How many requests wait.
        bytes: How many bytes their inputs have.

    Thread: under the dispatcher's monitor only.
    """

    def __init__(self, max_queue: int, max_bytes: int) -> None:
        self.max_queue = max_queue
        self._max_bytes = max_bytes
        self.requests = 0
        self.bytes = 0
        self._round: deque[Lane] = deque()
        self._deadlines: list[tuple[float, int, Request]] = []
        self._sequence = 0
        self._stale = 0  # deadlines of requests that no longer wait

    def __bool__(self) -> bool:
        return self.requests > 0

    def enter(self, lane: Lane, request: Request) -> None:
        """Let a request wait in its lane.

        Raises:
            CapacityError: ``QUEUE_FULL``: too many requests wait, or they hold too many bytes.
        """
        is_full = len(lane.waiting) >= (lane.max_queue or self.max_queue)
        if is_full or self.bytes + len(request.payload) > self._max_bytes:
            raise queue_full(lane.name, len(lane.waiting), self.bytes)
        request.is_waiting = True
        if not lane.waiting:
            self._round.append(lane)
        lane.waiting.append(request)
        self.requests += 1
        self.bytes += len(request.payload)
        if request.deadline != math.inf:
            self._sequence += 1
            heapq.heappush(self._deadlines, (request.deadline, self._sequence, request))

    def leave(self, lane: Lane, request: Request) -> bool:
        """Take a request out of its lane; return whether it was waiting."""
        if not request.is_waiting:
            return False
        request.is_waiting = False
        lane.waiting.remove(request)
        if not lane.waiting:
            self._round.remove(lane)
        self.requests -= 1
        self.bytes -= len(request.payload)
        if request.deadline != math.inf:
            self._stale += 1
            self._compact()
        return True

    def turns(self) -> Iterator[Lane]:
        """Yield the lanes with waiting requests, the next one first."""
        return iter(tuple(self._round))

    def end_turn(self, lane: Lane) -> None:
        """Move a lane to the end of the round, if requests still wait in it."""
        if lane.waiting:
            self._round.remove(lane)
            self._round.append(lane)

    def first_expired(self, now: float) -> Request | None:
        """Return one waiting request whose deadline has passed, None when there is none. It stays in its lane."""
        return self._deadlines[0][2] if self.next_deadline() <= now else None

    def next_deadline(self) -> float:
        """Return the earliest deadline among the waiting requests, in monotonic seconds."""
        while self._deadlines and not self._deadlines[0][2].is_waiting:
            heapq.heappop(self._deadlines)
            self._stale -= 1
        return self._deadlines[0][0] if self._deadlines else math.inf

    def _compact(self) -> None:
        """Forget requests that left before their deadline, when there are more of them than of those that wait."""
        if self._stale * 2 > len(self._deadlines):
            self._deadlines = [entry for entry in self._deadlines if entry[2].is_waiting]
            heapq.heapify(self._deadlines)
            self._stale = 0
