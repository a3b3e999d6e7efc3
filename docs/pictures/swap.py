"""One swap on a line of time: what becomes of version 2, and which version answers which request."""

from __future__ import annotations

from docs.pictures.drawing import Drawing

# Stages of the new file: where each begins and ends on the line of time, and what happens in it.
_STAGES = (
    ("settle", 150, 280, "wait until the", "file is whole"),
    ("store", 280, 390, "copy and hash", "its bytes"),
    ("trial", 390, 530, "a process of its", "own runs it once"),
    ("load", 530, 660, "beside version 1;", "one warm-up run"),
)
_SWAP_X = 660
_LAST_X = 760  # the last request of version 1 ends
# When requests begin and end.
_REQUESTS = (
    (120, 205),
    (170, 262),
    (225, 318),
    (290, 372),
    (345, 436),
    (405, 500),
    (470, 560),
    (520, 622),
    (588, 688),
    (636, _LAST_X),
    (664, 742),
    (704, 800),
    (750, 846),
    (812, 900),
    (858, 950),
)


def draw() -> Drawing:
    """Return the picture."""
    drawing = Drawing(
        1000,
        430,
        "The swap of two versions",
        "While the new file settles, is copied, tried and loaded, version 1 answers every request. After the swap new "
        "requests go to version 2; version 1 finishes those that it has and is then closed.",
    )
    drawing.text(24, 40, "cp better.tflite models/digits.tflite", "ink mono")
    drawing.text(24, 98, "version 2", "ink bold")
    for name, left, right, first, second in _STAGES:
        drawing.box(left + 2, 62, right - left - 4, 64, [name, first, second], "blue")
    drawing.box(_SWAP_X + 2, 62, 290, 64, ["serves", "every request that comes from now on"], "green")
    drawing.way([(150, 50), (150, 60)], "blue", classes="thick")
    drawing.text(24, 186, "version 1", "ink bold")
    drawing.box(110, 152, _SWAP_X - 114, 58, ["serves", "answers while the new file is made ready"], "green")
    drawing.box(_SWAP_X + 2, 152, _LAST_X - _SWAP_X - 4, 58, ["retires", "finishes"], "amber")
    drawing.way([(_LAST_X + 4, 181), (_LAST_X + 40, 181)], "plain")
    drawing.text(_LAST_X + 48, 186, "closed", "soft small")
    drawing.text(24, 262, "requests", "ink bold")
    for number, (begin, end) in enumerate(_REQUESTS):
        is_new = begin > _SWAP_X
        y = 238 + number % 4 * 28
        drawing.rectangle(begin, y, end - begin, 20, "green" if is_new else "plain", radius=4)
        drawing.text((begin + end) / 2, y + 15, f"v{2 if is_new else 1}", "ink small", "middle")
    drawing.way([(_SWAP_X, 46), (_SWAP_X, 366)], "red", heads="none", classes="dashed")
    drawing.text(_SWAP_X, 40, "swap: one reference", "ink bold", "middle")
    drawing.way([(110, 374), (960, 374)], "plain")
    drawing.text(960, 394, "time", "soft small", "end")
    drawing.text(
        24,
        410,
        "A file that fails at any stage changes nothing: version 1 goes on, and mmctl show has the reason.",
        "soft small",
    )
    return drawing
