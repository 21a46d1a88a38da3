"""Lambda's Invoke API, for events that are not HTTP requests (`aws lambda invoke --endpoint-url`)."""

from flask import Flask, Response, request

from local.machine import LocalError
from local.start_api.edge import Runner
from local.start_api.functions import FunctionError

PATH = "/2015-03-31/functions/<name>/invocations"
TEXT = "text/plain; charset=utf-8"
"""Said each time, as Flask calls an answer HTML that names no type."""


def add_invoke(app: Flask, runner: Runner) -> None:
    """Add the route of Lambda's Invoke API to an application."""

    def invoke(name: str) -> Response:
        # As Lambda answers: 404 for an unknown function; 202 at once for an asynchronous call; else the function's
        # answer, where an error of the function is a 200 with a header.
        payload = request.get_data() or b"{}"
        if not runner.knows(name):
            return Response('{"Type":"User","Message":"Function not found"}', 404, content_type="application/json")
        if request.headers.get("X-Amz-Invocation-Type") == "Event":
            runner.submit(name, payload)
            return Response(status=202, content_type=TEXT)
        try:
            return Response(runner.submit(name, payload).result(), content_type="application/json")
        except (FunctionError, LocalError) as error:
            return Response(str(error), headers={"X-Amz-Function-Error": "Unhandled"}, content_type=TEXT)

    app.add_url_rule(PATH, view_func=invoke, methods=["POST"])
