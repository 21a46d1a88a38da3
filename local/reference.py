"""The page at ``/docs``: the OpenAPI document as plain HTML, made here. No script, and nothing of another host."""

from collections.abc import Iterable, Iterator
from html import escape
from typing import Any

from fastapi import APIRouter, Request, Response

from eventlog.http.dashboard import PAGE_HEADERS

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""No script runs here, whatever might get into the page."""
_PAGE = """\
<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>API · Event log</title>
    <link rel="icon" href="dashboard/icon.svg" type="image/svg+xml">
    <link rel="stylesheet" href="dashboard/style.css">
  </head>
  <body>
    <header class="bar"><a class="brand" href="./">Event log</a></header>
    <main>
      <h1>API</h1>
      <p>{about} What is behind it is in <code>docs/api.md</code>; for programs, the same as <a href="openapi.json">an OpenAPI document</a>.</p>
      {routes}
      <h1>Schemas</h1>
      {schemas}
    </main>
  </body>
</html>
"""  # noqa: E501
_SCHEMA = "#/components/schemas/"

router = APIRouter(include_in_schema=False)  # no part of the API, and public as its description is


@router.get("/docs")
def show(request: Request) -> Response:
    """Show the API's description, for reading."""
    headers = PAGE_HEADERS | {"Content-Security-Policy": POLICY}
    return Response(page(request.app.openapi()), 200, headers, "text/html")


def page(document: dict[str, Any]) -> str:
    """Return an OpenAPI document as HTML."""
    routes = (_route(path, *one) for path, methods in document["paths"].items() for one in methods.items())
    schemas = (_schema(*one) for one in sorted(document["components"]["schemas"].items()))
    return _PAGE.format(
        about=escape(document["info"]["description"]), routes="\n".join(routes), schemas="\n".join(schemas)
    )


def _route(path: str, method: str, operation: dict[str, Any]) -> str:
    """Write one route: what it does, who may call it, what it takes and what it answers."""
    scopes = ", ".join(scope for needed in operation.get("security", ()) for scope in needed.get("caller", ()))
    takes = [
        (f"<code>{escape(one['name'])}</code>", one["in"], _type(one["schema"]), _said(one["schema"] | one))
        for one in operation.get("parameters", ())
    ]
    takes += [
        (escape(media), "body", _type(content.get("schema", {})), "")
        for media, content in operation.get("requestBody", {}).get("content", {}).items()
    ]
    good = {status: answer for status, answer in sorted(operation["responses"].items()) if status < "400"}
    answers = [(status, escape(answer["description"]), _contents(answer)) for status, answer in good.items()]
    refusals = sorted(operation["responses"].keys() - good.keys())
    problem = _contents(operation["responses"][refusals[0]])  # the same for each of them
    answers.append((", ".join(refusals), "refused, or failed", problem))
    return (
        f'<section class="card"><h2><code>{method.upper()} {escape(path)}</code></h2>'
        f"<p>{escape(operation.get('description', ''))} Scope: <code>{escape(scopes)}</code>.</p>"
        f"{_table(('Takes', 'In', 'Form', ''), takes)}{_table(('Answers', '', 'Form'), answers)}</section>"
    )


def _schema(name: str, schema: dict[str, Any]) -> str:
    required = schema.get("required", ())
    rows = [
        (f"<code>{escape(member)}</code>", _type(one), "required" if member in required else "", _said(one))
        for member, one in schema.get("properties", {}).items()
    ]
    about = escape(schema.get("description", ""))
    head = f'<section class="card" id="{escape(name)}"><h2>{escape(name)}</h2><p>{about}</p>'
    return f"{head}{_table(('Member', 'Form', '', ''), rows)}</section>"


def _contents(answer: dict[str, Any]) -> str:
    found = (f"{escape(media)} {_type(one.get('schema', {}))}" for media, one in answer.get("content", {}).items())
    return "<br>".join(found)


def _said(schema: dict[str, Any]) -> str:
    """Write what is said of a member, and what it is if it is left out."""
    default = f"default: {schema['default']}" if schema.get("default") not in (None, "") else ""
    return escape(". ".join(filter(None, (schema.get("description", ""), default))))


def _type(schema: dict[str, Any]) -> str:
    """Write a schema in a few words; a named one is a link to where it stands."""
    if reference := schema.get("$ref"):
        name = escape(reference.removeprefix(_SCHEMA))
        return f'<a href="#{name}">{name}</a>'
    if either := schema.get("anyOf"):
        return " or ".join(_type(one) for one in either)
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if values := schema.get("enum"):
        return " or ".join(f"<code>{escape(str(value))}</code>" for value in values)
    limits = " ".join(_limits(schema))
    return f"{escape(str(schema.get('type', schema.get('const', 'any'))))} {limits}".strip()


def _limits(schema: dict[str, Any]) -> Iterator[str]:
    for name in ("format", "pattern", "minimum", "maximum", "minLength", "maxLength"):
        if name in schema:
            yield f"<code>{name} {escape(str(schema[name]))}</code>"


def _table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Write a table of cells that are HTML already; nothing if it has no row."""
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    head = "".join(f'<th scope="col">{title}</th>' for title in titles)
    if not body:
        return ""
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="scroll" tabindex="0" role="region" aria-label="Table">{table}</div>'
