"""``wheeltapper train ASSET...``: learn from a history, compare, and write signed model files."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wheeltapper.models.keyring import PassphraseFile
from wheeltapper.options import (
    AsJson,
    Assets,
    Backend,
    DataFolder,
    EveryAsset,
    FromCentral,
    GatewayConfig,
    Jobs,
    Since,
    TokenFile,
    Until,
    WithoutMode,
)
from wheeltapper.progress import Bar

if TYPE_CHECKING:
    from analytics.training.course import Machine
    from analytics.training.selection import Event
    from gateway.config.plan import Plan
    from plant.assets import Asset
    from wheeltapper.training.jobs import Job, Outcome
    from wheeltapper.training.models import Shelf, Written
    from wheeltapper.training.stores import Store

LENGTHS = {"auto": 0, "10s": 10 * 10**9, "1m": 60 * 10**9, "1h": 3600 * 10**9}
MS = 10**6


def train(
    assets: Assets = None,
    every_asset: EveryAsset = False,
    config: GatewayConfig = Path("gateway.toml"),
    data: DataFolder = None,
    from_central: FromCentral = "",
    token_file: TokenFile = None,
    since: Since = "7d",
    until: Until = "",
    every: Annotated[
        str, typer.Option(metavar="LENGTH", help="Windows of 10s or 1m; auto: as they are kept.")
    ] = "auto",
    labels: Annotated[
        Path | None, typer.Option(metavar="CSV", help="Faults: columns asset, from, to, label.")
    ] = None,
    without_mode: WithoutMode = None,
    held: Annotated[
        float, typer.Option("--hold-out", min=0.05, max=0.5, help="Last share, not learnt from.")
    ] = 0.2,
    key: Annotated[
        Path | None, typer.Option(metavar="PEM", help="The trainer's private key (Ed25519).")
    ] = None,
    passphrase_file: PassphraseFile = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE|FOLDER", help="A .wtm file, or a folder with one an asset."),
    ] = None,
    parent: Annotated[
        str,
        typer.Option(metavar="FILE|none", help="Model in force; else the newest in the folder."),
    ] = "",
    trust: Annotated[
        list[Path] | None,
        typer.Option(metavar="PEM", help="Public key that the model in force may be signed by."),
    ] = None,
    version: Annotated[
        int, typer.Option(min=0, help="Number of the new model; 0: one more than its parent.")
    ] = 0,
    created: Annotated[
        str, typer.Option(metavar="WHEN", help="Stamp of the file; the end of the time without it.")
    ] = "",
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the hold-out: .png or .svg.")
    ] = None,
    jobs: Jobs = 1,
    backend: Backend = "loky",
    scheduler: Annotated[
        str, typer.Option(metavar="ADDRESS", help="With dask: its scheduler; else this machine.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Train models from a history, without what was faulty, and hold them against what is in force.

    Nothing comes into force by it. Without --out nothing is written: card and comparison only.
    The same history gives the same bytes. Ends with 1 if of an asset nothing could be trained.
    """
    from gateway.config.loader import load
    from wheeltapper.evaluation.painting import demand
    from wheeltapper.export import span
    from wheeltapper.training.jobs import BACKENDS, run_all
    from wheeltapper.training.models import Shelf, believed, signer

    for option, said, known in (("every", every, LENGTHS), ("backend", backend, BACKENDS)):
        if said not in known:
            raise typer.BadParameter(f"--{option} {said!r}: one of {', '.join(known)}")
    if out is not None and key is None:
        raise typer.BadParameter("--out: a model file is signed; name the trainer's --key as well")
    demand(picture)
    plan = load(config, reads=False, here=False)
    chosen = assets_of(plan, assets or [], every_asset, config)
    span_ns = span(since, until)
    own = None if key is None else signer(key, passphrase_file)
    shelf = Shelf(out, parent, version, _stamp(created), own, tuple(map(believed, trust or ())))
    shelf.check(len(chosen))
    store = store_of(plan, data, from_central, token_file, config)
    if store.blind:
        typer.echo(store.blind, err=True)
    order = Order(plan, shelf, store, span_ns, LENGTHS[every], held, frozenset(without_mode or ()))
    wrong = _events(store, plan, chosen, span_ns, labels)
    work = [order.job(asset, events) for asset, events in zip(chosen, wrong, strict=True)]
    teller = Teller(shelf, picture, as_json, len(work) > 1)
    with Bar("assets") as bar:
        outcomes = run_all(work, min(jobs, len(work)), backend, scheduler)
        for done, (job, outcome) in enumerate(zip(work, outcomes, strict=True), 1):
            bar.moved(done, len(work))
            teller.tell(job.machine, outcome)
    teller.end()


