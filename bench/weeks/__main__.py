"""Four simulated weeks through the gateway's pipeline, judged as a maintenance engineer would.

    python -m bench.weeks [--seed 0] [--days 28] [--learn-hours 48] [--pictures DIR] [--json]

The diary, what counts as false, and the figures: docs/weeks.md. Ends with 1 when there is more than
one false alarm an asset-week, or a scripted fault was not found before the failure.
"""

import argparse
import contextlib
import json
import sys
import time
from pathlib import Path
from typing import Any

from bench.machine import machine
from bench.weeks import campaign as weeks
from bench.weeks.campaign import START, Campaign
from bench.weeks.diary import written
from bench.weeks.timetable import DAY, HOUR
from bench.weeks.verdicts import Found, Verdict, judge, standing_s
from gateway.performance import report
from plant.errors import PlantError
from wheeltapper import terminal
from wheeltapper.alarmreport import summary
from wheeltapper.evaluation.figures import plain
from wheeltapper.evaluation.png import demand_pillow
from wheeltapper.evaluation.words import duration, instant, percent
from wheeltapper.progress import Bar

MUST, AIM = 1.0, 0.2
"""False alarms an asset-week."""
LEAST_LEARN_H, LEAST_DAYS = 1.0, 0.1


def main() -> None:
    """Run the weeks, say what came out, end with 1 when a must was missed."""
    asked = _asked()
    try:
        if asked.pictures:
            demand_pillow()
        begun = time.process_time()
        diary = written(asked.seed, asked.learn_hours, asked.days)
        with Bar(f"{asked.days:g} days") as bar:
            done = weeks.run(diary, bar.moved, recipes=asked.recipe_in_mode)
        verdict = judge(done)
        spent = time.process_time() - begun
        saved = _pictures(done, verdict, asked.pictures)
    except PlantError as error:
        sys.exit(f"{error}")
    if asked.json:
        print(json.dumps(_document(asked, done, verdict, spent), indent=1, ensure_ascii=False))
    else:
        _say(done, verdict, spent)
        with contextlib.suppress(IndexError):
            print(f"{len(saved)} pictures, from {saved[0]}")
    sys.exit(1 if verdict.rate > MUST or verdict.missed else 0)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.weeks", description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="named in advance: 0")
    parser.add_argument("--days", type=float, default=28.0, help="judged days, 28")
    parser.add_argument("--learn-hours", type=float, default=48.0, help="learnt before them, 48")
    parser.add_argument(
        "--recipe-in-mode", action="store_true", help="the mode tags tell the product, too"
    )
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="a PNG a week a machine")
    parser.add_argument("--json", action="store_true", help="for programs")
    asked = parser.parse_args()
    if asked.days < LEAST_DAYS or asked.learn_hours < LEAST_LEARN_H or asked.seed < 0:
        parser.error(
            f"--days wants {LEAST_DAYS:g} or more, --learn-hours {LEAST_LEARN_H:g} or more, "
            "--seed 0 or more"
        )
    return asked


def _pictures(done: Campaign, verdict: Verdict, folder: Path | None) -> list[Path]:
    if folder is None:
        return []
    from bench.weeks.pictures import save

    return save(done, verdict, folder)


def _report(done: Campaign, verdict: Verdict) -> Any:
    """Report as the gateway does."""
    diary = done.diary
    start, stop = (START + second * 10**9 for second in (diary.taught, diary.end))
    return report(done.course, start, stop, list(verdict.weeks.values()), budget=1.0)


