"""The two paths of the daemon, in the folders that they pass through."""

from __future__ import annotations

from docs.pictures.drawing import Drawing, attribute

_WIDTH, _HEIGHT = 150, 62
_TOP, _BOTTOM = 112, 392
# Folder of daemon/mmdaemon, its place, and what it does to a request on its way.
_REQUEST = (
    ("listener", (310, _TOP), ("reads frames,", "writes replies")),
    ("dispatch", (530, _TOP), ("leases an instance", "or queues")),
    ("runtime", (820, 68), ("runs it in the", "daemon's process")),
    ("isolation", (820, 160), ("runs it in a process", "of the model's own")),
)
# The same of a model file, from left to right.
_MODEL = (
    ("folder", ("what lies there,", "what has settled")),
    ("loader", ("decides what", "is due")),
    ("store", ("a private copy,", "named by its hash")),
    ("probe", ("a trial in a", "throw-away process")),
    ("runtime", ("loads it and", "warms it up")),
)


def draw() -> Drawing:
    """Return the picture."""
    drawing = Drawing(
        994,
        486,
        "The two paths of the daemon",
        "A request passes listener, dispatch and runtime or isolation, and its reply goes back the same way. A model "
        "file passes folder, loader, store, probe and runtime, and is swapped into dispatch.",
    )
    drawing.text(24, 42, "A request", "ink bold")
    drawing.text(24, 62, "microseconds; one thread carries it from frame to reply", "soft small")
    drawing.box(24, _TOP, _WIDTH, _HEIGHT, ["client", "mmclient, mmctl, yours"], "ground")
    for place, (x, y), lines in _REQUEST:
        drawing.box(x, y, _WIDTH, _HEIGHT, [place, *lines], "blue", attribute("data-place", place))
    for left, right in ((24, 310), (310, 530)):
        drawing.way([(left + _WIDTH + 4, _TOP + 22), (right - 4, _TOP + 22)], "blue", classes="thick")
        drawing.way([(right - 4, _TOP + 42), (left + _WIDTH + 4, _TOP + 42)], "plain")
    drawing.text(242, _TOP + 13, "INFER", "soft small", "middle")
    drawing.text(242, _TOP + 60, "RESULT", "soft small", "middle")
    drawing.way([(684, _TOP + 22), (816, 99)], "blue", heads="both", classes="thick")
    drawing.way([(684, _TOP + 42), (816, 191)], "blue", heads="both")
    drawing.text(704, 192, "shared memory", "soft small")

    drawing.text(24, 346, "A model", "ink bold")
    drawing.text(24, 366, "milliseconds to seconds; loader threads carry it", "soft small")
    step = (820 - 24) / (len(_MODEL) - 1)
    for number, (place, lines) in enumerate(_MODEL):
        x = 24 + number * step
        drawing.box(x, _BOTTOM, _WIDTH, _HEIGHT, [place, *lines], "green", attribute("data-place", place))
        if number:
            drawing.way([(x - step + _WIDTH + 4, _BOTTOM + 31), (x - 4, _BOTTOM + 31)], "green", classes="thick")
    drawing.way([(895, _BOTTOM - 4), (895, 282), (605, 282), (605, _TOP + _HEIGHT + 5)], "green", classes="thick")
    drawing.text(619, 272, "swap: one reference is exchanged", "soft small")
    drawing.text(619, 301, "between two requests", "soft small")
    return drawing