def _stamp(created: str) -> int:
    """Read the stamp of the model files, ns; 0 where none is given."""
    from datetime import UTC, datetime

    from wheeltapper.gaps import earliest

    return round(earliest(created, datetime.now(UTC), "--created")) * MS if created else 0


def assets_of(plan: "Plan", wanted: Sequence[str], every: bool, config: Path) -> list["Asset"]:
    """Find the assets that were named, by their path or the last part of it, or all there are."""
    from plant.errors import Misconfigured

    if every == bool(wanted):
        raise typer.BadParameter("name assets, or --all of them")
    if every and not plan.assets:
        raise Misconfigured(
            f"{config}: --all of no assets: add an [[asset]] with its path and its signals"
        )
    if every:
        return list(plan.assets)
    found = []
    for name in wanted:
        fits = [one for one in plan.assets if name in (one.path, one.name)]
        if len(fits) != 1:
            known = ", ".join(one.path for one in plan.assets) or "none"
            why = "is the name of several assets" if fits else "is no asset"
            raise Misconfigured(f'"{name}" {why}; the configuration has: {known}')
        found += fits
    return list(dict.fromkeys(found))


def store_of(
    plan: "Plan", data: Path | None, sink: str, token_file: Path | None, config: Path
) -> "Store":
    """Find the history that was asked for."""
    from connectors.influx.config import InfluxConfig
    from plant.errors import Misconfigured
    from wheeltapper.training.stores import Store

    if not sink:
        return Store(data or plan.data)
    known = {one.name: one for one in plan.sinks if isinstance(one, InfluxConfig)}
    if sink not in known:
        there = f"there is {', '.join(known)}" if known else "there is none at all"
        raise Misconfigured(f'{config}: no [[sink]] of type "influx" is called {sink}; {there}')
    store = known[sink]
    if token_file is not None:
        store = store.model_copy(update={"token_file": token_file, "token_env": None})
    return Store(plan.data, store)


