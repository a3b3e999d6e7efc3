from mmconvert.progress import Progress


class Terminal:
    def __init__(self, is_terminal):
        self.is_terminal, self.text = is_terminal, ""

    def isatty(self):
        return self.is_terminal

    def write(self, text):
        self.text += text

    def flush(self):
        pass


def test_stages_are_told_on_a_terminal_only():
    shown, silent = Terminal(True), Terminal(False)
    for stream in (shown, silent):
        progress = Progress(stream)
        progress.on_stage(3, 8, "convert")
        progress.on_step("converting")
    assert "[3/8] convert   converting" in shown.text
    assert silent.text == ""
