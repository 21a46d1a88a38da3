"""The ``eventlog`` command."""

import typer

app = typer.Typer(no_args_is_help=True)


@app.callback()
def root() -> None:
    """Append to an event log, query it, and check what it says."""


def main() -> None:
    """Run the command."""
    app()
