"""``wheeltapper federation``: learn with other gateways while the rows stay here."""

import time
from pathlib import Path
from typing import Annotated

import typer

from wheeltapper.options import AsJson, ConfigFile

app = typer.Typer(
    no_args_is_help=True,
    help="Learn with other gateways while the rows stay here: sums are sent, nothing else.",
)

PlanFile = Annotated[
    str, typer.Option("--plan", metavar="FILE", help="The signed plan: a file, or its URL.")
]
Trusted = Annotated[
    Path | None,
    typer.Option(
        "--trust", metavar="PEM", help="Public key of the centre; else the keys of [models]."
    ),
]
Signing = Annotated[
    Path, typer.Option("--key", metavar="PEM", help="Private Ed25519 key of the centre.")
]


@app.command("key")
def key(
    config: ConfigFile,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="PEM", help="Write the public key here.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make this gateway's key, once, and tell its public half: the plan has to name it."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from gateway.config.loader import load
    from plant.files import put
    from plant.keys import key_id, private_pem, public_pem
    from wheeltapper import terminal
    from wheeltapper.federating.keyfiles import KEY, private
    from wheeltapper.federating.ledger import Ledger
    from wheeltapper.folder import usable

    plan = load(config)
    ledger = Ledger(usable(plan.data))
    path = ledger.folder / KEY
    if not path.exists():
        ledger.folder.mkdir(exist_ok=True)
        put(path, private_pem(Ed25519PrivateKey.generate()), 0o600)
    public = private(path).public_key()
    target = out or Path(f"{plan.name}.pub.pem")
    put(target, public_pem(public))
    if as_json:
        row = {"gateway": plan.name, "key": str(path), "public": str(target)}
        terminal.record(row | {"id": key_id(public)})
    else:
        terminal.say(f"{target}: public key {key_id(public)} of {plan.name}; the private one stays")


@app.command("plan")
def plan(
    config: ConfigFile,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="File to write.")],
    asset: Annotated[
        str, typer.Option("--asset", metavar="PATH", help="An asset of the class, to go by.")
    ],
    name: Annotated[str, typer.Option("--class", metavar="NAME", help="As class/pump.")],
    participant: Annotated[
        list[str],
        typer.Option("--participant", metavar="NAME=PEM", help="A gateway and its public key."),
    ],
    signing: Signing,
    leave_out: Annotated[
        list[str] | None, typer.Option("--without", metavar="SIGNAL", help="A signal to leave out.")
    ] = None,
    least_rows: Annotated[int, typer.Option(help="Rows of a mode without which none go.")] = 1000,
    least_h: Annotated[float, typer.Option(help="Hours without which nothing goes.")] = 8.0,
    false_share: Annotated[
        float, typer.Option(help="Share of healthy rows that may lie beyond the limit.")
    ] = 0.001,
    noise: Annotated[
        float, typer.Option(help="Added to every value, as a share of its limits; 0: none.")
    ] = 0.0,
    as_json: AsJson = False,
) -> None:
    """Write down and sign what the participants agree on: signals, units, limits, modes, keys.

    Signals, units, limits and modes are those of one asset of a configuration. Every gateway holds
    its own against them before it tells anything.
    """
    from analytics.federation.messages import raw_key, write_plan
    from analytics.federation.terms import Participant, Terms
    from gateway.config.loader import load
    from plant.errors import Misconfigured
    from plant.files import put
    from plant.keys import read_public
    from wheeltapper import terminal
    from wheeltapper.federating.keyfiles import private
    from wheeltapper.federating.showing import terms_in_words

    loaded = load(config, here=False)
    found = {each.path: each for each in loaded.assets}
    if asset not in found:
        raise Misconfigured(f"no asset is called {asset}; there are {', '.join(found)}")
    pairs = []
    for each in participant:
        who, equals, pem = each.partition("=")
        if not equals:
            raise typer.BadParameter(f"--participant {each!r}: write NAME=FILE.pub.pem")
        pairs.append(Participant(who, raw_key(read_public(Path(pem)))))
    tags = {tag.name: tag for tag in loaded.tags}
    own = [tags[one] for one in found[asset].signals if tags[one].signal not in (leave_out or [])]
    open_ended = [tag.signal for tag in own if tag.low is None or tag.high is None]
    if open_ended:
        raise Misconfigured(
            f"{config}: {', '.join(open_ended)}: without low and high nothing can be clipped; give "
            "the tag its limits, or leave it out with --without"
        )
    terms = Terms(
        name=name,
        signals=tuple(tag.signal for tag in own),
        units=tuple(tag.unit for tag in own),
        low=tuple(float(tag.low or 0.0) for tag in own),
        high=tuple(float(tag.high or 0.0) for tag in own),
        modes=found[asset].modes or ((0, "all"),),
        participants=tuple(pairs),
        least_rows=least_rows,
        least_h=least_h,
        false_share=false_share,
        noise=noise,
    )
    put(out, write_plan(terms, time.time_ns(), private(signing)))
    if as_json:
        terminal.record({"file": str(out), "plan": terms.identity} | terms.body())
        return
    for line in terms_in_words(terms):
        terminal.say(line)
    terminal.say(f"{out}: plan {terms.identity}, signed")


