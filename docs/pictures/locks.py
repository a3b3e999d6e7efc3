"""The daemon's threads, and its locks in the order in which they are taken."""

from __future__ import annotations

from docs.pictures.drawing import Drawing, attribute

# Threads from left to right, what they do, and which monitors they come to: of the models, of the requests.
_THREADS = (
    ("main", "signals, health", "m"),
    ("mm-models", "decides", "m"),
    ("mm-load-N", "bring files up", "m"),
    ("mm-chore-N", "add, close", "mr"),
    ("mm-leader", "reads, runs", "mr"),
    ("mm-worker-N", "run, reply", "r"),
    ("mm-deadlines", "refuses late", "r"),
    ("mm-warden", "sees deaths", "r"),
)
# Module of daemon/mmdaemon that makes the lock, what it is called here, and what it guards.
_MODELS = ("loader/reconciler.py", "the models' monitor", "registry, decisions, who waits")
_REQUESTS = ("dispatch/dispatcher.py", "the requests' monitor", "scheduler: lanes, queues, leases")
_INNER = (
    ("loader/loads.py", "loads", "results that wait"),
    ("store/records.py", "records", "what the store remembers"),
    ("loader/instances.py", "load specs", "how to load one more"),
)
_ALONE = (
    ("listener/peer.py", "one a client", "unsent replies"),
    ("listener/crew.py", "crew", "idle workers"),
    ("store/blob.py", "blobs", "what is fresh"),
    ("folder/watch.py", "watcher", "its observer"),
    ("probe/probe.py", "probe", "helper, turns"),
    ("isolation/warden.py", "warden", "new children"),
    ("isolation/process.py", "one a child", "its pidfd"),
    ("isolation/converter.py", "conversion", "one at a time"),
)
_BOX, _STEP = 117, 120
LOCKS = (_MODELS, _REQUESTS, *_INNER, *_ALONE)


def draw() -> Drawing:
    """Return the picture."""
    drawing = Drawing(
        1000,
        564,
        "Threads and locks of the daemon",
        "Threads come to two monitors. Inside the models' monitor the requests' monitor, or one of three more locks, "
        "may be taken. Every other lock is taken alone.",
    )
    drawing.text(24, 36, "Threads", "ink bold")
    drawing.text(482, 252, "Locks: the outer one first", "ink bold", "middle")
    models_x, requests_x = (24, 300), (640, 336)
    for number, (name, does, goes) in enumerate(_THREADS):
        x = 24 + number * _STEP
        drawing.box(x, 52, _BOX, 46, [name, does], "blue")
        middle = x + _BOX / 2
        for letter, (left, width) in (("m", models_x), ("r", requests_x)):
            if letter in goes:
                share = (number + 0.5) / 5 if letter == "m" else (number - 2.5) / 5
                drawing.way([(middle, 102), (left + width * share, 268)], "blue")
    for (place, *lines), (left, width) in ((_MODELS, models_x), (_REQUESTS, requests_x)):
        drawing.box(left, 272, width, 74, [*lines, place], "amber", attribute("data-lock", place))
    drawing.way([(models_x[0] + models_x[1] + 4, 309), (requests_x[0] - 4, 309)], "amber", classes="thick")
    drawing.text(482, 300, "may be taken inside it,", "soft small", "middle")
    drawing.text(482, 328, "never the other way round", "soft small", "middle")
    for number, (place, *lines) in enumerate(_INNER):
        left = 24 + number * 210
        drawing.box(left, 386, 196, 64, [*lines, place], "plain", attribute("data-lock", place))
        drawing.way([(104 + number * 100, 350), (left + 98 - number * 40, 382)], "amber", classes="thick")
    drawing.text(24, 478, "Taken alone: a thread that holds one of these takes no other", "ink bold")
    for number, (place, *lines) in enumerate(_ALONE):
        drawing.box(24 + number * _STEP, 492, _BOX, 48, lines, "plain", attribute("data-lock", place))
    return drawing
