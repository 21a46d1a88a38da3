"""Makes an application of routers: the same for a Lambda function and for the development server."""

from typing import Any

from fastapi import APIRouter, FastAPI

from eventlog.http import problems
from eventlog.http.observability import Observed
from eventlog.http.resources import Resources
from eventlog.settings import Settings


def create_app(*routers: APIRouter, title: str, settings: Settings | None = None) -> FastAPI:
    """An app with these routers; nothing is read or connected before the first request."""
    app = FastAPI(
        title=title,
        version="1",
        description="A tamper-evident, ordered, hash-chained event log.",
        redirect_slashes=False,
    )
    app.state.resources = resources = Resources(settings)
    for router in routers:
        app.include_router(router)
    problems.install(app)
    app.add_middleware(Observed, service=title, resources=resources)
    schema = app.openapi

    def openapi() -> dict[str, Any]:
        document = schema()
        components = document.setdefault("components", {}).setdefault("schemas", {})
        reference = "#/components/schemas/{model}"
        model = problems.ProblemDocument.model_json_schema(ref_template=reference)
        components.update(model.pop("$defs"))
        components["ProblemDocument"] = model
        return document

    app.openapi = openapi  # type: ignore[method-assign]
    return app
