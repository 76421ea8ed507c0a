"""``wheeltapper evaluate DATA``: how a detector does on recordings, in figures and pictures."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wheeltapper.options import AsJson, DropLateRows, split

if TYPE_CHECKING:
    from analytics.evaluation.protocol import Factory
    from analytics.evaluation.summary import Summary
    from wheeltapper.evaluation.chart import Result
    from wheeltapper.evaluation.recordings import Evaluated

Data = Annotated[
    list[Path],
    typer.Argument(metavar="DATA...", help="Recordings (CSV, plain or gzipped), or folders."),
]
Detector = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="default, two-statistic, half-space-trees, rolling-z, or MODULE:FACTORY of your own.",
    ),
]
Warmup = Annotated[
    str | None,
    typer.Option(
        metavar="ROWS|SHARE",
        help="Learnt from and not judged: 400, 0.3 or 30%. Without: a quarter, 400 rows or more.",
    ),
]
Label = Annotated[
    str, typer.Option(metavar="A,B", help="Label columns of 0 and 1; the first is the truth.")
]
Faults = Annotated[
    Path | None,
    typer.Option(metavar="CSV", help="A list of faults instead of labels: columns begin, end."),
]
Html = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write a page; needs nothing else.")
]
Png = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write a picture; of several recordings FILE-NAME.png each."),
]


def evaluate(
    data: Data,
    detector: Detector = "default",
    warmup: Warmup = None,
    label: Label = "",
    faults: Faults = None,
    time: Annotated[str, typer.Option(metavar="NAME", help="The time column.")] = "time",
    html: Html = None,
    png: Png = None,
    seed: Annotated[int, typer.Option(help="Given to the detector.")] = 0,
    anonymous: Annotated[
        bool, typer.Option("--anonymous", help="Rename and reorder the columns first.")
    ] = False,
    any_rate: Annotated[
        bool, typer.Option("--any-rate", help="Go on although the rate of sampling changes.")
    ] = False,
    drop_late_rows: DropLateRows = False,
    as_json: AsJson = False,
) -> None:
    """Run a detector over recordings as if live, and say how it did."""
    from wheeltapper.evaluation.detectors import named
    from wheeltapper.evaluation.png import demand_pillow
    from wheeltapper.evaluation.public import FIRST_KEY, layout
    from wheeltapper.evaluation.recordings import anonymous as renamed
    from wheeltapper.evaluation.recordings import files_of, read

    factory = named(detector)
    if png is not None:
        demand_pillow()
    for target in (html, png):
        _demand_folder(target)
    if len(data) == 1 and layout(data[0]):
        _refuse_pictures(data[0], html, png)
        _public(data[0], factory, seed, anonymous, as_json)
        return
    recordings = [
        read(path, split(label), warmup, time, "drop" if drop_late_rows else "refuse", any_rate)
        for path in files_of(data)
    ]
    if faults is not None:
        recordings = _with_faults(recordings, faults, label)
    if anonymous:
        recordings = [renamed(each, FIRST_KEY + seed) for each in recordings]
    results = list(_run(recordings, factory, seed))
    judged = [each for each in results if each.run.judged.any()]
    if judged:
        _write(judged, detector, html, png)
        _tell(judged, as_json)
        if not as_json:
            _say_files(judged, html, png)
    _demand_judged(results)


def _demand_judged(results: Sequence["Result"]) -> None:
    """Refuse silence that is only a detector which was still learning."""
    from plant.errors import Misconfigured

    learning = [each.recording for each in results if not each.run.judged.any()]
    if learning:
        raise Misconfigured(
            "\n".join(
                f"recording {each.path}: the detector was still learning at its end, after "
                f"{len(each.at)} rows, and judged none; give a longer recording"
                for each in learning
            )
        )


def _with_faults(recordings: list["Evaluated"], path: Path, label: str) -> list["Evaluated"]:
    """Take the labels from a list of faults."""
    from dataclasses import replace

    from plant.errors import Misconfigured
    from wheeltapper.evaluation.faults import demand_inside, marked, read_faults

    if label:
        raise Misconfigured("--label and --faults both say what is the truth; give one of them")
    listed = read_faults(path)
    demand_inside(path, listed, [(int(each.at[0]), int(each.at[-1])) for each in recordings])
    return [
        replace(each, truth=marked(each.at, listed), notes=(*each.notes, f"faults from {path}"))
        for each in recordings
    ]


def _demand_folder(target: Path | None) -> None:
    from plant.errors import Misconfigured

    if target is not None and not target.parent.is_dir():
        raise Misconfigured(
            f"{target}: there is no folder {target.parent}; make it, or name another"
        )
    if target is not None and target.is_dir():
        raise Misconfigured(f"{target}: is a folder; name a file in it")


def _run(recordings: Sequence["Evaluated"], factory: "Factory", seed: int) -> Iterator["Result"]:
    """Run the detector over each recording, with a bar."""
    from analytics.evaluation.protocol import run
    from analytics.evaluation.summary import summarise
    from wheeltapper.evaluation.chart import Result
    from wheeltapper.progress import Bar

    known, done = sum(len(each.at) for each in recordings), 0
    with Bar("rows") as bar:

        def moved(rows: int) -> None:
            nonlocal done
            done += rows
            bar.moved(done, known)

        for each in recordings:
            said = run(factory, each.signals, each.rows, each.warmup, seed, moved)
            yield Result(each, said, summarise(said, each.at, each.truth, each.changes))


def _write(results: Sequence["Result"], detector: str, html: Path | None, png: Path | None) -> None:
    from textwrap import wrap

    from wheeltapper.evaluation.chart import Chart
    from wheeltapper.evaluation.page import page, sentence
    from wheeltapper.evaluation.png import png as painted

    if html is not None:
        html.write_text(page(results, detector), encoding="utf-8")
    if png is not None:
        for result, path in zip(results, _pictures(results, png), strict=True):
            heading = (
                f"{result.recording.name}, detector {detector}",
                *wrap(sentence(result.summary), 130),
            )
            path.write_bytes(painted(Chart(result).drawn(heading)))


def _pictures(results: Sequence["Result"], png: Path) -> list[Path]:
    """Name the picture of each recording; files of one name in two folders get a number."""
    if len(results) == 1:
        return [png]
    names = [each.recording.name for each in results]
    told = [f"{n}-{names[:i].count(n) + 1}" if n in names[:i] else n for i, n in enumerate(names)]
    return [png.with_name(f"{png.stem}-{name}{png.suffix}") for name in told]


def _tell(results: Sequence["Result"], as_json: bool) -> None:
    from wheeltapper import terminal
    from wheeltapper.evaluation.page import sentence, verdict

    if as_json:
        for result in results:
            terminal.record(row_of(result))
        return
    for result in results:
        summary = result.summary
        for note in result.recording.notes:
            terminal.say(f"{result.recording.path}: {note}")
        terminal.say(f"{result.recording.name}: {sentence(summary)}")
        if summary.alarms and len(results) == 1:
            _table(summary)
    if len(results) > 1:
        terminal.say(verdict(results))


def _table(summary: "Summary") -> None:
    """List the alarms of one recording."""
    from wheeltapper import terminal
    from wheeltapper.evaluation.page import height, lasting
    from wheeltapper.evaluation.words import counted, instant, percent

    said = {True: "on a fault", False: "false"}
    labelled = summary.judged is not None
    rows = [
        (
            instant(alarm.begin),
            lasting(alarm),
            height(alarm),
            ", ".join(f"{name} {percent(share)}" for name, share in alarm.reasons) or "–",
            *([said[bool(alarm.touches)]] if labelled else []),
        )
        for alarm in summary.alarms
    ]
    heads = ("from", "lasts", "highest score", "main reasons", *(["label"] if labelled else []))
    terminal.table(counted(len(rows), "alarm"), heads, rows)


def _say_files(results: Sequence["Result"], html: Path | None, png: Path | None) -> None:
    from wheeltapper import terminal

    if html is not None:
        terminal.say(f"page     {html}")
    if png is not None:
        for path in _pictures(results, png):
            terminal.say(f"picture  {path}")


def row_of(result: "Result") -> dict[str, Any]:
    """Give the figures of one recording for programs: times in ms since 1970, NaN as null."""
    from dataclasses import asdict

    from wheeltapper.evaluation.figures import plain

    summary, recording = result.summary, result.recording
    row = {
        "recording": str(recording.path),
        "warmup": recording.warmup,
        **asdict(summary),
        "notes": list(recording.notes),
    }
    row["alarms"] = [
        {
            "begin": alarm.begin // 10**6,
            "end": alarm.end // 10**6,
            "rows": alarm.last - alarm.first + 1,
            "peak": alarm.peak,
            "reasons": [{"signal": name, "share": share} for name, share in alarm.reasons],
            "touches": alarm.touches,
        }
        for alarm in summary.alarms
    ]
    judged = summary.judged
    if judged is not None:
        counts, events = judged.confusion, judged.events
        row["judged"] = {
            "f1": counts.f1,
            "far": counts.far,
            "mar": counts.mar,
            "events": events.events,
            "events_seen": events.seen,
            "false_alarms": events.false,
            "delay_s": judged.delay_s,
            "false_an_hour": judged.false_an_hour,
            "pr_auc": judged.pr_auc,
            "vus_pr": judged.vus_pr,
            "changepoints": judged.changepoints,
        }
    told: dict[str, Any] = plain(row)
    return told


def _refuse_pictures(folder: Path, html: Path | None, png: Path | None) -> None:
    from plant.errors import Misconfigured

    if html is not None or png is not None:
        inside = folder / "skab"
        raise Misconfigured(
            f"{folder}: holds public data sets, which are judged as a table; for pages and "
            f"pictures name the folder of one, as {inside}"
        )


def _public(folder: Path, factory: "Factory", seed: int, anonymous: bool, as_json: bool) -> None:
    """Judge public data sets by their own protocols."""
    from dataclasses import asdict

    from wheeltapper import terminal
    from wheeltapper.evaluation.figures import plain, shown
    from wheeltapper.evaluation.public import NabFigures, SkabFigures, Trial, layout, nab, skab
    from wheeltapper.progress import Bar

    sets: dict[str, Callable[[Path, Trial], SkabFigures | NabFigures]] = {"skab": skab, "nab": nab}
    done = 0
    for name in layout(folder):
        if name not in sets:
            if not as_json:
                terminal.say(f"{name}: is for models of life or defects: make bench-detection")
            continue
        with Bar(name) as bar:

            def moved(rows: int, bar: Bar = bar) -> None:
                nonlocal done
                done += rows
                bar.moved(done, 0)

            figures = asdict(sets[name](folder / name, Trial(factory, seed, anonymous, moved)))
        if as_json:
            terminal.record(plain({"set": name, **figures}))
        else:
            terminal.table(name, ("figure", "value"), shown(figures))
