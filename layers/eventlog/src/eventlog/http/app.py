"""Makes an app of routers, for a Lambda function or for the development server."""

import asyncio
from functools import cache
from typing import Any

from fastapi import APIRouter, FastAPI
from mangum import Mangum
from pydantic.json_schema import models_json_schema

from eventlog import start
from eventlog.http import problems
from eventlog.http.access import Callers
from eventlog.http.answers import TEXT_TYPES, FittingAnswers
from eventlog.http.edge import AnswerHeaders, HeadAsGet, JoinedHeaders
from eventlog.http.frames import InFrames
from eventlog.http.observability import Observed
from eventlog.http.paths import OnePath
from eventlog.settings import Settings
from eventlog.wiring.connection import Connection


def create_app(*routers: APIRouter, title: str, settings: Settings | None = None, anonymous: bool = False) -> FastAPI:
    """An app with these routers; no setting is read and nothing is connected before the first request.

    Args:
        routers: In the order in which their routes are tried and documented.
        title: The app's name in logs and metrics, and in its OpenAPI document.
        settings: None: those of the environment.
        anonymous: Without API Gateway and tokens anybody may do everything; only for a server of this machine alone.
    """
    app = FastAPI(
        title=title,
        version="1",
        description="A tamper-evident, ordered, hash-chained event log.",
        docs_url=None,  # the framework's pages run scripts of another host, on the origin that has viewers' tokens
        redoc_url=None,
        redirect_slashes=False,  # API Gateway has no such redirect: a path is a route's or nobody's
    )
    app.state.connection = connection = Connection(settings)
    app.state.wirings = {}
    app.state.callers = Callers(lambda: connection.settings, anonymous=anonymous)
    # Problem documents say which methods a path has, so they need the routes. Of a router that is included the
    # framework builds each route once more, at the first request: 70 ms for the whole API. These are built already.
    app.state.routes = [route for router in routers for route in router.routes]
    app.router.routes.extend(app.state.routes)
    problems.install(app)
    # Each stands around those before it.
    app.add_middleware(OnePath, routes=app.state.routes, base_path=lambda: connection.settings.base_path)
    app.add_middleware(HeadAsGet)
    app.add_middleware(FittingAnswers)
    app.add_middleware(Observed, service=title, settings=lambda: connection.settings)
    app.add_middleware(InFrames)  # outside of what counts errors
    app.add_middleware(AnswerHeaders)
    app.add_middleware(JoinedHeaders)
    _document(app)
    return app


def lambda_handler(app: FastAPI) -> Mangum:
    """The app behind API Gateway: the last step of a function's start.

    Mangum would run the app's lifespan in each invocation, and sends as base64 what is not on its list of text types.
    """
    asyncio.set_event_loop(_event_loop())
    handler = Mangum(app, lifespan="off", text_mime_types=TEXT_TYPES)
    start.done()
    return handler


@cache
def _event_loop() -> asyncio.AbstractEventLoop:
    """An event loop for Mangum, which expects that there is a current one; Python makes none any more."""
    return asyncio.new_event_loop()


def _document(app: FastAPI) -> None:
    """Add schemas that routes refer to by hand to the OpenAPI document."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        # Every document has these, but a start writes none, and only some apps take events or requests for audits.
        from eventlog.http.audit_schemas import AuditRequest  # noqa: PLC0415  3 ms
        from eventlog.ingest.native import NewEvent  # noqa: PLC0415  3 ms

        document = generate()
        models = (NewEvent, AuditRequest, problems.ProblemDocument)
        reference = "#/components/schemas/{model}"
        _, schemas = models_json_schema([(model, "validation") for model in models], ref_template=reference)
        document.setdefault("components", {}).setdefault("schemas", {}).update(schemas["$defs"])
        return document

    app.openapi = openapi  # type: ignore[method-assign]
