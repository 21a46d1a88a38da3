"""``eventlog witness``: be a witness of others' logs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import format_vkey
from eventlog_client.errors import ClientError
from eventlog_client.session import session_of, utf8, verifier_keys

if TYPE_CHECKING:
    from eventlog.witness.keys import WitnessKey

app = typer.Typer(rich_markup_mode=None, help="Be a witness: cosign checkpoints of logs that you know.")

Directory = Annotated[
    Path, typer.Option("--directory", help="What the witness remembers; on a local disk, never from a backup.")
]


@app.command()
def add_log(
    context: typer.Context,
    vkey: Annotated[str, typer.Argument(help="The log's verifier key, from its operator.", callback=utf8)],
    directory: Directory,
) -> None:
    """Begin to trust a log's key.

    The first checkpoint that comes is cosigned as it is, and from then on only what extends the last one. That happens
    once for an origin: adding another key of the same log, or the same one again, makes the witness forget nothing.
    """
    from eventlog.witness.directory import DirectoryState  # noqa: PLC0415  what other commands don't need
    from eventlog.witness.state import StateLostError  # noqa: PLC0415

    (key,) = verifier_keys([vkey])
    try:
        added = DirectoryState(directory).add_log(key)
    except StateLostError as error:
        raise ClientError(f"{error}: this witness can't cosign for it any more") from error
    session_of(context).output.say(
        f"{key.name} is known now." if added else f"{key.name} was known with this key already.",
        {"origin": key.name, "added": added},
    )


@app.command()
def serve(
    context: typer.Context,
    *,
    directory: Directory,
    name: Annotated[str, typer.Option(help="The witness's name, such as witness.example/w1.", callback=utf8)],
    key: Annotated[list[Path], typer.Option("--key", help="Key file: Ed25519, and ML-DSA-44 if you like; repeatable.")],
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 for any that is free.")] = 8100,
    connections: Annotated[int, typer.Option(min=1, max=10000, help="How many may be open at a time.")] = 100,
) -> None:
    """Answer add-checkpoint requests (C2SP tlog-witness), until Ctrl-C.

    Plain HTTP, and a minute for each connection: put a proxy with TLS and a limit of requests before it. Lines about
    contradictions go to standard error.
    """
    from eventlog_client.witness_server import WitnessServer  # noqa: PLC0415

    # The keys first, so that a wrong one opens no port. With --port 0 the address is known only once it is open.
    keys = [_read_key(file, name) for file in key]
    output = session_of(context).output
    with WitnessServer(directory, keys, (host, port), connections) as server:
        vkeys = [format_vkey(each.key) for each in keys]
        said = f"Witness {name} at {server.url}, with {' and '.join(vkeys)}"
        output.say(f"{said}. Ctrl-C ends it.", {"url": server.url, "vkeys": vkeys})
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return


def _read_key(path: Path, name: str) -> "WitnessKey":
    from eventlog.witness.keys import load_witness_key  # noqa: PLC0415

    try:
        return load_witness_key(path.read_bytes(), name)
    except EvidenceError as error:
        raise typer.BadParameter(f"{path}: {error}", param_hint="--key") from error
