"""``wheeltapper doctor CONFIG``: does it work, and if not, what has to be done where."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from wheeltapper.options import AsJson, ConfigFile

if TYPE_CHECKING:
    from plant.findings import Finding

_MARKS = {"good": "✓", "note": "!", "skipped": "·"}
_FAILED = "✗"
_SUBJECT, _CHECK = 10, 20
"""Width of the first columns; longer names push the rest aside."""


def doctor(config: ConfigFile, as_json: AsJson = False) -> None:
    """Examine a gateway and its sources, one line a check: check, result, mend.

    Reads only. Ends with 0 when all is well, 1 when something is connected and gives no data, 2
    when a certificate is rejected or a setting is wrong, 3 when something does not answer; the
    graver one of several is 2, then 3.
    """
    import asyncio

    import typer

    from gateway.config.loader import load
    from plant.errors import Misconfigured
    from plant.findings import Finding, Verdict
    from wheeltapper.examination import GATEWAY, examine
    from wheeltapper.story import counted

    try:
        plan = load(config)
    except Misconfigured as error:
        for line in str(error).splitlines():
            finding = Finding(
                subject=GATEWAY, check="configuration", verdict=Verdict.WRONG, result=line
            )
            _tell(finding, as_json)
        raise typer.Exit(2) from error

    async def examined() -> "list[Finding]":
        found = [
            Finding(
                subject=GATEWAY,
                check="configuration",
                verdict=Verdict.GOOD,
                result=f"{config}: {counted(len(plan.sources), 'source')}, "
                f"{counted(len(plan.tags), 'tag')}",
            )
        ]
        _tell(found[0], as_json)
        if plan.setpoints.limits is not None:
            from gateway.guard.separation import findings

            for finding in findings(plan, config):
                _tell(finding, as_json)
                found.append(finding)
        async for finding in examine(plan):
            _tell(finding, as_json)
            found.append(finding)
        if plan.models.keys:
            from wheeltapper.models.looking import registry

            for finding in await asyncio.to_thread(registry, plan):
                _tell(finding, as_json)
                found.append(finding)
        return found

    raise typer.Exit(ending(asyncio.run(examined())))


def ending(findings: "Iterable[Finding]") -> int:
    """Give the exit code of an examination."""
    from plant.findings import Verdict

    verdicts = {finding.verdict for finding in findings}
    for verdict, code in ((Verdict.WRONG, 2), (Verdict.UNREACHABLE, 3), (Verdict.NO_DATA, 1)):
        if verdict in verdicts:
            return code
    return 0


def row_of(finding: "Finding") -> dict[str, str]:
    """Give a finding for programs."""
    return {
        "subject": finding.subject,
        "check": finding.check,
        "verdict": str(finding.verdict),
        "result": finding.result,
        "mend": finding.mend,
    }


def line_of(finding: "Finding") -> str:
    """Give a finding for people: check, result, mend."""
    mark = _MARKS.get(finding.verdict, _FAILED)
    line = f"{mark} {finding.subject:{_SUBJECT}} {finding.check:{_CHECK}} {finding.result}"
    return f"{line} → {finding.mend}" if finding.mend else line


def _tell(finding: "Finding", as_json: bool) -> None:
    from wheeltapper import terminal

    if as_json:
        terminal.record(row_of(finding))
    else:
        terminal.say(line_of(finding))
