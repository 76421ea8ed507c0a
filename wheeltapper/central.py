"""``wheeltapper central``: the store of a plant to which gateways send."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wheeltapper.options import AsJson, Authority

if TYPE_CHECKING:
    from connectors.influx.config import InfluxConfig
    from connectors.influx.provision import Step

ADMIN_TOKEN = "INFLUX_ADMIN_TOKEN"  # noqa: S105 - the name of a variable
app = typer.Typer(no_args_is_help=True, help="The central store to which gateways send.")


@app.callback()
def _central() -> None:
    """Keep ``central`` a group while it has one command."""


@app.command("init")
def init(
    url: Annotated[str, typer.Argument(metavar="URL", help="As https://influx.plant:8086.")],
    org: Annotated[str, typer.Option(help="The organization, as it is called there.")] = "plant",
    bucket: Annotated[
        str, typer.Option(help="First part of the names of the buckets.")
    ] = "wheeltapper",
    folder: Annotated[Path, typer.Option(help="Where the files of the tokens go.")] = Path(
        "central"
    ),
    admin_token_file: Annotated[
        Path | None,
        typer.Option(
            help=f"File whose first line is an administrator's token; else ${ADMIN_TOKEN}."
        ),
    ] = None,
    ca: Authority = None,
    single: Annotated[
        bool, typer.Option("--single", help="One bucket for all that is sent, kept 10 years.")
    ] = False,
    renew: Annotated[
        bool,
        typer.Option("--renew", help="Make new tokens; the old ones stop working."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make buckets, retention and tokens in an InfluxDB 2; a second run changes nothing.

    The administrator's token comes from the environment (INFLUX_ADMIN_TOKEN) or from a file, and is
    not kept. Ends with 2 when something has to be set right, with 3 when nobody answers.
    """
    from pydantic import ValidationError

    from connectors.influx.config import InfluxConfig
    from connectors.influx.provision import Provision
    from plant.errors import Misconfigured
    from wheeltapper import terminal
    from wheeltapper.secret import token_of

    token = token_of(admin_token_file, "--admin-token-file", ADMIN_TOKEN, "an administrator")
    try:
        config = InfluxConfig(
            name="central", url=url, org=org, bucket=bucket, ca=ca, split=not single
        )
    except ValidationError as error:
        raise Misconfigured(
            "; ".join(each["msg"].removeprefix("Value error, ") for each in error.errors())
        ) from None
    steps = []
    provision = Provision(config, token, folder, renew=renew)
    try:
        for step in provision.run():
            steps.append(step)
            if as_json:
                terminal.record(_row(step))
            else:
                terminal.say(f"{step.what:6}  {step.name}: {step.done} ({step.detail})")
    finally:
        provision.close()
    if not as_json:
        _next(config, steps)


def _row(step: "Step") -> dict[str, str | None]:
    return {
        "what": step.what,
        "name": step.name,
        "done": step.done.value,
        "detail": step.detail,
        "file": None if step.file is None else str(step.file),
    }


def _next(config: "InfluxConfig", steps: "list[Step]") -> None:
    """Show what belongs into the configuration of a gateway."""
    import json

    from wheeltapper import terminal

    files = {step.name.split()[1]: step.file for step in steps if step.file is not None}
    terminal.say("")
    terminal.say("Into the configuration of each gateway; its file of the token goes with it:")
    terminal.say("")
    lines = [
        "[[sink]]",
        'type = "influx"',
        'name = "central"',
        f"url = {json.dumps(config.place)}",
        f"org = {json.dumps(config.org)}",
        f"bucket = {json.dumps(config.bucket)}",
        *([] if config.several else ["split = false"]),
        f"token_file = {json.dumps(str(files['write'].resolve()))}",
        *([] if config.ca is None else [f"ca = {json.dumps(str(config.ca.resolve()))}"]),
    ]
    for line in lines:
        terminal.say(line)
    terminal.say("")
    terminal.say(f"For boards and notebooks, which only read: {files['read']}")
