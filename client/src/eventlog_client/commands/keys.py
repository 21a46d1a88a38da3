"""``eventlog keys``: key files, and which keys a log says it signs with."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from eventlog import console
from eventlog_client.keys import new_key_file, vkey_of_file, witness_vkey_of_file
from eventlog_client.session import ChainOption, session_of, utf8

app = typer.Typer(rich_markup_mode=None, help="Make and show keys; see which keys a log says it has.")

_WARNING = (
    "These are the log's own words. Pin a key only from its operator, by another way than the log: "
    "who controls the log can show any key here."
)


@app.command()
def new(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The file to make.")],
    ml_dsa: Annotated[bool, typer.Option("--ml-dsa", help="ML-DSA-44, for a witness, instead of Ed25519.")] = False,
) -> None:
    """Make a key file (PKCS#8 PEM) that only you can read; an existing file is left alone."""
    new_key_file(file, ml_dsa=ml_dsa)
    session_of(context).output.say(f"{file} made; `eventlog keys show {file} --name NAME` shows its verifier key.")


@app.command()
def show(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A key file.")],
    name: Annotated[
        str, typer.Option(help="The key's name: an origin line such as example.com/log/main.", callback=utf8)
    ],
    witness: Annotated[bool, typer.Option("--witness", help="As a witness's key, for policies.")] = False,
    governance: Annotated[
        bool, typer.Option("--governance", help="As a key that orders erasures; the name is the log's origin.")
    ] = False,
) -> None:
    """Print the verifier key (vkey) of a key file: what others pin."""
    if witness and governance:
        raise typer.BadParameter("a key is a witness's or orders erasures, and not both", param_hint="--governance")
    vkey = witness_vkey_of_file(file, name) if witness else vkey_of_file(file, name, governance=governance)
    output = session_of(context).output
    if output.json:
        output.document({"vkey": vkey})
    else:
        output.write(vkey)


@app.command()
def fetch(context: typer.Context, chain: ChainOption = "main") -> None:
    """Show the keys that the log says it signs a chain with, which is no reason to trust them."""
    session = session_of(context)
    with session.log() as log:
        keys = log.chain(chain).keys
    if session.output.json:
        session.output.document({"chain": chain, "keys": keys, "warning": _WARNING})
        return
    for key in keys:
        session.output.say(key)
    console.write(sys.stderr, f"eventlog: {_WARNING}\n")
