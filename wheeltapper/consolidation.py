"""``wheeltapper federation receive|merge|compare``: the centre's side."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wheeltapper.federation import PlanFile, Signing, Trusted
from wheeltapper.options import AsJson, Host, Port

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from analytics.federation.centre import Collected
    from analytics.federation.terms import Terms

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of the contributions.")]


def receive(
    folder: Folder,
    plan_file: PlanFile,
    trusted: Trusted = None,
    host: Host = "127.0.0.1",
    port: Port = 8071,
    as_json: AsJson = False,
) -> None:
    """Take in contributions over HTTP; what is no contribution of this plan is refused and noted.

    Also serves FOLDER/published: the plan, and models without limits. A signature is what makes
    any of them believed: there is no login and no TLS. Ends at Ctrl-C or SIGTERM.
    """
    import uvicorn

    from analytics.federation.messages import read_plan
    from wheeltapper import terminal
    from wheeltapper.federating.keyfiles import believed
    from wheeltapper.federating.receiving import Centre, site
    from wheeltapper.federating.ways import fetched
    from wheeltapper.folder import usable

    terms = read_plan(fetched(plan_file), believed(trusted))
    centre = Centre(usable(folder), terms)
    url = f"http://{host}:{port}"
    if as_json:
        terminal.record({"folder": str(folder), "url": url, "plan": terms.identity})
    else:
        terminal.say(f"takes contributions to plan {terms.identity} at {url} into {folder}")
    uvicorn.run(
        site(centre),
        host=host,
        port=port,
        http="h11",
        ws="none",
        lifespan="off",
        log_level="warning",
        limit_concurrency=100,
        proxy_headers=False,
        server_header=False,
    )


def merge(
    folder: Folder,
    plan_file: PlanFile,
    signing: Signing,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Model file to write.")],
    model: Annotated[
        str,
        typer.Option("--scores", metavar="MODEL", help="Second round: set the limits of this one."),
    ] = "",
    version: Annotated[int, typer.Option(min=1, help="Of the model.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Merge the contributions of FOLDER into a model, exactly; with --scores set its limits.

    The same contributions give the same bytes, whatever the order in which they came.
    Ends with 1 where a file was not taken.
    """
    from analytics.federation.centre import collect
    from analytics.federation.messages import read_plan
    from plant.files import put
    from wheeltapper import terminal
    from wheeltapper.federating.keyfiles import private
    from wheeltapper.federating.receiving import Centre
    from wheeltapper.federating.ways import fetched

    key = private(signing)
    terms = read_plan(fetched(plan_file), [key.public_key()])
    if not folder.is_dir():
        raise typer.BadParameter(f"{folder}: there is no such folder")
    centre = Centre(folder, terms)
    found = collect(centre.files(), terms)
    if model:
        data, card = _with_limits(found, terms, fetched(model), version, key)
    else:
        data, card = _without_limits(found, terms, version, key)
    put(out, data)
    told = {"file": str(out), "bytes": len(data), "plan": terms.identity} | card
    told["refused"] = [
        {"file": each.file, "why": each.why.value, "message": each.message} for each in found.turned
    ]
    told["refused_on_the_way"] = len(centre.turned())
    if as_json:
        terminal.record(told)
    else:
        _show(told)
    if found.turned:
        raise typer.Exit(1)


