r"""How types and sources are asked for: as they are, or by how they begin (``user.login*``).

A filter is the name itself. One that ends in ``*`` is a prefix. A name that itself ends in ``*`` is written with ``\*``
at its end, and the backslashes before that star twice: of the run of backslashes before a last star each two are one.
Everywhere else ``*`` and ``\`` stand for themselves, so no filter means anything new but one that ends in ``*``.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from eventlog.formats.names import MAX_NAME

MAX_FILTER = 2 * MAX_NAME
"""Characters of a filter: a name, with each of them escaped."""
_LAST = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class NameFilter:
    """Names that are asked for: ``exact`` ones, and all that begin with one of ``prefixes``. None at all mean any.

    It is false where it lets every name through.
    """

    exact: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        """Read filters; a name fits if it fits one of them.

        Raises:
            ValueError: one of them is none.
        """
        found = {parse_name(text) for text in texts}
        prefixes = tuple(sorted(name for name, is_prefix in found if is_prefix))
        return cls(frozenset(name for name, is_prefix in found if not is_prefix), prefixes)

    def __bool__(self) -> bool:
        return bool(self.exact or self.prefixes)

    def fits(self, name: str) -> bool:
        """Return whether an event with this type, or source, is asked for."""
        return not self or name in self.exact or name.startswith(self.prefixes)

    def texts(self) -> list[str]:
        """Write the filters, sorted, so that equal ones are written alike."""
        return sorted([*map(exactly, self.exact), *(_escaped(prefix) + "*" for prefix in self.prefixes)])


ANY = NameFilter()
"""No filter."""


def parse_name(text: str) -> tuple[str, bool]:
    """Return the name or prefix that a filter has, and whether it is a prefix.

    Raises:
        ValueError: it is empty, a star alone, or longer than a name.
    """
    name, is_prefix = text, False
    if text.endswith("*"):
        bare = text[:-1].rstrip("\\")
        slashes = len(text) - 1 - len(bare)
        is_prefix = slashes % 2 == 0
        name = bare + "\\" * (slashes // 2) + ("" if is_prefix else "*")
    if not name:
        raise ValueError("must have a character before the '*'" if is_prefix else "must have 1 character or more")
    if len(name) > MAX_NAME:
        raise ValueError(f"must have {MAX_NAME} characters or fewer")
    return name, is_prefix


def exactly(name: str) -> str:
    """Return the filter that only this name fits, whatever it ends in."""
    return _escaped(name[:-1]) + "\\*" if name.endswith("*") else name


def after_prefix(prefix: str) -> str | None:
    """Return the first text after all that begin with a prefix, in the order of code points; None if there is none.

    That is also the order of their UTF-8, and so of a database that compares bytes.
    """
    # The last character that has a successor makes way for it; lone surrogates are no characters and are stepped over.
    stem = prefix.rstrip(_LAST)
    if not stem:
        return None
    following = ord(stem[-1]) + 1
    return stem[:-1] + chr(0xE000 if following == 0xD800 else following)


def _escaped(text: str) -> str:
    """Double the backslashes at the end of what stands before a star."""
    return text + "\\" * (len(text) - len(text.rstrip("\\")))
