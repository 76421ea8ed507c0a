"""The shape of the TOML file: what may stand in it, of which type, with which default."""

import math
import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from connectors.catalogue import SinkConfig, SourceConfig
from gateway.config.proposers import ProposerEntry
from plant.tags import TAG_NAME, Role, Tag, ValueType

LOOPBACK = "127.0.0.1"
LONGEST_GRID_S = 3600.0
"""An hour a row: what changes more slowly is no matter for an alarm."""
_NAME = re.compile(r"^[A-Za-z0-9_-]{1,64}$")
_HOST = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*")


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class GatewaySection(_Section):
    """Who this gateway is."""

    name: Annotated[str, Field(description="Its name: A-Z a-z 0-9 _ -")]
    data: Annotated[Path, Field(description="Folder of the journal; below this file's folder")] = (
        Path("data")
    )
    notice: Annotated[str, Field(description="A line for people, shown on every page")] = ""

    @field_validator("name")
    @classmethod
    def _plain(cls, name: str) -> str:
        if not _NAME.match(name):
            raise ValueError(f'"{name}" is not a name: 1 to 64 of A-Z a-z 0-9 _ - and no spaces')
        return name


class ConsoleSection(_Section):
    """Where the page is served, and who is let in."""

    host: Annotated[
        str, Field(description="IP address; one that others reach needs accounts and TLS")
    ] = LOOPBACK
    port: Annotated[
        int, Field(ge=0, le=65535, description="On loopback the next free one if in use")
    ] = 8080
    tls: Annotated[
        bool | None,
        Field(description="Serve with TLS; without certificate and key by one that is made here"),
    ] = None
    certificate: Annotated[
        Path | None, Field(description="PEM file of the certificate, its chain behind it")
    ] = None
    key: Annotated[Path | None, Field(description="PEM file of its key, not encrypted")] = None
    names: Annotated[
        list[str], Field(description="Host names and addresses under which browsers come")
    ] = []
    accounts: Annotated[
        Path | None,
        Field(description="File of the accounts, below the data folder; accounts.toml unless said"),
    ] = None
    idle_min: Annotated[
        float,
        Field(
            ge=0,
            le=1440,
            description="Minutes without a hand on it after which a session ends; 0: never",
        ),
    ] = 30.0
    metrics_token_file: Annotated[
        Path | None,
        Field(description="File whose first line lets a program read /metrics from elsewhere"),
    ] = None

    @field_validator("host")
    @classmethod
    def _address(cls, host: str) -> str:
        try:
            return str(ip_address(host))
        except ValueError as error:
            raise ValueError(
                f'"{host}" is no IP address; "{LOOPBACK}" is this machine alone, "0.0.0.0" every '
                "network it is in"
            ) from error

    @field_validator("names")
    @classmethod
    def _hosts(cls, names: list[str]) -> list[str]:
        for name in names:
            if not _HOST.fullmatch(name) and not _is_address(name):
                raise ValueError(f'"{name}" is no host name or address; no scheme, no port')
        return [name.lower() for name in names]

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            missing = "key" if self.key is None else "certificate"
            raise ValueError(f"{missing}: is missing: certificate and key belong together")
        if self.certificate is not None and self.tls is False:
            raise ValueError("tls: is false, and there is a certificate; leave out one of both")
        return self


class JournalSection(_Section):
    """What the journal may take of the disk."""

    max_gb: Annotated[
        float,
        Field(ge=0.2, description="Size of all its files, GB; then the oldest raw samples go"),
    ] = 20.0
    max_hours: Annotated[
        float | None, Field(gt=0, description="Age at which raw samples and scores go, h")
    ] = None
    reserve_mb: Annotated[
        float, Field(ge=0, description="Kept for the day on which the disk is full, MB; 0: none")
    ] = 64.0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.reserve_mb * 1e6 > self.max_gb * 1e9 / 2:
            raise ValueError(
                f"reserve_mb: {self.reserve_mb:g} MB is more than half of max_gb = {self.max_gb:g}"
            )
        return self


class DetectionSection(_Section):
    """How assets are judged."""

    learn_s: Annotated[
        float, Field(gt=0, description="Healthy time an asset is learnt from, s")
    ] = 3600.0
    grid_s: Annotated[
        float,
        Field(
            ge=0.1, le=LONGEST_GRID_S, description="Step at which signals are put side by side, s"
        ),
    ] = 1.0
    stale_s: Annotated[
        float, Field(gt=0, description="Silence after which a source's values are not used, s")
    ] = 5.0