def compare(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The consolidated model.")],
    configs: Annotated[
        list[Path], typer.Argument(metavar="CONFIG…", help="Gateways whose histories are here.")
    ],
    plan_file: PlanFile,
    trusted: Trusted = None,
    until: Annotated[
        str, typer.Option("--to", metavar="WHEN", help="End of what is judged; else the present.")
    ] = "",
    faults: Annotated[
        Path | None,
        typer.Option(metavar="CSV", help="Known faults: columns gateway, asset, from, to."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Hold local-only, federated and centralised models side by side, on rows of none of them.

    Each site is judged on what came after the last rows that it told of. Local-only and
    centralised models learn from the same times as the federated one. Centralised is to be had
    only where the rows of all sites are: name all configurations; of one's own gateway alone the
    first two are told.
    """
    from analytics.federation.messages import read_consolidated, read_plan
    from gateway.config.loader import load
    from wheeltapper import terminal
    from wheeltapper.federating.comparing import Comparison, faults_of
    from wheeltapper.federating.keyfiles import believed
    from wheeltapper.federating.ways import fetched

    keys = believed(trusted, load(configs[0]))
    terms = read_plan(fetched(plan_file), keys)
    consolidated, file = read_consolidated(fetched(model), keys)
    comparison = Comparison(terms, consolidated, file.header, faults_of(faults))
    for config in configs:
        comparison.read(config, until)
    rows = comparison.rows()
    if as_json:
        for row in rows:
            terminal.record(row)
        return
    terminal.table(
        f"{file.header.name}, version {file.header.version}",
        ("site", "model", "healthy rows", "beyond the limit", "false alarms", "faults found"),
        [
            (
                row["site"],
                row["model"],
                str(row["healthy"]),
                f"{row['beyond']:.2%}",
                str(row["false_alarms"]),
                f"{row['found']} of {row['faults']}",
            )
            for row in rows
        ],
    )
    if comparison.missing:
        terminal.say(
            "no centralised model: the rows of "
            f"{', '.join(comparison.missing)} are not here, and need not be"
        )


def _without_limits(
    found: "Collected", terms: "Terms", version: int, key: "Ed25519PrivateKey"
) -> Any:
    from analytics.federation.centre import merged, origin
    from analytics.federation.messages import write_consolidated

    whole = merged(found.statistics, terms)
    taken = {sha256: told for sha256, told in found.taken.items() if told.statistics}
    card = whole.card(terms) | {"learnt": _spans(found.statistics), "limits": {}}
    said = origin(taken)
    header = {"version": version, "created": said["stop"], "card": card} | said
    return write_consolidated(whole.model, terms, header, key), card


def _with_limits(
    found: "Collected", terms: "Terms", data: bytes, version: int, key: "Ed25519PrivateKey"
) -> Any:
    from analytics.federation.centre import limited
    from analytics.federation.messages import read_consolidated, write_consolidated
    from analytics.federation.refusals import Refused, Why

    model, file = read_consolidated(data, [key.public_key()])
    if file.header.settings.get("plan") != terms.identity:
        raise Refused(Why.OTHER_MODEL, "that model is of another plan")
    before: Any = dict(file.header.card)
    sites = {int(each["mode"]): set(each["sites"]) for each in before["modes"]}
    told = found.scored(file.sha256)
    whole, counts = limited(model, told, terms, sites)
    named = dict(terms.modes)
    card = before | {
        "scored": _spans(told),
        "limits": {
            named[mode]: {"limit": whole.limits[mode], "scores": count}
            for mode, count in counts.items()
        },
    }
    header = {
        "version": max(version, file.header.version),
        "created": max(each.stop for each in told),
        "start": file.header.start,
        "stop": file.header.stop,
        "history": file.header.history,
        "card": card,
    }
    return write_consolidated(whole, terms, header, key), card


def _spans(told: Sequence[Any]) -> dict[str, Any]:
    """Give from when to when each site has told of its rows, ns."""
    found: dict[str, Any] = {}
    for each in sorted(told, key=lambda one: (one.site, one.start)):
        found.setdefault(each.site, []).append([each.start, each.stop])
    return found


def _show(told: dict[str, Any]) -> None:
    from wheeltapper import terminal

    rows = []
    for each in told["modes"]:
        limit = told["limits"].get(each["name"])
        said = f"{limit['limit']:.3f} of {limit['scores']} scores" if limit else "none yet"
        sites = ", ".join(f"{site} ({count})" for site, count in each["sites"].items())
        rows.append((f"{each['mode']} {each['name']}", str(each["rows"]), sites, said))
    terminal.table(f"{told['file']}: {told['bytes']:,} bytes, plan {told['plan']}",
                   ("mode", "rows", "of", "limit"), rows)  # fmt: skip
    for each in told["dropped"]:
        terminal.say(
            f"dropped: {each['site']}, mode {each['mode']}: {each['signal']} lies "
            f"{each['distance']} deviations from what the other sites expect of it"
        )
    for each in told["left_out"]:
        terminal.say(f"left out: mode {each['name']}, told of by {each['participants']} only")
    for each in told["refused"]:
        terminal.say(f"refused ({each['why']}): {each['file']}: {each['message']}")
    if told["refused_on_the_way"]:
        terminal.say(f"refused over HTTP so far: {told['refused_on_the_way']}")
