"""moto's S3 behind HTTP for several processes: one request after the other, so that a condition holds as in S3.

moto itself looks at a put's condition and puts then, and two threads of its own server can come in between.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.contract.conftest import ACCOUNT

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class _Quiet(WSGIRequestHandler):
    def log(self, *_: Any) -> None: ...


def client_of(url: str) -> Any:
    """A client of this server, in any process."""
    session = boto3.Session(ACCOUNT["AWS_ACCESS_KEY_ID"], ACCOUNT["AWS_SECRET_ACCESS_KEY"], region_name="eu-central-1")
    return session.client("s3", endpoint_url=url, config=Config(proxies={}, max_pool_connections=32))


@contextmanager
def serving_s3(behind: "Callable[[WSGIApplication], WSGIApplication]" = lambda app: app) -> Iterator[str]:
    """The URL of a server on a port that was free; ``behind`` gives what stands before it."""
    app = behind(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, app, request_handler=_Quiet)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