class AlarmsSection(_Section):
    """How alarms are told (ISA-18.2)."""

    shelf_h: Annotated[
        float, Field(gt=0, le=24, description="Longest time on the shelf, h: a shift")
    ] = 8.0
    stale_h: Annotated[float, Field(gt=0, description="Standing so long it is stale, h")] = 24.0
    chatter_count: Annotated[int, Field(ge=2, description="So often is chattering …")] = 3
    chatter_min: Annotated[float, Field(gt=0, description="… within so many minutes")] = 60.0
    same_h: Annotated[
        float,
        Field(
            ge=0,
            le=720,
            description="So long what was acknowledged and is no worse is not asked for again, h",
        ),
    ] = 72.0
    priority_at: Annotated[
        list[Annotated[float, Field(gt=0)]],
        Field(
            min_length=3,
            max_length=3,
            description="Score over limit from which on a fault is of priority 3, 2 and 1",
        ),
    ] = [2.0, 4.0, 30.0]
    budget: Annotated[
        float,
        Field(
            gt=0,
            description="Alarms an asset may ask for in a week; of more, weak ones are held back",
        ),
    ] = 1.0

    @field_validator("priority_at")
    @classmethod
    def _ascending(cls, steps: list[float]) -> list[float]:
        if sorted(set(steps)) != steps:
            raise ValueError("must ascend, like [2.0, 4.0, 30.0]")
        return steps


class HistorySection(_Section):
    """What is kept and sent beside the journal."""

    keep: Annotated[
        bool, Field(description="Keep the summaries of every tag in the data folder")
    ] = True
    unsent_min: Annotated[
        float, Field(gt=0, description="Minutes that a record may wait before a person is told")
    ] = 15.0
    gather_s: Annotated[
        float,
        Field(
            ge=0,
            le=170,
            description="Seconds for which rows that nobody waits for are gathered on their way to "
            "a store elsewhere: many go together for a third of the bytes",
        ),
    ] = 170.0
    points_per_s: Annotated[
        float | None,
        Field(
            ge=100,
            description="Rows a second with which a backlog is sent; unless said, twenty "
            "times what comes in, and 20,000 at least",
        ),
    ] = None


class ModelsSection(_Section):
    """Where models that were trained elsewhere come from, and how they come into force."""

    url: Annotated[
        str | None, Field(description="Where the registry is served: http://central:8070")
    ] = None
    folder: Annotated[
        Path | None, Field(description="The registry itself, as on a stick; instead of url")
    ] = None
    root: Annotated[
        Path | None, Field(description="root.json of the registry's kit, below this file's folder")
    ] = None
    keys: Annotated[
        list[Path], Field(description="Public keys (PEM) of the trainers whose models are believed")
    ] = []
    every_min: Annotated[
        float, Field(ge=0.1, le=10_080, description="Minutes between two looks, about")
    ] = 15.0
    ring: Annotated[
        str, Field(description="Ring of this gateway: which gateways get a model first")
    ] = "all"
    promote: Annotated[
        Literal["person", "rule"],
        Field(description="Who puts a model into force when it has proven itself beside the other"),
    ] = "person"
    shadow_h: Annotated[
        float, Field(gt=0, le=8760, description="Hours beside the one in force, at least, h")
    ] = 24.0
    probation_h: Annotated[
        float, Field(gt=0, le=8760, description="Hours in force in which the way back is open, h")
    ] = 72.0

    @field_validator("ring")
    @classmethod
    def _plain(cls, ring: str) -> str:
        if not _NAME.match(ring):
            raise ValueError(f'"{ring}" is not a name: 1 to 64 of A-Z a-z 0-9 _ - and no spaces')
        return ring

    @field_validator("url")
    @classmethod
    def _web(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("http://", "https://")):
            raise ValueError(f'"{url}" does not begin with http:// or https://')
        return url

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.url is not None and self.folder is not None:
            raise ValueError("folder: there is a url as well; models come from one registry")
        comes = self.url is not None or self.folder is not None
        if comes and self.root is None:
            raise ValueError(
                "root: is missing; take root.json of the kit that `wheeltapper models init` made"
            )
        if (comes or self.root is not None) and not self.keys:
            raise ValueError(
                "keys: is missing; take the public key of the kit that `wheeltapper models init` "
                "made"
            )
        return self


class SetpointsSection(_Section):
    """How far the guard of setpoints may go, and which signed limits it goes by."""

    mode: Annotated[
        Literal["off", "advisory", "approve", "auto"],
        Field(description="The most that may happen; the signed limits can only say less"),
    ] = "off"
    limits: Annotated[
        Path | None, Field(description="The signed file of limits, below this file's folder")
    ] = None
    keys: Annotated[
        list[Path], Field(description="Public keys (PEM) of whoever may sign limits")
    ] = []
    access: Annotated[
        Path | None,
        Field(description="TOML file of the credentials that may write, for the guard alone"),
    ] = None
    folder: Annotated[
        Path | None,
        Field(
            description="The guard's own folder, for a guard of its own user",
            examples=["/var/lib/wheeltapper-guard"],
        ),
    ] = None
    group: Annotated[
        str | None,
        Field(
            description="Group whose members may speak to the guard; else its own user alone",
            min_length=1,
        ),
    ] = None

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.mode != "off" and (self.limits is None or not self.keys):
            missing = "limits" if self.limits is None else "keys"
            raise ValueError(f"{missing}: is missing: no setpoint goes without signed limits")
        return self


