"""The commands, in the order of their use."""

from typing import Annotated

import typer

from wheeltapper import (
    account,
    alarmholds,
    alarmreport,
    alarms,
    alarmsensors,
    audit,
    browse,
    central,
    check,
    config,
    consolidation,
    demo,
    discover,
    doctor,
    evaluate,
    export,
    federation,
    gaps,
    grafana,
    guard,
    health,
    init,
    model,
    models,
    parts,
    proposers,
    rehearse,
    replay,
    responses,
    retrain,
    run,
    secret,
    setpointaudit,
    setpoints,
    simulate,
    train,
    trust,
    uplink,
    walk,
)

app = typer.Typer(
    name="wheeltapper",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Edge gateway that learns what healthy machines sound like and says why one does not.",
    epilog="Exit codes: 0 done; 1 done, with a negative finding; 2 wrong input; 3 no answer.",
)


def _say_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"wheeltapper {version('wheeltapper')}")
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Say the version."),
    ] = False,
) -> None:
    """Edge gateway that learns what healthy machines sound like and says why one does not."""


app.command("demo")(demo.demo)
app.command("discover")(discover.discover)
app.command("init")(init.init)
app.command("browse")(browse.browse)
app.command("doctor")(doctor.doctor)
app.command("check")(check.check)
app.command("run")(run.run)
app.command("health")(health.health)
app.command("replay")(replay.replay)
app.command("evaluate")(evaluate.evaluate)
app.add_typer(alarms.app, name="alarms")
for name, command in (
    ("shelve", alarmholds.shelve),
    ("unshelve", alarmholds.unshelve),
    ("suppress", alarmholds.suppress),
    ("unsuppress", alarmholds.unsuppress),
    ("out-of-service", alarmholds.out_of_service),
    ("in-service", alarmholds.in_service),
    ("quiet", alarmholds.quiet),
    ("sensors", alarmsensors.sensors),
    ("trust", alarmsensors.trust),
    ("labels", alarmreport.labels),
    ("report", alarmreport.report),
):
    alarms.app.command(name)(command)
app.add_typer(parts.app, name="parts")
app.command("gaps")(gaps.gaps)
app.command("audit")(audit.audit)
app.command("export")(export.export)
app.add_typer(uplink.app, name="uplink")
app.add_typer(account.app, name="account")
app.add_typer(config.app, name="config")
app.add_typer(trust.app, name="trust")
app.add_typer(central.app, name="central")
app.add_typer(grafana.app, name="grafana")
app.add_typer(model.app, name="model")
app.add_typer(models.app, name="models")
app.command("train")(train.train)
app.command("retrain")(retrain.retrain)
app.add_typer(federation.app, name="federation")
federation.app.command("receive")(consolidation.receive)
federation.app.command("merge")(consolidation.merge)
federation.app.command("compare")(consolidation.compare)
app.add_typer(walk.app, name="walk")
app.command("guard")(guard.guard)
setpoints.app.command("replay")(rehearse.replay)
setpoints.app.add_typer(setpointaudit.app, name="audit")
setpoints.app.command("proposers")(proposers.proposers)
setpoints.app.command("learn")(responses.learn)
app.add_typer(setpoints.app, name="setpoints")
app.command("secret")(secret.secret)
app.command("simulate", hidden=True)(simulate.simulate)
