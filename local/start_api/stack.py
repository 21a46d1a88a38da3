"""Starts everything: database, AWS, functions, gateway, queue and schedules; stops it in the opposite order."""

import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from eventlog.formats.governance_note import KIND
from eventlog.formats.note import VerifierKey, format_vkey
from local.start_api import aws, database, edge
from local.start_api.aws import LocalAws
from local.start_api.build import build, emulator, link_image
from local.start_api.functions import Function, Instance, Runtime
from local.start_api.invocations import add_invoke
from local.start_api.pool import Pool
from local.start_api.sources import Loop, Poller, Scheduler
from local.start_api.template import Served, declared
from local.start_api.tokens import open_authorizer

ORIGIN = "localhost/start-api"
WITNESS = "localhost/start-api-witness"


@dataclass(frozen=True)
class Options:
    """The options of a run."""

    folder: Path
    built: Path | None = None
    tokens: Path | None = None
    pool: int = 4
    queue: int = 100
    schedules: bool = True
    timeouts: dict[str, int] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    administrator: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Running:
    """Where the parts of a run are."""

    aws_url: str
    kms_url: str
    mongo: str
    routes: int


@contextmanager
def serve(bound: socket.socket, options: Options) -> Iterator[Running]:
    """Serve the template on ``bound`` while the context lasts; functions start with their first request.

    Raises:
        LocalError: a part of it can't be built or started.
    """
    # What needs no process comes first, so that most errors are found before anything is started. The exit stack then
    # stops the gateway before the loops, these before the functions, and the database last.
    binary = emulator()
    folder = options.folder
    template = options.built or build(folder)
    authorizer = open_authorizer(options.tokens or folder / "tokens.json")
    with ExitStack() as stack:
        mongo = stack.enter_context(database.serve(folder / "mongo", options.administrator))
        local_aws = stack.enter_context(aws.serve())
        served = _resolve(template, mongo, local_aws, options.parameters)
        local_aws.make(served)
        runtime = Runtime(binary, (*served.layers(), link_image(folder)), _made(folder / "logs"))
        environment = local_aws.environment() | {"POWERTOOLS_TRACE_DISABLED": "1", "TZ": ":UTC", "LANG": "en_US.UTF-8"}
        pools = {
            function.name: stack.enter_context(_pool(_adapted(function, environment, options), runtime, options))
            for function in served.functions()
        }
        for loop in _loops(served, local_aws, pools, options):
            loop.start()
            stack.callback(loop.stop)
        api = served.api()
        runner = edge.Runner({name: pool.submit for name, pool in pools.items()})
        app = edge.Edge(api, runner, authorizer, bound.getsockname()[1]).app()
        add_invoke(app, runner)
        stack.enter_context(edge.serve(app, bound))
        yield Running(local_aws.url, local_aws.kms.url, mongo.address, sum(len(route.methods) for route in api.routes))


def _resolve(template: Path, mongo: database.LocalDatabase, local_aws: LocalAws, chosen: dict[str, str]) -> Served:
    secrets = {
        parameter: local_aws.add_secret(f"start-api/{user}", mongo.uris[user])
        for parameter, user in database.USERS.items()
    }
    # SAM serves what a condition leaves out, too: so there is a witness, and a name for it.
    parameters = {"LogOrigin": ORIGIN, "WitnessName": WITNESS, **chosen, "MongoDatabase": database.DATABASE}
    # An operator gives the governance key's verifier key in a second deployment; here the key is made before the stack.
    public = local_aws.kms.make_key("GovernanceKey").public_key().public_bytes_raw()
    parameters = {"GovernanceKeys": format_vkey(VerifierKey(parameters["LogOrigin"], public, KIND)), **parameters}
    return Served(template, {**local_aws.symbols(declared(template)), **secrets, **parameters})


def _adapted(function: Function, environment: dict[str, str], options: Options) -> Function:
    """Return a function with the environment and the time limit that it has on this machine."""
    timeout = options.timeouts.get(function.name, function.timeout)
    variables = function.variables | environment | {"AWS_LAMBDA_FUNCTION_TIMEOUT": str(timeout)}
    return replace(function, timeout=timeout, variables=variables)


@contextmanager
def _pool(function: Function, runtime: Runtime, options: Options) -> Iterator[Pool]:
    pool = Pool(partial(Instance, function, runtime), options.pool, options.queue)
    try:
        yield pool
    finally:
        pool.close()


def _loops(served: Served, local_aws: LocalAws, pools: dict[str, Pool], options: Options) -> Iterator[Loop]:
    for source in served.sources():
        yield Poller(source, local_aws.client("sqs"), pools[source.function].submit)
    if options.schedules:
        for schedule in served.schedules():
            yield Scheduler(schedule, pools[schedule.function].submit)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def empty(folder: Path) -> None:
    """Empty the folder: moto keeps nothing between runs, so nothing else may be kept."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
