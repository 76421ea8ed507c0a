"""``wheeltapper check CONFIG``: is it right, and what would the gateway do."""

from pathlib import Path
from typing import TYPE_CHECKING

from wheeltapper.options import AsJson, ConfigFile

if TYPE_CHECKING:
    from gateway.config.plan import Plan

FILLED_BY = (
    "fill it by hand, or from an OPC UA server: wheeltapper browse {} --match '**' --write tags.csv"
)


def check(config: ConfigFile, as_json: AsJson = False) -> None:
    """Check a configuration without connecting to anything, and show the plan."""
    import typer

    from gateway.config.loader import load
    from gateway.footprint import footprint
    from plant.errors import Misconfigured
    from wheeltapper import terminal
    from wheeltapper.examination import door

    try:
        plan = load(config)
    except Misconfigured as error:
        if not as_json:
            raise
        terminal.record({"ok": False, "problems": str(error).splitlines()})
        raise typer.Exit(2) from error
    if as_json:
        from gateway.config.description import described

        disks = [
            {
                "full": {str(one.path): one.full for one in disk.kept},
                "present": sum(one.present for one in disk.kept),
                "free": disk.free,
                "short": disk.short,
            }
            for disk in footprint(plan)
        ]
        terminal.record({"ok": True, "plan": described(plan), "disks": disks})
    else:
        _show(plan, config)
        for finding in door(plan):
            mend = f" → {finding.mend}" if finding.mend else ""
            terminal.say(f"{finding.check}: {finding.result}{mend}")
        for disk in footprint(plan):
            terminal.say(f"disk: {disk.words}")
            if disk.mend:
                terminal.say(f"WARNING: it will not fit: {disk.mend}")


def _show(plan: "Plan", config: Path) -> None:
    from wheeltapper import terminal
    from wheeltapper.story import counted

    scheme = "https" if plan.console.tls else "http"
    console = f"{scheme}://{plan.console.host}:{plan.console.port}"
    terminal.say(f"gateway {plan.name}, data in {plan.data}, page at {console}\n")
    counts = [sum(tag.source == source.name for tag in plan.tags) for source in plan.sources]
    terminal.table(
        counted(len(plan.sources), "source"),
        ("source", "type", "tags"),
        [
            (source.name, source.type, str(count))
            for source, count in zip(plan.sources, counts, strict=True)
        ],
    )
    if not plan.tags:
        terminal.say(f"no tags yet; {FILLED_BY.format(config)}")
        return
    terminal.table(
        counted(len(plan.tags), "tag"),
        ("tag", "source", "address", "type", "unit", "role"),
        [
            (tag.name, tag.source, tag.address, tag.type or "as served", tag.unit, tag.role)
            for tag in plan.tags
        ],
    )
    terminal.table(
        counted(len(plan.assets), "asset"),
        ("asset", "signals", "mode"),
        [(asset.path, str(len(asset.signals)), asset.mode or "none") for asset in plan.assets],
    )