@app.command("contribute")
def contribute(
    config: ConfigFile,
    plan_file: PlanFile,
    trusted: Trusted = None,
    asset: Annotated[
        list[str] | None,
        typer.Option("--asset", metavar="PATH", help="Only of this one; else all of the class."),
    ] = None,
    since: Annotated[
        str, typer.Option("--from", metavar="WHEN", help="7d, or a time; else where it ended last.")
    ] = "",
    until: Annotated[
        str, typer.Option("--to", metavar="WHEN", help="The present unless said.")
    ] = "",
    model: Annotated[
        str,
        typer.Option("--scores", metavar="MODEL", help="Second round: count scores by this model."),
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show every byte that would go; keep nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make this gateway's message from its own history and put it into the outbox.

    A message is withheld, and that is written down, where it has too few rows, tells of a time
    that an earlier one told of, or does not keep to the plan. Ends with 1 if one was withheld.
    """
    from analytics.federation.messages import read_plan
    from analytics.federation.refusals import Refused
    from gateway.config.loader import load
    from plant.files import alone
    from wheeltapper import terminal
    from wheeltapper.federating.keyfiles import believed
    from wheeltapper.federating.ledger import WITHHELD, Ledger
    from wheeltapper.federating.making import Making
    from wheeltapper.federating.own import members, unhealthy
    from wheeltapper.federating.showing import say_made
    from wheeltapper.federating.ways import fetched

    loaded = load(config)
    keys = believed(trusted, loaded)
    ledger = Ledger(loaded.data)
    withheld = 0
    with alone(ledger.folder):
        rows = []

        def turned(refused: Refused, path: str) -> None:
            event = {"event": WITHHELD, "at": time.time_ns(), "asset": path}
            event |= {"why": refused.why.value, "message": str(refused)}
            rows.append(event)
            if not dry_run:
                ledger.note(event)

        try:
            terms = read_plan(fetched(plan_file), keys)
            terms.participant(loaded.name)
            own = members(loaded, terms, asset or [])
        except Refused as refused:
            turned(refused, ", ".join(asset or []))
            own = []
        faults = unhealthy(loaded.data) if own else None
        for member in own:
            try:
                work = Making(loaded.name, loaded.data, terms, ledger, member)
                struck = None if faults is None else faults.get(member.path, [])
                told, counted = work.told(struck, since, until, model, keys)
                rows.append(work.kept(told, counted, dry_run=dry_run))
            except Refused as refused:
                turned(refused, member.path)
    for row in rows:
        withheld += row["event"] == WITHHELD
        if as_json:
            terminal.record(row)
        else:
            say_made(row, dry_run=dry_run)
    if withheld:
        raise typer.Exit(1)


@app.command("send")
def send(
    config: ConfigFile,
    to: Annotated[
        str, typer.Option("--to", metavar="PLACE", help="http://centre:8071, or a folder: a stick.")
    ],
    ca: Annotated[
        Path | None, typer.Option(help="PEM file of the authority of a https centre's certificate.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Send what lies in the outbox; what does not get through stays there.

    Ends with 1 if the centre refused a message, with 3 if it does not answer.
    """
    import hashlib

    from gateway.config.loader import load
    from plant.errors import Rejected
    from plant.files import alone
    from wheeltapper import terminal
    from wheeltapper.federating.ledger import REFUSED, SENT, Ledger
    from wheeltapper.federating.ways import delivered

    ledger = Ledger(load(config).data)
    refused = 0
    with alone(ledger.folder):
        waiting = ledger.waiting()
        for path in waiting:
            data = path.read_bytes()
            event = {"event": SENT, "at": time.time_ns(), "file": path.name, "to": to}
            event |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            try:
                delivered(to, path.name, data, ca)
                told = f"{path.name}: {len(data)} bytes to {to}"
            except Rejected as error:
                event |= {"event": REFUSED, "message": str(error)}
                told = f"{path.name}: {to} refused it: {error}"
                refused += 1
            ledger.note(event)
            ledger.move(path, str(event["event"]))
            if as_json:
                terminal.record(event)
            else:
                terminal.say(told)
    if not waiting and not as_json:
        terminal.say("the outbox is empty")
    if refused:
        raise typer.Exit(1)


@app.command("log")
def log(
    config: ConfigFile,
    all_bytes: Annotated[
        bool, typer.Option("--bytes", help="Take every message apart, byte by byte.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List what left this gateway: each message, its bytes, when, to whom; what was withheld."""
    from gateway.config.loader import load
    from wheeltapper import terminal
    from wheeltapper.federating.ledger import MADE, WITHHELD, Ledger
    from wheeltapper.federating.showing import counted, messages, show_fields

    ledger = Ledger(load(config).data)
    events = ledger.events()
    told = list(messages(ledger, events, all_bytes=all_bytes))
    kept = [event for event in events if event["event"] == WITHHELD]
    if as_json:
        for row in (*told, *kept):
            terminal.record(row)
        return
    if not events:
        terminal.say("nothing was made, sent or withheld")
        return
    terminal.table(
        f"{len(told)} messages, {sum(row['sent_bytes'] for row in told):,} bytes sent",
        ("message", "kind", "asset", "from", "to", "rows", "bytes", "made", "went to"),
        [
            (
                row["file"],
                row["kind"],
                row["asset"],
                *(terminal.local_time(row[end] / 1e6) for end in ("start", "stop")),
                ", ".join(f"{count} {mode}" for mode, count in row["rows"].items()),
                f"{row['bytes']:,}",
                terminal.local_time(row["at"] / 1e6),
                "; ".join(f"{one['to']} ({one['event']})" for one in row["ways"]) or "outbox",
            )
            for row in told
            if row["event"] == MADE
        ],
    )
    for row in told:
        if all_bytes:
            show_fields(row["file"], row["fields"])
    if kept:
        terminal.say(f"withheld: {', '.join(counted(kept))}")
        for event in kept[-5:]:
            told_of = event["asset"] or "all"
            when = terminal.local_time(event["at"] / 1e6)
            terminal.say(f"  {when}  {told_of}: {event['message']}")
