"""What one gateway is to do: the checked outcome of a configuration, or built by a command."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from plant.assets import Asset
from plant.setpoints import Mode
from plant.tags import Tag

if TYPE_CHECKING:
    from connectors.catalogue import SinkConfig, SourceConfig
    from gateway.guard.policy import Condition


@dataclass(frozen=True, slots=True)
class ConsolePlan:
    """Where the console listens, and who is let in.

    Parameters
    ----------
    host
        IP address. One that is not loopback needs accounts and TLS.
    port
        On loopback the next free port is taken, and named, when this one is in use.
    tls
        Serve with TLS.
    certificate, key
        PEM files of the plant's own; without them the gateway makes a certificate.
    names
        Further host names and addresses under which browsers come.
    accounts
        File of the accounts; None: its own in the data folder. With an account in it nobody is
        let in without logging in.
    idle_min
        Minutes without a hand on mouse or keyboard after which a session ends; 0: never. A
        viewer's does not.
    metrics_token_file
        File whose first line lets a program read health and figures from elsewhere.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    tls: bool = False
    certificate: Path | None = None
    key: Path | None = None
    names: tuple[str, ...] = ()
    accounts: Path | None = None
    idle_min: float = 30.0
    metrics_token_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalPlan:
    """What the journal may take.

    Parameters
    ----------
    max_gb
        Size on disk, GB of 10^9 bytes, write-ahead log and reserve included.
    max_hours
        Age after which raw samples and scores go, h; None: never.
    reserve_mb
        Size of the file that is given up when the disk is full, MB of 10^6 bytes; 0: none.
    """

    max_gb: float = 20.0
    max_hours: float | None = None
    reserve_mb: float = 64.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionPlan:
    """How assets are judged.

    Parameters
    ----------
    learn_s
        Healthy time of an asset, whatever its modes, from which its normal is learnt before it is
        judged, s.
    grid_s
        Step at which the signals of an asset are put side by side, s.
    stale_s
        Silence after which a source's values no longer count as present, s.
    """

    learn_s: float = 3600.0
    grid_s: float = 1.0
    stale_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmPlan:
    """How alarms are told (ANSI/ISA-18.2).

    Parameters
    ----------
    shelf_h
        Longest time for which an alarm is shelved, h: a shift, so that whoever comes next is told.
    stale_h
        Standing so long an alarm is stale, h.
    chatter_count, chatter_min
        So many times within so many minutes is chattering.
    same_h
        For so many hours what was acknowledged and comes back no worse is not asked for again;
        0: it always is.
    priority_at
        Severities (score over limit) from which on an alarm is of priority 3, 2 and 1.
    budget
        Alarms that an asset may ask for in a week; of more, those just above the limit are held
        back.
    suppressed
        Modes of each asset in which its alarms are suppressed by design.
    priorities
        Priority of all alarms of an asset, where the plant has set one.
    """

    shelf_h: float = 8.0
    stale_h: float = 24.0
    chatter_count: int = 3
    chatter_min: float = 60.0
    same_h: float = 72.0
    priority_at: tuple[float, float, float] = (2.0, 4.0, 30.0)
    budget: float = 1.0
    suppressed: Mapping[str, frozenset[int]] = field(default_factory=dict)
    priorities: Mapping[str, int] = field(default_factory=dict)


CycleBy = Literal["trigger", "rising", "part", "none"]


@dataclass(frozen=True, slots=True)
class SetpointsPlan:
    """How far the guard of setpoints may go.

    Parameters
    ----------
    mode
        The most that may happen; the signed limits can only say less.
    limits
        The signed file of limits.
    keys
        Public keys (PEM) of whoever may sign them.
    access
        TOML file of the credentials that may write: a table for each source.
    folder
        The guard's own; None: ``guard`` in the data folder.
    group
        Name of the group whose members may speak to it; None: its own user alone.
    """

    mode: Mode = Mode.OFF
    limits: Path | None = None
    keys: tuple[Path, ...] = ()
    access: Path | None = None
    folder: Path | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RulePlan:
    """A rule that proposes a setpoint; see docs/setpoints.md.

    Parameters
    ----------
    name, token_file
        As the signed limits know it, and the file of its token.
    tag
        The setpoint.
    alarm, priority, culprit
        Asset whose alarm of that priority or a more urgent one has to stand, with this tag among
        what makes up its score; empty: none has to.
    when
        Has to hold as well.
    value, change, change_percent
        What is asked for; one of the three.
    for_s
        It has to apply for so long, and no longer to apply for so long, s.
    repeat_s
        Asked again so often while it applies, s; 0: once.
    back
        Whether the value before is asked for once it no longer applies.
    effect
        What is expected, for whoever approves.
    every_s, fresh_s, valid_s
        How often it looks; age of what it goes by; for how long a request waits; s.
    """

    kind: ClassVar = "rule"
    name: str
    token_file: Path
    tag: str
    alarm: str = ""
    priority: int = 4
    culprit: str = ""
    when: "Condition" = ()
    value: float | None = None
    change: float | None = None
    change_percent: float | None = None
    for_s: float = 0.0
    repeat_s: float = 0.0
    back: bool = False
    effect: str = ""
    every_s: float = 1.0
    fresh_s: float = 5.0
    valid_s: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimiserPlan:
    """What proposes steps by a learnt response; see docs/setpoints.md.

    Parameters
    ----------
    name, token_file, tag, every_s, fresh_s, valid_s
        As of `RulePlan`.
    response
        File of the learnt response.
    aim, target
        What the effect is to be: as small or as large as may be, or held at `target`.
    max_step
        Of the setpoint, at most, in its unit.
    pause_s
        Between two requests at least, s: the plant has to answer first.
    """

    kind: ClassVar = "optimiser"
    name: str
    token_file: Path
    tag: str
    response: Path
    aim: Literal["minimise", "maximise", "hold"]
    max_step: float
    target: float | None = None
    pause_s: float = 600.0
    every_s: float = 10.0
    fresh_s: float = 5.0
    valid_s: float = 30.0


