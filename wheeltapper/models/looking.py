"""What ``doctor`` sees of a registry: a pull into a folder of its own, which is thrown away.

It is the gateway's own pull, from where the gateway's memory stands, so what is refused here is
refused there; and nothing of the gateway is touched.
"""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from connectors.registry.outcome import Outcome, Reason, State
from connectors.registry.puller import STATE, Puller
from connectors.registry.ways import Patience
from plant.alarms import DAY_NS
from plant.errors import Misconfigured, PlantError
from plant.findings import Finding, Verdict
from plant.tags import TagHandle

if TYPE_CHECKING:
    from gateway.config.plan import Plan
    from gateway.models.shelf import Refused

SUBJECT = "models"
PATIENCE = Patience(silence_s=5.0, whole_s=120.0, pauses_s=())
"""A person waits, who can look again: no pull that goes on where it ended."""
SOON_DAYS = {"root": 90.0, "timestamp": 1.0}
"""Days before the end of a signature at which somebody should know."""
REFRESH = "run wheeltapper models refresh REGISTRY there, where the online keys are, every day"
CEREMONY = "bring the offline keys to the registry, and run wheeltapper models refresh REGISTRY"
MENDS = {
    Reason.EXPIRED: REFRESH,
    Reason.ROLLED_BACK: "if a backup was put back there: publish anew, and refresh",
    Reason.UNSIGNED: "is root = of this registry's own kit? If it is, somebody has changed what "
    "lies there: put it back from a copy",
    Reason.MISMATCH: "put the file back from a copy, or publish the version again as a later one",
    Reason.TOO_LARGE: "it is none of wheeltapper models publish: look who put it there",
    Reason.UNREADABLE: "does the address show the registry's own folder, and 404 for what is not "
    "there?",
    Reason.INCOMPLETE: "copy the whole folder of the registry, targets before metadata",
    Reason.UNKNOWN: "publish the version again as a later one",
    Reason.OLDER: "going back is a new version: wheeltapper models rollback",
    Reason.NO_ROOM: "make room on the disk",
    Reason.NO_LINE: "give the asset a path with its line, as site/area/line/asset",
    Reason.CLOCK: "set the clock, here or there",
    Reason.HEADER: "publish one for this machine; until then what is in force goes on",
}


def registry(plan: "Plan") -> list[Finding]:
    """Look at the keys, the registry, how fresh it is, and what it has for each machine. Blocks."""
    models = plan.models
    if not models.keys and models.root is None:
        return []
    keys = list(_keys(plan))
    if any(one.failed for one in keys):
        words = "was not looked at: mend the above first"
        return [*keys, _found("registry", Verdict.SKIPPED, words)]
    return [*keys, *_registry(plan)]


def _keys(plan: "Plan") -> Iterator[Finding]:
    from plant.keys import key_id, read_public

    known, broken = [], []
    for path in plan.models.keys:
        try:
            known.append(key_id(read_public(path)))
        except Misconfigured as error:
            broken.append(str(error))
    if broken:
        yield _found(
            "keys", Verdict.WRONG, "; ".join(broken),
            "take trainer.pub.pem of the kit that wheeltapper models init made",
        )  # fmt: skip
    if known:
        yield _found("keys", Verdict.GOOD, f"models of {', '.join(known)} are believed")


def _registry(plan: "Plan") -> Iterator[Finding]:
    from wheeltapper.models.pull import FOLDER, check_of, way_of

    models = plan.models
    if models.root is None:
        words = "none: files are put into the data folder by hand"
        yield _found("registry", Verdict.NOTE, words)
        for one in _not_taken(plan, plan.data / FOLDER).values():
            yield _declined(one)
        return
    with TemporaryDirectory(prefix="wheeltapper-doctor-") as kept:
        folder = Path(kept)
        try:
            here = _copied(plan, folder)
            puller = Puller(
                way_of(models, PATIENCE), models.root.read_bytes(), folder, here, models.ring,
                check_of(models),
            )  # fmt: skip
            outcome = puller.pull(time.time_ns())
        except (OSError, PlantError) as error:
            yield _found(
                "registry", Verdict.WRONG, str(error),
                "take root.json and the keys of the kit that wheeltapper models init made",
            )  # fmt: skip
            return
        yield _answers(outcome)
        if outcome.state is not State.UNREACHABLE:
            for role, mend in (("root", CEREMONY), ("timestamp", REFRESH)):
                yield from _until(role, puller.expires(role), outcome.at, mend)
        if outcome.state is State.OK:
            yield from _versions(plan, outcome, _not_taken(plan, folder))


