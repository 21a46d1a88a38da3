"""The report of a run, for the terminal and for its section of docs/load.md."""

import re
from dataclasses import dataclass
from pathlib import Path

from tools.load.figures import PERCENTILES, Figures, Route
from tools.load.verify import Verdict, describe

COLUMNS = ("Route", "Requests", *(f"p{percent} ms" for percent in PERCENTILES), "Errors")


@dataclass(frozen=True, slots=True)
class LoadResult:
    """The result of a whole run."""

    users: int
    figures: Figures
    verdict: Verdict

    @property
    def good(self) -> bool:
        """Whether nothing was wrong, neither with the answers nor with what is stored."""
        return not self.verdict.problems and not self.figures.failures()


def text(result: LoadResult) -> str:
    """Return the report for the terminal."""
    rows = [COLUMNS, *map(_cells, result.figures.routes)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    table = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    failures = [f"FAILED: {failure}" for failure in result.figures.failures()]
    return "\n".join([*table, "", _summary(result), *failures, describe(result.verdict)])


def markdown(result: LoadResult) -> str:
    """Return the report for the page, as Markdown."""
    rows = [COLUMNS, ["---"] * len(COLUMNS), *map(_cells, result.figures.routes)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    failures = "".join(f"\n- **{failure}**" for failure in result.figures.failures())
    return f"{_summary(result)}\n\n{table}\n{failures}\n{describe(result.verdict)}\n"


def write(page: Path, section: str, content: str) -> None:
    """Replace the text between the marks of a section; everything else stays as it is.

    Raises:
        ValueError: the page has no such section.
    """
    begin, end = f"<!-- {section} -->", f"<!-- end of {section} -->"
    pattern = re.compile(f"{re.escape(begin)}.*{re.escape(end)}", re.DOTALL)
    before = page.read_text()
    if not pattern.search(before):
        raise ValueError(f"{page.name} has no section {section}")
    page.write_text(pattern.sub(lambda _: f"{begin}\n{content.strip()}\n{end}", before))


def _summary(result: LoadResult) -> str:
    figures = result.figures
    rate = figures.requests / max(figures.seconds, 1)
    errors = figures.errors
    shares = [f"{kind} {count / figures.requests:.3%} ({count})" for kind, count in errors.most_common()]
    return (
        f"{figures.requests} requests in {figures.seconds:.0f} s ({rate:.0f}/s) by {result.users} users;"
        f" errors: {', '.join(shares) or 'none'}."
    )


def _cells(route: Route) -> list[str]:
    errors = ", ".join(f"{count} {kind}" for kind, count in route.errors.items())
    return [route.name, str(route.requests), *map(str, route.millis.values()), errors or "0"]