class TagEntry(_Section):
    """One tag: a ``[[tag]]`` table, or a row of the tags CSV."""

    tag: Annotated[str, Field(description="site/area/line/asset/signal")]
    source: Annotated[str, Field(description="Name of the source that delivers it")]
    address: Annotated[str, Field(min_length=1, description="In the protocol's own words")]
    type: Annotated[ValueType | None, Field(description="Encoding at the source")] = None
    unit: Annotated[str, Field(description="UCUM code")] = ""
    scale: Annotated[float, Field(description="Engineering value = raw * scale + offset")] = 1.0
    offset: float = 0.0
    deadband: Annotated[float, Field(ge=0, description="Smallest change that matters")] = 0.0
    role: Role = Role.SIGNAL
    low: Annotated[float | None, Field(description="Lowest plausible value")] = None
    high: Annotated[float | None, Field(description="Highest plausible value")] = None
    description: str = ""

    @field_validator("tag")
    @classmethod
    def _name(cls, name: str) -> str:
        if not TAG_NAME.match(name):
            raise ValueError(
                f'"{name}" is not a tag name: 1 to 128 of the characters A-Z a-z 0-9 _ . : / -'
            )
        if not all(name.split("/")) or "/" not in name:
            raise ValueError(f'"{name}" is not a path like site/area/line/asset/signal')
        return name

    @field_validator("scale")
    @classmethod
    def _scale(cls, scale: float) -> float:
        if math.isclose(scale, 0.0, abs_tol=0.0):
            raise ValueError("0 would make every value the same")
        return scale

    @model_validator(mode="after")
    def _limits(self) -> Self:
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"low: {self.low:g} is not below high, {self.high:g}")
        return self

    @model_validator(mode="after")
    def _numeric(self) -> Self:
        if self.type is ValueType.TEXT and self.role not in (Role.CONTEXT, Role.PART):
            raise ValueError(f'role: a text cannot be a {self.role}; write role = "context"')
        return self

    def as_tag(self) -> Tag:
        """Give the tag itself."""
        return Tag(name=self.tag, **{key: value for key, value in self if key != "tag"})


class CycleEntry(_Section):
    """How the parts of a machine are told apart and judged: an ``[asset.cycle]`` table."""

    by: Annotated[
        Literal["trigger", "rising", "part", "none"] | None,
        Field(
            description="A part is made while the trigger is 1, from one rise of it to the next, "
            "or from one part number to the next; none: parts are not judged"
        ),
    ] = None
    shortest_s: Annotated[float, Field(ge=0, description="Shorter ones are not judged, s")] = 0.0
    longest_s: Annotated[
        float, Field(gt=0, le=86_400, description="Longer: its end was not seen; not judged, s")
    ] = 600.0
    learn: Annotated[
        int, Field(ge=20, le=200, description="Healthy parts of a mode to learn from")
    ] = 50
    false_in_1000: Annotated[
        float, Field(gt=0, le=200, description="Healthy parts of 1000 that may be called suspect")
    ] = 1.0

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if self.shortest_s >= self.longest_s:
            raise ValueError(f"shortest_s: {self.shortest_s:g} is not below {self.longest_s:g}")
        return self


class AssetEntry(_Section):
    """One machine to judge: an ``[[asset]]`` table."""

    path: Annotated[str, Field(description="site/area/line/asset; its tags start with it")]
    modes: Annotated[
        dict[int, str], Field(description='What its modes are called: { 0 = "idle", 1 = "run" }')
    ] = {}
    suppress: Annotated[
        list[int | str],
        Field(description='Modes, by name or number, in which its alarms are suppressed: ["off"]'),
    ] = []
    priority: Annotated[
        int | None, Field(ge=1, le=4, description="Of all its alarms, 1 is most urgent")
    ] = None
    cycle: Annotated[
        CycleEntry | None, Field(description="How its parts are told apart and judged")
    ] = None


_STRINGS = {"type": "array", "items": {"type": "string"}}


def listed(value: Any) -> Any:
    """Let one text stand for a list of one."""
    return [value] if isinstance(value, str) else value


class Document(_Section):
    """The whole file."""

    version: Annotated[Literal[1], Field(description="Version of this format")]
    tags: Annotated[
        list[str],
        BeforeValidator(listed),
        WithJsonSchema({"anyOf": [{"type": "string"}, _STRINGS]}),
        Field(description="CSV files of tags, below this file's folder"),
    ] = []
    gateway: GatewaySection
    console: ConsoleSection = ConsoleSection()
    journal: JournalSection = JournalSection()
    detection: DetectionSection = DetectionSection()
    alarms: AlarmsSection = AlarmsSection()
    history: HistorySection = HistorySection()
    models: ModelsSection = ModelsSection()
    setpoints: SetpointsSection = SetpointsSection()
    source: list[SourceConfig] = []
    sink: Annotated[
        list[SinkConfig], Field(description="Stores that are sent what the journal holds")
    ] = []
    tag: list[TagEntry] = []
    proposer: Annotated[
        list[ProposerEntry], Field(description="What may ask for setpoints within the gateway")
    ] = []
    asset: Annotated[
        list[AssetEntry], Field(description="The machines to judge; without any, all of them")
    ] = []


def schema() -> dict[str, Any]:
    """Describe the TOML file as JSON Schema (draft 2020-12), for editors."""
    described = Document.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Wheeltapper configuration",
        **{key: value for key, value in described.items() if key != "title"},
    }
