"""The processes of a box that runs the daemon, and what passes between them."""

from __future__ import annotations

from docs.pictures.drawing import Drawing


def draw() -> Drawing:
    """Return the picture."""
    drawing = Drawing(
        1000,
        540,
        "Processes of a box",
        "Clients talk to the daemon over a Unix socket. The daemon starts a helper that forks a trial for each new "
        "file, and one process for each instance of full TensorFlow or of a model with isolation. Files come through "
        "the folder and are served from the store.",
    )
    for number, lines in enumerate(
        (
            ["your application", "mmclient, or the protocol"],
            ["mmctl", "predict, ls, wait, ..."],
            ["more clients", "up to 256"],
        )
    ):
        drawing.box(24, 92 + number * 92, 190, 60, lines, "ground")
        drawing.way([(218, 122 + number * 92), (372, 200 + number * 14)], "blue", heads="both")
    drawing.text(24, 44, "Clients", "ink bold")
    drawing.text(24, 64, "any user in the group", "soft small")
    drawing.text(256, 128, "Unix socket", "soft small")
    drawing.text(256, 300, "frames", "soft small")

    drawing.rectangle(376, 70, 250, 292, "amber")
    drawing.text(501, 98, "mmdaemon", "ink bold", "middle")
    drawing.text(501, 117, "one process, AF_UNIX only", "soft small", "middle")
    for y, lines in (
        (132, ["leader and workers", "read, run, reply"]),
        (206, ["LiteRT interpreters", "one for each running request"]),
        (280, ["reconciler and loaders", "folder to store to swap"]),
    ):
        drawing.box(394, y, 214, 62, lines, "blue")

    drawing.text(760, 44, "Children, which may die", "ink bold")
    drawing.box(760, 66, 216, 60, ["the probe's helper", "LiteRT, imported and idle"], "green")
    drawing.box(760, 170, 216, 60, ["a trial", "one new file; forked, confined"], "red")
    drawing.box(760, 274, 216, 76, ["a model's own process", "full TensorFlow, or", 'isolation = "process"'], "green")
    drawing.box(760, 394, 216, 60, ["a conversion", "mmconvert, where allowed"], "green")
    drawing.way([(630, 110), (756, 96)], "green", heads="both")
    drawing.text(690, 88, "file, result", "soft small", "middle")
    drawing.way([(868, 130), (868, 166)], "red")
    drawing.text(880, 153, "fork", "soft small")
    drawing.way([(630, 290), (756, 306)], "green", heads="both")
    drawing.text(692, 286, "packets,", "soft small", "middle")
    drawing.text(692, 324, "shared memory", "soft small", "middle")
    drawing.way([(630, 350), (756, 418)], "green", heads="both")

    drawing.box(394, 438, 98, 64, ["folder", "yours"], "plain")
    drawing.box(510, 438, 98, 64, ["store", "the daemon's"], "plain")
    drawing.way([(443, 434), (443, 366)], "green", classes="thick")
    drawing.way([(559, 366), (559, 434)], "green", heads="both", classes="thick")
    drawing.box(24, 438, 190, 64, ["systemd", "socket, READY, watchdog"], "ground")
    drawing.way([(218, 460), (330, 460), (330, 340), (372, 340)], "plain", heads="both")
    drawing.text(24, 524, "Nothing is served from the folder: a file is copied into the store first.", "soft small")
    return drawing
