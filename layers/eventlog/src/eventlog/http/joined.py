"""A script with every module that it imports, as one file: a browser asks once instead of sixty times.

A module becomes a function of its own, so that no name of one is seen in another. It returns what the module exports::

    $modules['dom.js'] = (() => {
    ...
    return { h, fill }
    })()

Its lines stay as they are written, but for imports and exports. Of these the forms below are understood, at the
beginning of a line; any other is refused, so nothing is ever half translated.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from posixpath import dirname, join, normpath

# Not compiled here: each start of the function imports this, and few are ever asked for the page.
_IMPORT = r"import (?P<all>\* as )?(?P<to>[\w$]+|\{ [\w$]+(?:, [\w$]+)* \}) from '(?P<path>\.[^']+)'"
_DECLARATION = r"export (?P<kept>(?:const|class|(?:async )?function) (?P<name>[\w$]+).*)"
_DEFAULT = r"export \{ (?P<name>[\w$]+) as default \};"
_SHEET = r"@import '(?P<path>[^']+)';"


def join_modules(files: Mapping[str, str], name: str) -> str:
    """Return a script and all that it imports as one, in the order in which a browser would run them.

    Args:
        files: The text of every file that may be imported, by path.
        name: The path of the script, which alone may ``await`` outside of functions.

    Raises:
        ValueError: A file imports or exports in another form, or what is not there, or they import in a circle.
    """
    modules: dict[str, _Module] = {}
    _add(files, name, modules, ())
    *imported, (_, entry) = modules.items()
    return "\n".join(
        [
            f"// {name}, last, after all that it imports. Each of these can be asked for by its own name, too.",
            "const $modules = {}",
            *(f"$modules['{path}'] = (() => {{\n{module.text}\n}})()" for path, module in imported),
            f"await (async () => {{\n{entry.text}\n}})()\n",
        ]
    )


def join_sheets(files: Mapping[str, str], name: str) -> str:
    """Return a style sheet with each sheet that it imports in the place of the import.

    Raises:
        ValueError: An imported sheet is not there, or names a file, by a path that would lead elsewhere from here.
    """

    def sheet(found: re.Match[str]) -> str:
        path = _resolved(found["path"], name)
        if path not in files or re.search(r"url\(|@import", files[path]):
            raise ValueError(f"{name} imports {path}, which is not there, or names a file.")
        return files[path]

    return re.sub(_SHEET, sheet, files[name])


@dataclass(frozen=True, slots=True)
class _Module:
    """The body of a module's function, and what it returns: what the module exports."""

    text: str
    exports: frozenset[str]


def _add(files: Mapping[str, str], name: str, modules: dict[str, _Module], importers: tuple[str, ...]) -> None:
    """Translate a module into ``modules``, after all that it imports and that is not there yet."""
    if name not in files or name in importers:
        raise ValueError(f"{' imports '.join([*importers, name])}, which is not there, or not finished yet.")
    if "import.meta" in files[name] and "/" in name:  # its address is the script's now, which is in no folder
        raise ValueError(f"{name} asks where it is.")
    lines, in_comment = [], False
    exports: dict[str, str] = {}
    for number, line in enumerate(files[name].split("\n"), 1):
        in_comment = in_comment or line.lstrip().startswith("/*")
        if in_comment or not line.startswith(("import", "export")):
            lines.append(line)
            in_comment = in_comment and "*/" not in line
        elif found := re.fullmatch(_IMPORT, line):
            path = _resolved(found["path"], name)
            if path not in modules:
                _add(files, path, modules, (*importers, name))
            lines.append(_imported(found, path, modules[path].exports))
        elif found := re.fullmatch(_DECLARATION, line):
            exports[found["name"]] = found["name"]
            lines.append(found["kept"])
        elif found := re.fullmatch(_DEFAULT, line):
            exports["default"] = f"default: {found['name']}"
        else:
            raise ValueError(f"{name}, line {number}, can't be joined: {line}")
    modules[name] = _Module("\n".join([*lines, f"return {{ {', '.join(exports.values())} }}"]), frozenset(exports))


def _imported(found: re.Match[str], path: str, exports: frozenset[str]) -> str:
    """Return the declaration of what is imported, each name of which must be exported."""
    if found["all"]:
        return f"const {found['to']} = $modules['{path}']"
    named = found["to"].startswith("{")
    if missing := set(re.findall(r"[\w$]+", found["to"]) if named else ["default"]) - exports:
        raise ValueError(f"{path} does not export {', '.join(sorted(missing))}.")
    return f"const {found['to']} = $modules['{path}']{'' if named else '.default'}"


def _resolved(path: str, importer: str) -> str:
    """Return the path, from the folder of all files, of what a file in it imports."""
    return normpath(join(dirname(importer), path))
