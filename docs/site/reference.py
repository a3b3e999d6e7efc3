"""Write the API reference in ``docs/client.md`` from the docstrings of ``mmclient``.

Usage: ``.venv/bin/python -m docs.site.reference``. A test holds the page to what this would write.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import mmclient
import mmclient.testing

PAGE = Path(__file__).resolve().parents[1] / "client.md"
BEGIN = "<!-- Made from the docstrings: .venv/bin/python -m docs.site.reference -->"
END = "<!-- End of what is made from the docstrings -->"
DESCRIBED = [
    *((mmclient, name) for name in mmclient.__all__),
    *((mmclient.testing, name) for name in ("FakeDaemon", "FakeModel")),
]
_SECTION = re.compile(r"(Args|Attributes|Returns|Yields|Raises|Shape|Thread|Units):[ \n]")
_FLAT = 76  # characters of a signature that stays on one line
_ENTRY = re.compile(r"([\w`.]+(?: \([^)]*\))?): ")


def reference() -> str:
    """Return the reference as Markdown."""
    parts: list[str] = []
    for module, name in DESCRIBED:
        thing = getattr(module, name)
        parts += ["", f"### {name}", "", *_described(thing, f"class {module.__name__}.{name}{_signature(thing)}")]
        if issubclass(thing, Exception) or is_dataclass(thing):  # their attributes say it all
            continue
        for method, function in vars(thing).items():  # in the order of the code
            if inspect.isfunction(function) and not method.startswith("_"):
                parts += ["", f"#### {name}.{method}", "", *_described(function, f"{method}{_signature(function)}")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).strip() + "\n"


def with_reference(page: str) -> str:
    """Return the page with today's reference in its place."""
    head, _, rest = page.partition(BEGIN)
    return f"{head}{BEGIN}\n\n{reference()}\n{END}{rest.partition(END)[2]}"


def _signature(thing: Callable[..., Any]) -> str:
    """Return what a caller may give, one argument a line where there are many."""
    signature = inspect.signature(thing)
    arguments: list[str] = []
    for argument in signature.parameters.values():
        if argument.kind is argument.KEYWORD_ONLY and "*" not in arguments:
            arguments.append("*")
        default = "" if argument.default is argument.empty else f" = {argument.default!r}"
        default = default.replace("<factory>", "...")  # of a dataclass: something made anew
        star = "*" if argument.kind is argument.VAR_POSITIONAL else ""
        if argument.name != "self":
            arguments.append(f"{star}{argument.name}: {argument.annotation}{default}")
    returned = signature.return_annotation
    after = f" -> {returned}" if isinstance(returned, str) and returned != "None" else ""
    flat = f"({', '.join(arguments)}){after}"
    return flat if len(flat) < _FLAT else "(\n    " + ",\n    ".join(arguments) + f",\n){after}"


def _described(thing: Callable[..., Any], code: str) -> Iterator[str]:
    """Give the lines of one class or method."""
    yield from ("```python", code, "```", "")
    for block in _blocks(inspect.getdoc(thing) or ""):
        section = _SECTION.match(block)
        if section is None:
            yield from (_as_markdown(block), "")
            continue
        title, text = section[1], block[section.end(1) + 1 :]
        entries = [_as_markdown(entry) for entry in _entries(text)]
        if title in ("Args", "Attributes", "Raises") and not text.startswith(" "):
            yield from (f"**{title}:**", "", *(_ENTRY.sub(r"- `\1`: ", entry, count=1) for entry in entries), "")
        else:
            yield from (f"**{title}:** " + " ".join(entries), "")


def _blocks(text: str) -> Iterator[str]:
    """Give the paragraphs and sections of a docstring."""
    yield from (block for block in re.split(r"\n\n+", text) if block.strip())


def _entries(text: str) -> Iterator[str]:
    """Give the entries of a section: each begins at the section's own indentation."""
    yield from re.split(r"\n(?=\S)", dedent(text.lstrip(" ") if text.startswith(" ") else text).strip())


def _as_markdown(text: str) -> str:
    return re.sub(r"\s+", " ", text.strip()).replace("``", "`")


def main() -> None:
    """Write the page."""
    PAGE.write_text(with_reference(PAGE.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