def _events(
    store: "Store",
    plan: "Plan",
    chosen: Sequence["Asset"],
    span: tuple[int, int],
    labels: Path | None,
) -> list[tuple["Event", ...]]:
    """Give what was wrong with each asset: by its alarms, and by a list of labels."""
    from plant.errors import Misconfigured
    from wheeltapper.training.labels import read_labels

    known = store.alarms(*span)
    listed = {} if labels is None else read_labels(labels)
    strange = sorted(set(listed) - {one.path for one in plan.assets})
    if strange:
        raise Misconfigured(f"labels {labels}: {strange[0]!r} is no asset of the configuration")
    return [
        tuple(
            sorted(
                event
                for event in (*known.get(one.path, ()), *listed.get(one.path, ()))
                if event.start < span[1] and event.stop > span[0]
            )
        )
        for one in chosen
    ]


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for, the same for all assets."""

    plan: "Plan"
    shelf: "Shelf | None"
    store: "Store"
    span: tuple[int, int]
    every: int
    held: float
    without: frozenset[int]

    def job(self, asset: "Asset", events: tuple["Event", ...]) -> "Job":
        """Make the job of an asset."""
        from analytics.training.course import Machine
        from analytics.training.training import Wishes
        from gateway.stages.watches import build_watch
        from wheeltapper.training.jobs import Job

        plan = self.plan
        tags = {tag.name: tag for tag in plan.tags}
        signals = [tags[name] for name in asset.signals]
        behind = () if asset.mode is None else (tags[asset.mode].source,)
        watch = build_watch(
            signals, plan.detection, plan.alarms.budget, find_modes=asset.mode is None,
            quiet=plan.alarms.suppressed.get(asset.path, frozenset()),
        )  # fmt: skip
        machine = Machine(
            path=asset.path,
            signals=watch.signals,
            units=watch.units,
            sources=(*(tag.source for tag in signals), *behind),
            mode=asset.mode,
            names=asset.modes,
        )
        grid = round(plan.detection.grid_s * 1e9)
        return Job(
            machine=machine,
            settings=watch.settings,
            wishes=Wishes(grid=grid, held=self.held, without=self.without),
            events=events,
            store=self.store,
            start=self.span[0],
            stop=self.span[1],
            every=self.every,
            in_force=b"" if self.shelf is None else self.shelf.in_force(asset.path),
            believed=() if self.shelf is None else self.shelf.trusted,
        )


@dataclass(slots=True)
class Teller:
    """Writes the models as they come, and tells of them."""

    shelf: "Shelf"
    picture: Path | None
    as_json: bool
    many: bool
    place: str = ""
    """Where models go from here; else their files are named."""
    trained: int = 0
    refused: list[str] = field(default_factory=list)

    def tell(self, machine: "Machine", outcome: "Outcome") -> "Written | None":
        """Take in what became of one asset; give what was written, if anything was trained."""
        from wheeltapper import terminal

        if outcome.card is None or outcome.comparison is None:
            self.refused.append(outcome.path)
            if self.as_json:
                terminal.record(
                    {"asset": outcome.path, "reason": outcome.reason, "message": outcome.message}
                )
            else:
                terminal.say(f"nothing trained: {outcome.message}")
            return None
        written = self.shelf.put(machine, outcome)
        self.trained += 1
        drawn = self._draw(machine, written.version, outcome)
        if self.as_json:
            terminal.record(_row(outcome, written, drawn))
        else:
            _say(machine, outcome, written, drawn, self.place)
        return written

    def end(self) -> None:
        """Sum up; exit code 1 if of an asset nothing was trained."""
        from wheeltapper import terminal
        from wheeltapper.training.words import summary_line

        if self.many and not self.as_json:
            terminal.say(summary_line(self.trained, self.refused))
        if self.refused:
            raise typer.Exit(1)

    def _draw(self, machine: "Machine", version: int, outcome: "Outcome") -> Path | None:
        from wheeltapper.evaluation.painting import painted
        from wheeltapper.training.picture import picture
        from wheeltapper.training.words import card_lines

        if self.picture is None or outcome.card is None or outcome.comparison is None:
            return None
        name = machine.path.replace("/", "-")
        file = self.picture
        if self.many:
            file = file.with_name(f"{file.stem}-{name}{file.suffix}")
        drawing = picture(machine.path, version, card_lines(outcome.card), outcome.comparison)
        file.write_bytes(painted(drawing, file.suffix))
        return file


def _row(outcome: "Outcome", written: "Written", drawn: Path | None) -> dict[str, Any]:
    """Give one asset for programs."""
    from wheeltapper.training.words import comparison_row

    comparison = None if outcome.comparison is None else comparison_row(outcome.comparison)
    return {
        "asset": outcome.path,
        "version": written.version,
        "file": None if written.file is None else str(written.file),
        "bytes": written.size,
        "history": outcome.history,
        "seconds": round(outcome.seconds, 3),
        "card": dict(outcome.card or {}),
        "metrics": dict(outcome.metrics or {}),
        "comparison": comparison,
        "picture": None if drawn is None else str(drawn),
    }


def _say(
    machine: "Machine", outcome: "Outcome", written: "Written", drawn: Path | None, place: str
) -> None:
    """Tell of one asset in words."""
    from wheeltapper import terminal
    from wheeltapper.training.words import (
        HEADS,
        agreement_line,
        card_lines,
        figure_rows,
        trained_line,
    )

    terminal.say(f"{machine.path}, trained in {outcome.seconds:.1f} s")
    for line in card_lines(outcome.card or {}):
        terminal.say(line)
    if outcome.comparison is not None:
        terminal.say(agreement_line(outcome.comparison))
        terminal.table("on the hold-out", HEADS, figure_rows(outcome.comparison))
    file = "not written: --out and --key" if written.file is None else place or str(written.file)
    terminal.say(trained_line(machine.path, written.version, written.size, file))
    if drawn is not None:
        terminal.say(f"drawn: {drawn}")
