"""The OpenAPI document of each function by itself: whatever it refers to is in it."""

import json
import re

from eventlog.http.app import create_app
from functions.chain_audit import app as chain_audit
from functions.ingest import app as ingest
from functions.query import app as query
from tests.support.each import each


@each("function", [chain_audit, ingest, query])
def test_a_document_has_every_schema_that_it_refers_to(function: object) -> None:
    document = function.app.openapi()  # type: ignore[attr-defined]
    referred = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(document)))
    assert {"NewEvent", "AuditRequest", "ProblemDocument"} <= document["components"]["schemas"].keys()
    assert referred <= document["components"]["schemas"].keys()
    assert "ProblemDocument" in referred


def test_an_app_without_routes_has_a_document_too() -> None:
    assert create_app(title="none").openapi()["paths"] == {}
