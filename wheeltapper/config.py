"""``wheeltapper config``: about the configuration file."""

import typer

from wheeltapper.options import AsJson

app = typer.Typer(no_args_is_help=True, help="About the configuration file.")


@app.callback()
def _config() -> None:
    """Keep ``config`` a group while it has one command."""


@app.command("schema")
def schema(as_json: AsJson = False) -> None:
    """Print the JSON Schema of the configuration, for editors (--json: on one line)."""
    import json

    from gateway.config.document import schema as described
    from wheeltapper import terminal

    if as_json:
        terminal.record(described())
    else:
        terminal.say(json.dumps(described(), indent=2))
