"""The page's modules as one script: each line of theirs once, asking for no other, and no form half understood."""

import re
from pathlib import Path

import pytest

from eventlog.http.dashboard import Files
from eventlog.http.joined import join_modules, join_sheets
from tests.support.each import each
from tests.unit.test_dashboard_files import COMMENT

DASHBOARD = Path(__file__).parents[2] / "functions" / "query" / "dashboard"
FILES = {
    path.relative_to(DASHBOARD).as_posix(): path.read_text(encoding="utf-8")
    for path in DASHBOARD.rglob("*")
    if path.suffix in {".js", ".css"}
}
MODULES = sorted(name for name in FILES if name.endswith(".js"))
SCRIPT = join_modules(FILES, "main.js")
LINKS = re.compile(r"(?m)^(?:import .* from '.*'|export \{ \w+ as default \};)$\n?|^export ")
"""What a browser reads of a module to know what it is joined to."""
TWO = {"a.js": "import { f } from './b.js'\nf()", "b.js": "export function f() {}"}


@each("name", MODULES)
def test_every_module_is_in_the_script_as_it_is_written(name: str) -> None:
    """But for what joins it to others; so what is reviewed is what runs."""
    written = LINKS.sub("", FILES[name]).strip()
    body = re.compile(r"(?m)^const (?:\{.*\}|[\w$]+) = \$modules\[.*\](?:\.default)?$\n?").sub(
        "", LINKS.sub("", SCRIPT)
    )
    assert body.count(written) == 1


def test_the_script_asks_for_no_other() -> None:
    asking = r"(?m)^\s*(?:import|export)\b.*|\bimport\(.*|\bimportScripts\b.*|\bWorker\(.*"
    assert re.findall(asking, COMMENT.sub("", SCRIPT)) == []


def test_a_module_is_made_before_who_imports_it() -> None:
    made: list[str] = []
    for found in re.finditer(r"(?m)^\$modules\['(.*)'\] = |^const .* = \$modules\['(.*)'\]", SCRIPT):
        made += [found[1]] if found[1] else []
        assert found[1] or found[2]
    assert sorted([*made, "main.js"]) == MODULES
    assert len(set(made)) == len(made)


def test_the_page_s_script_and_styles_are_served_so() -> None:
    served = {name: content.decode() for name, (content, _, _) in Files(DASHBOARD)._found.items()}
    assert served["main.js"] == SCRIPT
    assert served["style.css"] == join_sheets(FILES, "style.css")
    others = FILES.keys() - {"main.js", "style.css"}
    assert {name: served[name] for name in others} == {name: FILES[name] for name in others}


def test_a_sheet_stands_where_it_is_imported() -> None:
    sheet, imported = FILES["style.css"], "vendor/uplot-1.6.32/uPlot.min.css"
    assert join_sheets(FILES, "style.css") == FILES[imported] + sheet.removeprefix(f"@import './{imported}';")


@pytest.mark.parametrize("text", ["@import './gone.css';", "@import './font.css';", "@import './more.css';"])
def test_a_sheet_that_would_name_another_file_is_refused(text: str) -> None:
    files = {"a.css": text, "font.css": "p { src: url(x.woff) }", "more.css": "@import './font.css';"}
    with pytest.raises(ValueError, match=r"a\.css imports \w+\.css, which is not there, or names a file"):
        join_sheets(files, "a.css")


@pytest.mark.parametrize(
    "line",
    [
        "import './b.js'",
        "import f, { g } from './b.js'",
        "import { f as g } from './b.js'",
        "import {f} from './b.js'",
        "import { f } from './b.js';",
        'import { f } from "./b.js"',
        "import { f } from '/b.js'",
        "import { f } from 'b'",
        "import { f, } from './b.js'",
        "import('./b.js')",
        "import.meta.url",
        "export let f = 1",
        "export var f = 1",
        "export default f",
        "export * from './b.js'",
        "export { f }",
        "export { f as g }",
        "export { f } from './b.js'",
        "export const { f } = {}",
        "export const [f] = []",
        "export function* f() {}",
    ],
)
def test_what_is_written_in_another_form_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="can't be joined"):
        join_modules(TWO | {"a.js": f"f()\n{line}"}, "a.js")


def test_an_address_that_would_be_another_is_refused() -> None:
    files = {"a.js": "import { x } from './in/c.js'", "in/c.js": "export const x = new URL('..', import.meta.url)"}
    with pytest.raises(ValueError, match=r"in/c\.js asks where it is"):
        join_modules(files, "a.js")


@pytest.mark.parametrize("around", ["/*{}*/", "  /* more{}\n*/ ", "/**{}\n */ f()"])
def test_what_is_in_a_comment_is_no_import_and_no_export(around: str) -> None:
    comment = around.format("\nexport function gone() {}\nimport { x } from './gone.js'\n")
    files = {"a.js": "import { x } from './b.js'", "b.js": f"{comment}\nexport const x = 1"}
    assert f"{comment}\nconst x = 1\nreturn {{ x }}" in join_modules(files, "a.js")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import { f } from './gone.js'", "a.js imports gone.js, which is not there"),
        ("import { f } from './c.js'", "a.js imports c.js imports a.js, which is not there, or not finished yet"),
        ("import { f } from './a.js'", "a.js imports a.js, which is not there, or not finished yet"),
        ("import { f, g, h } from './b.js'", "b.js does not export g, h"),
        ("import f from './b.js'", "b.js does not export default"),
    ],
)
def test_what_can_not_be_imported_is_refused(text: str, words: str) -> None:
    files = TWO | {"a.js": text, "c.js": "import { f } from './a.js'"}
    with pytest.raises(ValueError, match=words):
        join_modules(files, "a.js")
