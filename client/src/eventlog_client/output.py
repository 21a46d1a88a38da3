"""The command's output: tables on a terminal, plain lines elsewhere, JSON if asked for."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import orjson

from eventlog import console

_REPLACED = {
    code: f"\\u{code:04x}"
    for code in (
        *range(0x20),
        *range(0x7F, 0xA0),
        0x61C,
        0x200E,
        0x200F,
        *range(0x2028, 0x202F),
        *range(0x2066, 0x206A),
    )
}
"""Control and direction characters: what is in a log must not control the terminal that shows it."""

_WHOLE = 36
"""In a table that is too wide, columns up to the width of a UUID stay whole, and wider ones share the rest."""

Advance = Callable[[int], None]


def printable(value: Any) -> str:
    """Return a text on one line, with control characters as escapes."""
    return str(value).translate(_REPLACED)


def compact(value: Any) -> str:
    """Return a value as JSON on one line."""
    return orjson.dumps(value).decode()


class Output:
    """Standard output for results, standard error for progress.

    ``gone`` says that nobody reads the results any more, so that a command that only shows things can end.
    """

    def __init__(self, *, json: bool) -> None:
        self.json = json
        self.gone = False

    def document(self, value: Any) -> None:
        """Print one JSON document, indented for people."""
        self.json_text(compact(value) if self.json else orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())

    def line(self, value: Any) -> None:
        """Print one line of NDJSON."""
        self.json_text(compact(value))

    def say(self, sentence: str, value: Any = None) -> None:
        """Print a sentence, or with --json the document it is about."""
        if not self.json:
            self.write(printable(sentence))
        elif value is not None:
            self.line(value)

    def table(self, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
        """Print rows as a table on a terminal, elsewhere as lines with tabs."""
        if sys.stdout.isatty():
            _rich_table(columns, rows)
        else:
            self.rows(columns, rows)

    def rows(self, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
        """Print rows as lines with tabs, each as it comes, as long as somebody reads them."""
        for row in rows:
            self.write("\t".join(cell(row.get(name)) for name in columns))
            if self.gone:
                return

    def json_text(self, text: str) -> None:
        """Print a JSON text, which is UTF-8 or ASCII in any locale."""
        self.write(text if console.takes_utf8(sys.stdout) else console.ascii_json(text))

    def write(self, text: str) -> None:
        """Print a line at once, so that a reader at the other end of a pipe need not wait."""
        self.gone = self.gone or not console.write(sys.stdout, text + "\n")


def erased_sentence(erased: int, *, authority: bool) -> str:
    """Say how many events were erased by order of the chain itself, and whether it is known who may order that."""
    who = "signed with a pinned governance key" if authority else "authority not checked: that takes --governance-key"
    return f"Erased: {erased} of them, by orders that the chain has ({who})."


def cell(value: Any) -> str:
    """Return a value as the text of a table's cell."""
    if value is None:
        return ""
    return printable(compact(value) if isinstance(value, dict | list) else value)


def _rich_table(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    from rich.console import Console  # noqa: PLC0415  a tenth of a second that scripts don't need
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    cells = [[cell(row.get(name)) for name in columns] for row in rows]
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name, *column in zip(columns, *cells, strict=True):
        table.add_column(name, no_wrap=max(map(len, (name, *column))) <= _WHOLE)
    for line in cells:
        table.add_row(*(Text(text, no_wrap=True, overflow="ellipsis") for text in line))
    Console().print(table)


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Advance]:
    """Show a progress bar if standard error is a terminal; yield the function that moves it on."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(what, total=total)
        yield lambda done: shown.advance(task, done)