ProposerPlan = RulePlan | OptimiserPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class CyclePlan:
    """How the parts of an asset are told apart and judged.

    Parameters
    ----------
    by
        What a cycle is: ``trigger``, from its 1 to its 0; ``rising``, from one rise of the trigger
        to the next; ``part``, from one number of the part to the next; ``none``: parts are not
        judged. None: by the trigger where there is one.
    shortest_s, longest_s
        Cycles shorter or longer are told and not judged, s.
    learn
        Healthy parts of a mode to learn from before one is judged.
    false_in_1000
        Healthy parts of a thousand that may be called suspect.
    """

    by: CycleBy | None = None
    shortest_s: float = 0.0
    longest_s: float = 600.0
    learn: int = 50
    false_in_1000: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPlan:
    """What is kept and sent beside the journal.

    Parameters
    ----------
    keep
        Keep the summaries of every tag in the data folder.
    unsent_min
        Minutes that a record may wait for its store before a person is told.
    gather_s
        Seconds for which rows that nobody waits for are gathered on their way to a store elsewhere.
    points_per_s
        Rows a second with which a backlog is sent; None for twenty times what comes in, and 20,000
        at least.
    """

    keep: bool = True
    unsent_min: float = 15.0
    gather_s: float = 170.0
    points_per_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsPlan:
    """Where models that were trained elsewhere come from, and how they come into force.

    Parameters
    ----------
    url, folder
        Where the registry is served, or lies; None of both: models are put into the data folder by
        hand, if there are keys.
    root
        Metadata by which the registry is believed.
    keys
        Public keys (PEM) of the trainers whose models are believed; without one there are no
        models.
    every_min
        Minutes between two looks, about.
    ring
        Ring of this gateway.
    promote
        Who puts a model into force: a person, or the rule.
    shadow_h
        Hours beside the one in force at least before the rule does, h.
    probation_h
        Hours in force in which the one before stands by, h.
    """

    url: str | None = None
    folder: Path | None = None
    root: Path | None = None
    keys: tuple[Path, ...] = ()
    every_min: float = 15.0
    ring: str = "all"
    promote: Literal["person", "rule"] = "person"
    shadow_h: float = 24.0
    probation_h: float = 72.0


@dataclass(frozen=True, slots=True)
class LabelSpan:
    """A stretch of a recording that somebody labelled; drawn beside the score, never judged by.

    `start` and `stop` are source times, ns; both rows included.
    """

    asset: str
    label: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One gateway: its sources, tags and assets, and where it keeps what it knows.

    Parameters
    ----------
    name
        Name of the gateway.
    data
        Folder of the journal and of everything else it keeps.
    console
        Where the page is served.
    journal
        What the journal may take.
    sources
        One configuration a source, as `connectors.catalogue.build` takes it.
    tags
        Every tag, each of a source above.
    assets
        The machines to judge.
    detection
        How they are judged.
    alarms
        How their alarms are told.
    sinks
        Stores that are sent what the journal holds, as `connectors.catalogue.build_sink` takes it.
    history
        How they are sent it.
    models
        Which models from elsewhere may judge.
    setpoints
        How far the guard of setpoints may go.
    proposers
        What may ask for setpoints within this gateway.
    cycles
        How the parts of an asset are judged, by its path; as `CyclePlan` has it where none is.
    simulated
        No real machine stands behind the values; every page says so.
    notice
        A line for people, shown on every page.
    labels
        What a recording says of itself.
    """

    name: str
    data: Path
    console: ConsolePlan = ConsolePlan()
    journal: JournalPlan = field(default_factory=JournalPlan)
    sources: "tuple[SourceConfig, ...]" = ()
    tags: tuple[Tag, ...] = ()
    assets: tuple[Asset, ...] = ()
    detection: DetectionPlan = field(default_factory=DetectionPlan)
    alarms: AlarmPlan = field(default_factory=AlarmPlan)
    sinks: "tuple[SinkConfig, ...]" = ()
    history: HistoryPlan = field(default_factory=HistoryPlan)
    models: ModelsPlan = field(default_factory=ModelsPlan)
    setpoints: SetpointsPlan = field(default_factory=SetpointsPlan)
    proposers: tuple[ProposerPlan, ...] = ()
    cycles: Mapping[str, CyclePlan] = field(default_factory=dict)
    simulated: bool = False
    notice: str = ""
    labels: tuple[LabelSpan, ...] = ()


def longest_silence(plan: Plan, source: str) -> int:
    """Give the silence, ns, after which a source is stale: never less than three of its words."""
    periods_ms = [
        getattr(one, word, 0.0)
        for one in plan.sources
        if one.name == source
        for word in ("scan_ms", "publishing_ms")
    ]
    return round(max(plan.detection.stale_s * 1e9, *(3e6 * period for period in periods_ms), 0.0))