def _copied(plan: "Plan", folder: Path) -> dict[str, Path]:
    """Copy what the gateway remembers of the registry, and each machine's newest model."""
    from analytics.modelfiles import SUFFIX, model_folder, version_in
    from wheeltapper.models.pull import FOLDER

    own = plan.data / FOLDER
    if (own / STATE).is_dir():
        shutil.copytree(own / STATE, folder / STATE)
    found = {}
    for asset in plan.assets:
        name = model_folder(asset.path)
        found[asset.path] = folder / name
        files = [file for file in (own / name).glob(f"*{SUFFIX}") if not file.is_symlink()]
        numbered = [file for file in files if version_in(file) is not None]
        newest = max(numbered, key=lambda file: int(file.stem), default=None)
        if newest is not None:
            (folder / name).mkdir()
            shutil.copy(newest, folder / name)
    return found


def _answers(outcome: Outcome) -> Finding:
    if outcome.state is State.OK:
        return _found("registry", Verdict.GOOD, f"{outcome.place} answers, and is believed")
    if outcome.state is State.UNREACHABLE:
        return _found(
            "registry", Verdict.UNREACHABLE, _said(outcome),
            "is wheeltapper models serve (or the web server) running there? What is here goes on",
        )  # fmt: skip
    reasons = [one.reason for one in outcome.refused]
    mend = MENDS[reasons[0]] if reasons else MENDS[Reason.CLOCK]
    return _found("registry", Verdict.WRONG, _said(outcome), mend)


def _said(outcome: Outcome) -> str:
    place = f"{outcome.place}: "
    return place + outcome.why.removeprefix(place)


def _until(role: str, expires: int | None, now: int, mend: str) -> Iterator[Finding]:
    if expires is None:
        return
    days = (expires - now) / DAY_NS
    day = time.strftime("%Y-%m-%d %H:%M", time.gmtime(expires // 10**9))
    if days <= 0:
        yield _found(role, Verdict.WRONG, f"expired on {day} UTC", mend)
    elif days < SOON_DAYS[role]:
        yield _found(role, Verdict.NOTE, f"expires on {day} UTC, in {days:.1f} days", mend)
    else:
        yield _found(role, Verdict.GOOD, f"good until {day} UTC, {days:.0f} days")


def _versions(plan: "Plan", outcome: Outcome, declined: "dict[str, Refused]") -> Iterator[Finding]:
    """Tell of each machine which version there is for it."""
    told = {one.asset: f"version {one.version} is the newest, and here" for one in outcome.kept}
    told |= {
        one.asset: f"version {one.version} is the newest, and comes with the next pull"
        for one in outcome.new
    }
    for no in outcome.refused:
        if no.asset is None:
            yield _found(f"line {no.line}", Verdict.NOTE, f"{no.reason}: {no.why}",
                         MENDS[no.reason])  # fmt: skip
    refused = {no.asset: no for no in outcome.refused if no.asset is not None}
    for asset in plan.assets:
        if asset.path in refused:
            no = refused[asset.path]
            what = f"version {no.version} is refused" if no.version else "refused"
            words = f"{what} ({no.reason}): {no.why}"
            yield _found(asset.name, Verdict.NOTE, words, MENDS[no.reason])
        elif asset.path in declined:
            yield _declined(declined[asset.path])
        else:
            words = told.get(asset.path, f"nothing for the ring {plan.models.ring}")
            yield _found(asset.name, Verdict.GOOD, words)


def _declined(one: "Refused") -> Finding:
    words = f"{one.file} is not taken ({one.cause}): {one.why}"
    return _found(one.asset.rpartition("/")[2], Verdict.NOTE, words, MENDS[Reason.HEADER])


def _not_taken(plan: "Plan", folder: Path) -> "dict[str, Refused]":
    """Give what of a folder of models the gateway would not try, by the path of its machine."""
    from importlib.metadata import version

    from gateway.models.shelf import Shelf
    from gateway.pipeline import build_groups

    handles = [TagHandle(number, tag) for number, tag in enumerate(plan.tags)]
    states = {
        state.asset.path: state
        for group in build_groups(plan, handles)
        for state in group.assets
    }  # fmt: skip
    _, refused = Shelf(folder, plan.models.keys, version("wheeltapper")).look(states, {})
    return {one.asset: one for one in reversed(refused)}


def _found(check: str, verdict: Verdict, result: str, mend: str = "") -> Finding:
    return Finding(subject=SUBJECT, check=check, verdict=verdict, result=result, mend=mend)