def _document(
    asked: argparse.Namespace, done: Campaign, verdict: Verdict, spent: float
) -> dict[str, Any]:
    low, high = verdict.interval()
    document: dict[str, Any] = plain({
        "seed": asked.seed, "days": asked.days, "learn_hours": asked.learn_hours,
        "recipe_in_mode": asked.recipe_in_mode,
        "machine": machine(), "cpu_s": spent,
        "false_a_week": verdict.rate, "interval": [low, high], "false": len(verdict.false),
        "false_a_week_by_asset": verdict.rates(), "causes": dict(verdict.causes()),
        "alarms": verdict.told, "instruments_doubted": verdict.doubts,
        "well_ones_doubted": verdict.doubted,
        "asset_weeks": verdict.weeks, "shares": verdict.shares,
        "false_alarms": [
            {"at": _when(one.at), "asset": one.asset, "cause": one.cause, "named": one.named,
             "severity": one.severity, "alarm": one.alarm}
            for one in verdict.false
        ],
        "faults": [_fault(found) for found in verdict.faults],
        "sensors": [
            {"asset": b.fault.asset, "kind": b.fault.kind, "signal": b.fault.signal,
             "begin": _when(b.fault.begin), "hours": (b.fault.end - b.fault.begin) / HOUR,
             "machine_alarms": b.machine, "called": b.called, "after_s": b.after}
            for b in verdict.sensors
        ],
        "standing_h": sorted(round(s / HOUR, 2) for s in standing_s(done)),
        "report": _report(done, verdict),
    })  # fmt: skip
    return document


def _fault(found: Found) -> dict[str, Any]:
    wear, lead = found.wear, found.lead
    return {
        "asset": wear.asset, "kind": wear.kind, "onset": _when(wear.onset),
        "failure": _when(wear.failure), "life_h": (wear.failure - wear.onset) / HOUR,
        "found": found.at is not None,
        "after_h": None if found.at is None else (found.at - wear.onset) / HOUR,
        "before_failure_h": None if lead is None else lead / HOUR,
        "culprit_first": found.first, "alarms_beside": found.beside,
    }  # fmt: skip


def _say(done: Campaign, verdict: Verdict, spent: float) -> None:
    low, high = verdict.interval()
    days = (done.diary.end - done.diary.taught) / DAY
    terminal.say(
        f"false alarms an asset-week: {verdict.rate:.2f} (95 % interval {low:.2f} to {high:.2f}; "
        f"must ≤ {MUST:g}, aim ≤ {AIM:g})"
    )
    terminal.say(
        f"{len(verdict.false)} false of {verdict.told} alarms in {sum(verdict.weeks.values()):.2f} "
        f"judged asset-weeks, {verdict.told / days:.2f} alarms a day; "
        f"{verdict.doubts} times a sensor was not believed, {verdict.doubted} times a well one"
    )
    terminal.table("Machines", ("machine", "false a week", "judged", "settling", "learning",
                                "not read"), [
        (_short(path), f"{rate:.2f}", *(percent(share) for share in verdict.shares[path].values()))
        for path, rate in verdict.rates().items()
    ])  # fmt: skip
    terminal.table("Scripted faults", ("fault", "machine", "onset", "found after",
                                       "before failure", "culprit first", "beside"), [
        _fault_row(found) for found in sorted(verdict.faults, key=lambda f: f.wear.onset)
    ])  # fmt: skip
    terminal.table("Sensor faults", ("sensor", "machine", "kind", "lasts", "machine alarms",
                                     "called", "after"), [
        (b.fault.signal, _short(b.fault.asset), b.fault.kind,
         duration(b.fault.end - b.fault.begin), str(b.machine), b.called or "–",
         "–" if b.after is None else duration(b.after))
        for b in verdict.sensors
    ])  # fmt: skip
    terminal.table("False alarms", ("at", "machine", "put down to", "named", "score", "alarm"), [
        (_when(one.at), _short(one.asset), one.cause, ", ".join(one.named),
         f"{one.severity:.1f}", str(one.alarm))
        for one in verdict.false
    ])  # fmt: skip
    for line in summary(_report(done, verdict)):
        terminal.say(line)
    terminal.say(f"processor time     {duration(spent)}")


def _fault_row(found: Found) -> tuple[str, ...]:
    wear, lead = found.wear, found.lead
    after = "NOT FOUND" if found.at is None else duration(found.at - wear.onset)
    return (
        wear.kind.replace("_", " "), _short(wear.asset), _when(wear.onset), after,
        "–" if lead is None else duration(lead), "yes" if found.first else "no", str(found.beside),
    )  # fmt: skip


def _when(second: int) -> str:
    return instant(START + second * 10**9, "%a %d %b %H:%M")


def _short(path: str) -> str:
    return path.rpartition("/")[2]


if __name__ == "__main__":
    main()
