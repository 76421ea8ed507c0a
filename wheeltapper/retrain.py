"""``wheeltapper retrain``: which models should be trained again, and on request doing so."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plant.errors import Misconfigured, Rejected, Unreachable
from wheeltapper.models.keyring import HERE, Keyring, Keys, PassphraseFile, Place, Trainer
from wheeltapper.options import (
    AsJson,
    Assets,
    Backend,
    DataFolder,
    EveryAsset,
    FromCentral,
    GatewayConfig,
    Jobs,
    TokenFile,
    Until,
    WithoutMode,
)

if TYPE_CHECKING:
    from analytics.modelfiles import Header, Model
    from analytics.proposals import Reason, Seen
    from analytics.training.selection import Event
    from connectors.registry.registry import Registry
    from plant.records import JSON
    from wheeltapper.training.jobs import Job, Outcome
    from wheeltapper.training.stores import Told

SPAN = "30d"
CREPT_NS = 7 * 24 * 3600 * 10**9
"""The last so much of what would be learnt is held against the model that a person stands for."""
OF_A_CLASS = "learnt together with others of its class: merged anew, not trained"


def retrain(
    registry: Place,
    assets: Assets = None,
    every_asset: EveryAsset = False,
    config: GatewayConfig = Path("gateway.toml"),
    data: DataFolder = None,
    from_central: FromCentral = "",
    token_file: TokenFile = None,
    since: Annotated[
        str, typer.Option("--from", metavar="WHEN", help="Train from then on at most: 30d, a time.")
    ] = SPAN,
    until: Until = "",
    oldest_days: Annotated[
        float, typer.Option(min=0.1, help="Age of the history at which a model is trained again.")
    ] = 90.0,
    propose: Annotated[
        bool, typer.Option("--propose", help="Only say what speaks for it; train nothing.")
    ] = False,
    ring: Annotated[
        str, typer.Option(help="Gateways that get what was trained, to try it beside their own.")
    ] = "all",
    every_h: Annotated[
        float | None,
        typer.Option("--every", metavar="HOURS", min=0.01, help="Do it again and again."),
    ] = None,
    without_mode: WithoutMode = None,
    keys: Keys = HERE,
    trainer: Trainer = None,
    passphrase_file: PassphraseFile = None,
    jobs: Jobs = 1,
    backend: Backend = "loky",
    as_json: AsJson = False,
) -> None:
    """Look whether models should be trained again, train those, and publish them to be tried.

    Reasons are drift, modes that are new, alarms that people called false, and age. Nothing comes
    into force by it: gateways try what is published beside their own, and what drift proposed is
    put into force by a person. Times of faults and of alarms are never learnt.
    """
    import time

    from connectors.registry.names import checked_ring
    from gateway.config.loader import load
    from wheeltapper.session import end_on_sigterm
    from wheeltapper.train import assets_of, store_of
    from wheeltapper.training.jobs import BACKENDS

    if backend not in BACKENDS:
        raise typer.BadParameter(f"--backend {backend!r}: one of {', '.join(BACKENDS)}")
    checked_ring(ring)
    plan = load(config, reads=False, here=False)
    held = Keyring(keys, passphrase_file)
    chosen = assets_of(plan, assets or [], every_asset, config)
    store = store_of(plan, data, from_central, token_file, config)
    if store.blind:
        raise Misconfigured(store.blind.partition(";")[0] + "; retrain needs them: see --data")
    round_ = Round(
        registry, ring, held, held.trainer(trainer), plan, chosen,
        store, (since, until), oldest_days,
        propose, jobs, backend, as_json, frozenset(without_mode or ()),
    )  # fmt: skip
    if every_h is None:
        _, refused = round_.run()
        raise typer.Exit(1 if refused else 0)
    end_on_sigterm(0)
    while True:
        round_.again(every_h)
        time.sleep(every_h * 3600)


@dataclass(frozen=True, slots=True)
class Due:
    """An asset with what speaks for training it again."""

    job: "Job"
    before: "Model | None"
    reasons: "tuple[Reason, ...]"
    told: "Told"
    """What was known of alarms at this look."""
    older: int | None = None
    """The last version that a person stands for, if it is not the newest."""
    note: str = ""
    """Why it is not looked at."""

    @property
    def row(self) -> "dict[str, JSON]":
        """Give it for programs, and for the card of the model."""
        from analytics.proposals import a_person_decides

        return {
            "asset": self.job.machine.path,
            "model": None if self.before is None else self.before.header.version,
            "reasons": [
                {"cause": str(one.cause), "sentence": one.sentence, "figures": dict(one.figures)}
                for one in self.reasons
            ],
            "a_person_decides": a_person_decides(self.reasons),
            **({"note": self.note} if self.note else {}),
        }


@dataclass(frozen=True, slots=True)
class Round:
    """One look at all assets that were named; see the options of `retrain`."""

    place: Path
    ring: str
    held: Keyring
    key: Any
    plan: Any
    assets: Sequence[Any]
    store: Any
    since: tuple[str, str]
    oldest_days: float
    propose: bool
    jobs: int
    backend: str
    as_json: bool
    without: frozenset[int]

    def run(self) -> tuple[int, int]:
        """Look, tell, and train what is due; give how many were trained, and how many refused."""
        from connectors.registry.registry import Registry
        from wheeltapper.progress import Bar

        registry = Registry(self.place)
        online = self.held.online()
        if online is not None and not self.propose:
            registry.refresh(online)
        listed: dict[str, list[int]] | None = None
        due, refused = [], 0
        with Bar("assets") as bar:
            for done, asset in enumerate(self.assets, 1):
                try:
                    if listed is None:
                        listed = registry.versions()
                    found = self._look(registry, asset, listed.get(asset.path, []))
                except Rejected as error:
                    refused += 1
                    self._refuse(asset.path, error)
                else:
                    if found.reasons:
                        due.append(found)
                    self._tell(found)
                bar.moved(done, len(self.assets))
        if self.propose or not due:
            return 0, refused
        trained, more = self._train(registry, due)
        return trained, refused + more

    def again(self, every_h: float) -> None:
        """Do it once of many times; a store or a share that is away for a night ends nothing."""
        from wheeltapper import terminal

        try:
            trained, _ = self.run()
        except Unreachable as error:
            if self.as_json:
                terminal.record({"asset": None, "message": str(error)})
            else:
                terminal.say(f"{error}; looks again in {every_h:g} h")
        else:
            if not self.as_json:
                terminal.say(f"{trained} trained; looks again in {every_h:g} h")

    def _look(self, registry: "Registry", asset: Any, versions: Sequence[int]) -> Due:
        """Say what speaks for training an asset again; its versions, the newest first."""
        from analytics.federation.watching import KIND as CLASS
        from analytics.modelfiles import read_model
        from analytics.proposals import Cause, Reason, follows, reasons
        from plant.alarms import Label
        from plant.keys import public_pem
        from wheeltapper.export import span
        from wheeltapper.train import Order
        from wheeltapper.training.jobs import watch_in_force
        from wheeltapper.training.stores import Told

        start, stop = span(*self.since)
        order = Order(self.plan, None, self.store, (start, stop), 0, 0.2, self.without)
        if not versions:
            first = Reason(Cause.FIRST, "no model has been trained for it")
            told = self.store.told(start, stop)
            job = order.job(asset, _events(told, asset.path, start, stop))
            return Due(job, None, (first,), told)
        keys = [self.key.public_key(), *registry.keys_of(asset.path)]
        file = registry.read(asset.path, versions[0])
        before = read_model(file, keys)
        if before.header.kind == CLASS:
            told, job = Told([]), order.job(asset, ())
            return Due(job, before, (), told, note=OF_A_CLASS)
        until = before.header.stop
        begin = min(until, stop)
        # alarms from where it was trained on, which may lie before the time that is learnt from
        told = self.store.told(min(start, begin), stop)
        events = _events(told, asset.path, min(start, begin), stop)
        job = replace(
            order.job(asset, events), in_force=file, believed=tuple(map(public_pem, keys))
        )
        watch = watch_in_force(job)
        assert watch is not None  # noqa: S101 - the job has its file
        seen = _seen(replace(job, start=begin))
        called = told.called(asset.path, until, stop) - Counter(_heard(before.header))
        found = reasons(
            watch, seen, trained_until=until, now=stop, oldest_days=self.oldest_days,
            called_false=called[Label.FALSE], called_expected=called[Label.EXPECTED],
        )  # fmt: skip
        older, stood_for = self._stood_for(registry, before, file, versions, keys, told)
        if older is not None and older != versions[0]:
            moved = self._crept(replace(job, in_force=stood_for), older)
            # what the newest has been proposed for already waits for a person, not for another one
            if found or _is_news(moved, before.header):
                found += moved
        decided = (asset.path, versions[0], before.sha256) in told.promoted
        if found and _waits(before.header) and not decided:
            found.append(follows(before.header.version))
        return Due(_from_the_change_on(job, found), before, tuple(found), told, older)

    def _stood_for(
        self, registry: "Registry", newest: "Model", file: bytes, versions: Sequence[int],
        keys: Any, told: "Told",
    ) -> tuple[int | None, bytes]:  # fmt: skip
        """Give the newest version that a person stands for; else the oldest; None: of none.

        Its file comes with it; that of the newest model is at hand.
        """
        from analytics.federation.watching import KIND as CLASS
        from analytics.modelfiles import read_model

        asset = newest.header.name
        oldest: tuple[int | None, bytes] = (None, b"")
        for version in versions:
            model = newest
            if version != versions[0]:
                try:
                    file = registry.read(asset, version)
                    model = read_model(file, keys)
                except Rejected:
                    continue  # of a key that is believed no more, or gone: nobody stands for it
            header = model.header
            if header.kind == CLASS:
                continue
            oldest = version, file
            by_hand = "proposed" not in header.card or header.reissue_of is not None
            if by_hand or (asset, version, model.sha256) in told.promoted:
                return version, file
        return oldest

    def _crept(self, job: "Job", version: int) -> "list[Reason]":
        """Hold what would be learnt against an older model."""
        from analytics.proposals import crept
        from analytics.training.fit import NothingTrained
        from wheeltapper.training.jobs import watch_in_force

        try:
            watch = watch_in_force(job)
        except NothingTrained:
            return []  # of other signals or units: nothing can be held against it
        assert watch is not None  # noqa: S101 - the job has its file
        seen = _seen(replace(job, start=max(job.start, job.stop - CREPT_NS)))
        return crept(watch, version, seen)

    def _card(self, due: Due, outcome: "Outcome") -> "dict[str, JSON]":
        """Add to a data card what speaks for the model, and what had been said of alarms by then.

        The next look begins where this model was taught last, before the hold-out, and has to
        tell what was said since from what this one knows.
        """
        from plant.alarms import Label

        called = due.told.called(due.job.machine.path, outcome.stop, due.job.stop)
        heard: dict[str, JSON] = {
            str(label): called[label] for label in (Label.FALSE, Label.EXPECTED) if called[label]
        }
        proposed = {name: due.row[name] for name in ("reasons", "a_person_decides")}
        return {**(outcome.card or {}), "proposed": {**proposed, "heard": heard}}

    def _refuse(self, asset: str, error: Rejected) -> None:
        from wheeltapper import terminal

        if self.as_json:
            terminal.record({"asset": asset, "message": str(error)})
        else:
            terminal.say(f"{asset}: cannot be looked at: {error}")

    def _tell(self, found: Due) -> None:
        from wheeltapper import terminal

        if self.as_json:
            terminal.record(found.row)
            return
        name = "" if found.before is None else f": model {found.before.header.version}"
        if found.note:
            terminal.say(f"{found.job.machine.path}{name}: {found.note}")
            return
        if not found.reasons:
            terminal.say(f"{found.job.machine.path}{name}: nothing speaks for training it again")
            return
        terminal.say(f"{found.job.machine.path}{name}: should be trained:")
        for one in found.reasons:
            terminal.say(f"  {one.cause}: {one.sentence}")
        if found.row["a_person_decides"]:
            terminal.say(
                "  Whether that is a new normal or a fault nobody can tell from the values alone: "
                "a person puts it into force."
            )

    def _train(self, registry: "Registry", due: Sequence[Due]) -> tuple[int, int]:
        """Train what is due, and publish it."""
        from tempfile import TemporaryDirectory

        from analytics.modelfiles import SUFFIX, model_folder
        from plant.files import put
        from plant.keys import public_pem
        from wheeltapper.train import Teller
        from wheeltapper.training.jobs import run_all
        from wheeltapper.training.models import Shelf

        online = self.held.online()
        with TemporaryDirectory() as folder:
            work = Path(folder)
            for each in due:
                if each.before is not None:
                    own = work / model_folder(each.job.machine.path)
                    own.mkdir(parents=True)
                    version = each.before.header.version
                    put(own / f"{version}{SUFFIX}", each.job.in_force)
            trusted = tuple(
                public_pem(key) for each in due for key in registry.keys_of(each.job.machine.path)
            )
            shelf = Shelf(work, "", 0, 0, self.key, trusted)
            place = f"published for the ring {self.ring}"
            teller = Teller(shelf, None, self.as_json, len(due) > 1, place)
            outcomes = run_all([each.job for each in due], min(self.jobs, len(due)), self.backend)
            for each, outcome in zip(due, outcomes, strict=True):
                if outcome.card is not None:
                    outcome = replace(outcome, card=self._card(each, outcome))
                written = teller.tell(each.job.machine, outcome)
                if written is None or written.file is None:
                    continue
                registry.publish(
                    each.job.machine.path, written.version, written.file.read_bytes(), self.key,
                    online, self.ring, () if each.older is None else (each.older,),
                )  # fmt: skip
        return teller.trained, len(teller.refused)


def _seen(job: "Job") -> "Seen":
    """Give what an asset has shown in the time of a job."""
    from analytics.proposals import Seen
    from analytics.training.selection import select
    from wheeltapper.training.jobs import course_of

    course = course_of(job)
    chosen = select(course, job.machine, job.events, job.wishes.margin)
    means = course.values["mean"][:, : len(job.machine.signals)]
    return Seen(course.at, means, chosen.mode, chosen.healthy)


def _heard(header: "Header") -> "dict[str, int]":
    """Give how many alarms behind what a model was taught had been called what, when it was."""
    match header.card.get("proposed"):
        case {"heard": dict(told)}:
            return {label: count for label, count in told.items() if isinstance(count, int)}
    return {}


def _is_news(moved: "Sequence[Reason]", header: "Header") -> bool:
    """Tell whether something has crept further, by a limit, than what a model was proposed for.

    Until a person decides, every look sees the same creep again.
    """
    from analytics.proposals import MOVED

    borne = _borne(header)
    found: list[Mapping[str, Any]] = [one.figures for one in moved]
    return any(abs(one["after"] - borne.get(_where(one), 0.0)) >= MOVED for one in found)


def _borne(header: "Header") -> dict[tuple[str, ...], float]:
    """Give the creep that a model was proposed for, in limits, by where it was seen."""
    match header.card.get("proposed"):
        case {"reasons": [*reasons]}:
            figures: list[Any] = [
                one.get("figures")
                for one in reasons
                if isinstance(one, dict) and one.get("cause") == "creep"
            ]
            return {_where(one): float(one["after"]) for one in figures}
    return {}


def _where(figures: "Mapping[str, Any]") -> tuple[str, ...]:
    """Name signal and mode, and the older model that they are held against."""
    return tuple(str(figures[name]) for name in ("signal", "mode", "model"))


def _waits(header: "Header") -> bool:
    """Tell whether a model is one that a person decides on."""
    match header.card.get("proposed"):
        case {"a_person_decides": True}:
            return True
    return False


def _events(told: "Told", asset: str, start: int, stop: int) -> "tuple[Event, ...]":
    return tuple(sorted(told.events(start, stop).get(asset, ())))


def _from_the_change_on(job: "Job", found: "Sequence[Reason]") -> "Job":
    """Learn the new normal alone: what came before the last change is another one."""
    begins = [one.figures["since"] for one in found if "since" in one.figures]
    last = max((begin for begin in begins if isinstance(begin, int)), default=job.start)
    return replace(job, start=max(job.start, last))
