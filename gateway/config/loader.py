"""Reads a TOML file and its tag sheets into a `Plan`, or says everything that is wrong."""

import os
import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from connectors import catalogue
from connectors.catalogue import SinkConfig, SourceConfig, embedded
from gateway.accounts.register import FILE
from gateway.config.access import objections
from gateway.config.document import (
    AlarmsSection,
    AssetEntry,
    ConsoleSection,
    DetectionSection,
    Document,
    GatewaySection,
    HistorySection,
    JournalSection,
    ModelsSection,
    SetpointsSection,
    TagEntry,
    listed,
)
from gateway.config.environment import PLACE, as_json, override
from gateway.config.lines import KeyPath, key_lines
from gateway.config.plan import (
    AlarmPlan,
    ConsolePlan,
    CyclePlan,
    DetectionPlan,
    HistoryPlan,
    JournalPlan,
    ModelsPlan,
    Plan,
    ProposerPlan,
    SetpointsPlan,
)
from gateway.config.problems import Problems, nearest
from gateway.config.proposers import proposers_of
from gateway.config.tagsheet import PlacedTag, read_sheet
from gateway.config.wording import key_text, sharpened, within
from plant.assets import Asset, asset_of
from plant.errors import Misconfigured
from plant.setpoints import Mode
from plant.tags import Role, ValueType

VERSION = 1
Entry = TypeVar("Entry", bound=SourceConfig | SinkConfig)
SINK_NAME = re.compile(r"^[A-Za-z0-9_-]{1,64}$")
"""It names a file of the data folder as well."""
ONE_AN_ASSET = frozenset({Role.MODE, Role.TRIGGER, Role.PART})
_SECTIONS: dict[str, type[BaseModel]] = {
    "gateway": GatewaySection,
    "console": ConsoleSection,
    "journal": JournalSection,
    "detection": DetectionSection,
    "alarms": AlarmsSection,
    "history": HistorySection,
    "models": ModelsSection,
    "setpoints": SetpointsSection,
}


def load(
    path: Path,
    environment: Mapping[str, str] | None = None,
    *,
    reads: bool = True,
    here: bool = True,
    console: bool = True,
) -> Plan:
    """Read and check a configuration without touching the network.

    Parameters
    ----------
    path
        The TOML file; files named in it are looked for beside it.
    environment
        Where ``WHEELTAPPER__SECTION__KEY`` settings are taken from; ``os.environ`` by default.
    reads
        Whether it has to say what is read; of the demo something else does.
    here
        Whether the gateway runs on this machine. Where models are trained it need not: then its
        accounts, certificates, keys and recordings are not looked for, and its proposers are none.
    console
        Whether its console has to be one that can be served: the guard serves none, and is not
        let read the console's secrets.

    Raises
    ------
    Misconfigured
        Every mistake, one a line: ``file:line: key: what is wrong; did you mean "x"?``
    """
    reading = _Reading(path, reads, here, served=here and console)
    reading.parse(os.environ if environment is None else environment)
    document = reading.validate()
    sources = reading.sources(document.source)
    sinks = reading.sinks(document)
    tags = reading.tags(document)
    reading.check_tags(tags, sources)
    assets = reading.assets(document, tags)
    alarms = reading.alarms(document, assets)
    cycles = reading.cycles(document, assets)
    data = path.parent / document.gateway.data
    if data.exists() and not data.is_dir():
        reading.wrong(("gateway", "data"), f'"{document.gateway.data}" is a file, not a folder')
    let_in = reading.console(document, data)
    models = reading.models(document)
    setpoints = reading.setpoints(document)
    proposers = reading.proposers(document, tags, assets)
    reading.problems.stop_if_any()
    return Plan(
        name=document.gateway.name,
        data=data,
        console=let_in,
        journal=JournalPlan(**document.journal.model_dump()),
        sources=tuple(sources),
        tags=tuple(placed.tag for placed in tags),
        assets=assets,
        detection=DetectionPlan(**document.detection.model_dump()),
        alarms=alarms,
        sinks=sinks,
        history=HistoryPlan(**document.history.model_dump()),
        models=models,
        setpoints=setpoints,
        proposers=proposers,
        cycles=cycles,
        notice=document.gateway.notice,
    )


def accounts_file(path: Path, environment: Mapping[str, str] | None = None) -> Path:
    """Find the file of accounts of a configuration; nothing else in it has to be right.

    Raises
    ------
    Misconfigured
        The file is no TOML.
    """
    reading = _Reading(path)
    reading.parse(os.environ if environment is None else environment)
    reading.problems.stop_if_any()

    def said(section: str, key: str, default: str) -> Path:
        table = reading.raw.get(section)
        value = table.get(key, default) if isinstance(table, dict) else default
        return Path(value if isinstance(value, str) else default)

    return path.parent / said("gateway", "data", "data") / said("console", "accounts", FILE)


@dataclass
class _Reading:
    path: Path
    reads: bool = True
    here: bool = True
    served: bool = True
    problems: Problems = field(default_factory=Problems)
    raw: dict[str, Any] = field(default_factory=dict)
    lines: dict[KeyPath, int] = field(default_factory=dict)
    overridden: dict[KeyPath, str] = field(default_factory=dict)
    sheets_whole: bool = True

    def wrong(self, path: KeyPath, what: str) -> None:
        """Note a mistake at a key, on its own line or that of the table it is missing from."""
        if path in self.overridden:
            self.problems.add(PLACE, 0, self.overridden[path], what)
            return
        line = next(
            (self.lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.lines), 1
        )
        self.problems.add(str(self.path), line, key_text(path), what)

    def parse(self, environment: Mapping[str, str]) -> None:
        """Read the text, the line of each key, and the settings from the environment."""
        place = str(self.path)
        try:
            text = self.path.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise Misconfigured(f"{place}: cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise Misconfigured(f"{place}: is not UTF-8 text; save it as UTF-8") from error
        try:
            self.raw = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise Misconfigured(_syntax(place, text, error)) from error
        except RecursionError as error:
            raise Misconfigured(f"{place}: lists or tables are nested too deep") from error
        self.lines = key_lines(text.replace("\r\n", "\n"))
        version = self.raw.get("version", VERSION)
        if isinstance(version, int) and version is not True and version != VERSION:
            self.wrong(("version",), f"{version} is not supported; this release reads {VERSION}")
            self.problems.stop_if_any()
        sections = {name: list(model.model_fields) for name, model in _SECTIONS.items()}
        self.overridden = override(self.raw, environment, sections, self.problems)

    def validate(self) -> Document:
        """Check the shape; the sheets are read all the same, to show their mistakes too."""
        try:
            return Document.model_validate_json(as_json(self.raw), strict=True)
        except ValidationError as error:
            schema = Document.model_json_schema()
            for one in error.errors(include_url=False):
                where = within(self.raw, one)
                self.wrong(*sharpened(where, one, schema, self.raw))
            names = listed(self.raw.get("tags", []))
            if isinstance(names, list):
                self.sheets([name for name in names if isinstance(name, str)])
            self.problems.stop_if_any()
            raise

    def console(self, document: Document, data: Path) -> ConsolePlan:
        """Check who is let in: what others reach needs accounts and TLS."""
        section = document.console
        placed = {
            name: self.path.parent / value
            for name in ("certificate", "key", "metrics_token_file")
            if (value := getattr(section, name)) is not None
        }
        plan = ConsolePlan(
            host=section.host,
            port=section.port,
            tls=bool(section.tls) or section.certificate is not None,
            certificate=placed.get("certificate"),
            key=placed.get("key"),
            names=tuple(section.names),
            accounts=None if section.accounts is None else data / section.accounts,
            idle_min=section.idle_min,
            metrics_token_file=placed.get("metrics_token_file"),
        )
        for key, what in objections(plan, data) if self.served else ():
            self.wrong(("console", key), what)
        return plan

    def models(self, document: Document) -> ModelsPlan:
        """Place the files by which models are believed beside the file; they must be there."""
        section = document.models
        said = section.model_dump()
        keys = tuple(self.path.parent / key for key in section.keys)
        root = None if section.root is None else self.path.parent / section.root
        wanted: list[tuple[KeyPath, Path]] = [
            (("models", "keys", place), key) for place, key in enumerate(keys)
        ]
        wanted += [] if root is None else [(("models", "root"), root)]
        for place, file in wanted if self.here else ():
            if not file.is_file():
                self.wrong(
                    place,
                    f"{file}: no such file; it is in the kit that `wheeltapper models init` made",
                )
        folder = None if section.folder is None else self.path.parent / section.folder
        return ModelsPlan(**(said | {"keys": keys, "root": root, "folder": folder}))

    def setpoints(self, document: Document) -> SetpointsPlan:
        """Place the files of the guard beside the file; what is signed in them it reads itself."""
        section = document.setpoints
        beside = self.path.parent
        keys = tuple(beside / key for key in section.keys)
        limits = None if section.limits is None else beside / section.limits
        wanted: list[tuple[KeyPath, Path]] = [
            (("setpoints", "keys", place), key) for place, key in enumerate(keys)
        ]
        wanted += [] if limits is None else [(("setpoints", "limits"), limits)]
        for place, file in wanted if self.here else ():
            if not file.is_file():
                self.wrong(place, f"{file}: no such file; see wheeltapper setpoints sign --help")
        access = None if section.access is None else beside / section.access
        folder = None if section.folder is None else beside / section.folder
        return SetpointsPlan(Mode(section.mode), limits, keys, access, folder, section.group)

    def proposers(
        self, document: Document, tags: list[PlacedTag], assets: tuple[Asset, ...]
    ) -> tuple[ProposerPlan, ...]:
        """Build what may ask for setpoints, with the tags and assets that it goes by."""
        if document.proposer and document.setpoints.limits is None:
            self.wrong(("proposer",), "[setpoints] names no limits: nothing could be asked for")
        if not self.sheets_whole or not self.here:
            return ()
        texts = {one.tag.name: "text" if one.tag.type is ValueType.TEXT else "" for one in tags}
        paths = [asset.path for asset in assets]
        return proposers_of(document.proposer, self.path.parent, texts, paths, self.wrong)

    def sources(self, configs: list[SourceConfig]) -> list[SourceConfig]:
        """Check the names and files of the sources, and place relative paths beside the file."""
        if not configs and self.reads:
            self.wrong(("source",), "no [[source]]: there is nothing to read")
        return self.entries("source", configs)

    def sinks(self, document: Document) -> tuple[SinkConfig, ...]:
        """Check the sinks as the sources are; the embedded history is one of them unless refused.

        Its file is below the data folder, where a person looks for it.
        """
        for number, config in enumerate(document.sink):
            if not SINK_NAME.match(config.name):
                what = f'"{config.name}" is not a name: 1 to 64 of A-Z a-z 0-9 _ - and no spaces'
                self.wrong(("sink", number, "name"), what)
        own = () if not document.history.keep else embedded(document.sink)
        return (*own, *self.entries("sink", document.sink))

    def entries(self, table: str, configs: list[Entry]) -> list[Entry]:
        """Check the names and files of the tables of one kind."""
        first: dict[str, int] = {}
        placed = []
        for number, config in enumerate(configs):
            key: KeyPath = (table, number, "name")
            if config.name in first:
                line = self.lines.get((table, first[config.name], "name"), 0)
                self.wrong(
                    key, f'"{config.name}" is already the name of the {table} in line {line}'
                )
            first.setdefault(config.name, number)
            placed.append(self.placed(config, table, number))
        return placed

    def placed(self, config: Entry, table: str, number: int) -> Entry:
        """Place relative paths beside the file and look for those that must be read."""
        paths: dict[str, Path] = {}
        for name, value in config:
            # What a sink writes lies in the data folder.
            if isinstance(value, Path) and (table, name) != ("sink", "file"):
                paths[name] = self.path.parent / value
                must_exist = self.here and (name == "file" or name.endswith("_file"))
                # A token comes with the central stack, maybe after this file.
                if must_exist and table == "source" and not paths[name].is_file():
                    self.wrong((table, number, name), f'no such file: "{value}"')
        return cast("Entry", config.model_copy(update=paths))

    def tags(self, document: Document) -> list[PlacedTag]:
        """Gather the tags of all sheets and of the ``[[tag]]`` tables."""
        found = self.sheets(document.tags)
        for number, entry in enumerate(document.tag):
            found.append(self.inline(number, entry))
        # A sheet that is named and still empty is how every plant begins.
        if self.reads and not found and not document.tags and not self.problems.found:
            self.wrong(("tags",), "no tags: name a CSV file of tags, or add [[tag]] tables")
        return found

    def sheets(self, names: list[str]) -> list[PlacedTag]:
        """Read the CSV files of tags."""
        found: list[PlacedTag] = []
        before = len(self.problems.found)
        for name in names:
            sheet = self.path.parent / name
            if sheet.is_file():
                found += read_sheet(sheet, str(sheet), self.problems)
            else:
                self.wrong(("tags",), f'no such file: "{name}"')
        self.sheets_whole = len(self.problems.found) == before
        return found

    def inline(self, number: int, entry: TagEntry) -> PlacedTag:
        """Give a ``[[tag]]`` table its place."""
        line = self.lines["tag", number, "tag"]
        return PlacedTag(entry.as_tag(), str(self.path), line, inline=number)

    def wrong_tag(self, tag: PlacedTag, column: str, what: str) -> None:
        """Note a mistake in a tag, in its sheet or in its table."""
        if tag.inline is not None:
            self.wrong(("tag", tag.inline, column), what)
        else:
            self.problems.add(tag.place, tag.line, column, what)

    def check_tags(self, tags: list[PlacedTag], sources: list[SourceConfig]) -> None:
        """Look for tags named twice, tags of no source, and addresses nobody could read."""
        by_name = {config.name: config for config in sources}
        first: dict[str, PlacedTag] = {}
        for placed in tags:
            tag = placed.tag
            twin = first.setdefault(tag.name, placed)
            if twin is not placed:
                where = f"{twin.place}:{twin.line}"
                self.wrong_tag(placed, "tag", f'"{tag.name}" is already in {where}')
            if tag.source in by_name:
                self.check_address(placed, by_name[tag.source])
            else:
                hint = nearest(tag.source, by_name)
                self.wrong_tag(placed, "source", f'no source is named "{tag.source}"{hint}')
        self.check_roles(tags)

    def check_roles(self, tags: list[PlacedTag]) -> None:
        """Look for a second mode, trigger or part of a machine: nobody would follow it."""
        first: dict[tuple[str, Role], PlacedTag] = {}
        for placed in tags:
            tag = placed.tag
            twin = first.setdefault((tag.asset, tag.role), placed)
            if twin is not placed and tag.role in ONE_AN_ASSET:
                where = f"{twin.place}:{twin.line}"
                self.wrong_tag(placed, "role", f'"{tag.asset}" has its {tag.role} from {where}')

    def check_address(self, placed: PlacedTag, config: SourceConfig) -> None:
        """Let the protocol read the address."""
        try:
            catalogue.check_addresses(config, [placed.tag])
        except Misconfigured as error:
            self.wrong_tag(placed, "address", str(error))

    def assets(self, document: Document, tags: list[PlacedTag]) -> tuple[Asset, ...]:
        """Build the assets named; without any, every machine that has signals."""
        own = [placed.tag for placed in tags]
        parents = list(dict.fromkeys(tag.asset for tag in own))
        named = [entry.path for entry in document.asset]
        twice = {path for path, count in Counter(named).items() if count > 1}
        for number, path in enumerate(named):
            key = ("asset", number, "path")
            if path in twice and number != named.index(path):
                line = self.lines["asset", named.index(path), "path"]
                self.wrong(key, f'"{path}" is already an asset in line {line}')
            if self.sheets_whole and not asset_of(path, own).signals:
                self.wrong(key, f'no tag with role signal below "{path}"{nearest(path, parents)}')
        modes = {entry.path: entry.modes.items() for entry in document.asset}
        built = (asset_of(path, own, modes.get(path, ())) for path in named or parents)
        return tuple(asset for asset in built if asset.signals)

    def alarms(self, document: Document, assets: tuple[Asset, ...]) -> AlarmPlan:
        """Build how alarms are told; a mode that suppresses has to be one of the asset's."""
        told = document.alarms.model_dump()
        low, middle, high = told.pop("priority_at")
        with_mode = {asset.path for asset in assets if asset.mode}
        suppressed = {}
        for number, entry in enumerate(document.asset):
            if entry.suppress and entry.path not in with_mode:
                key = ("asset", number, "suppress")
                self.wrong(key, f'"{entry.path}" has no tag with role mode to suppress by')
            suppressed[entry.path] = self.suppressed(number, entry)
        return AlarmPlan(
            **told,
            priority_at=(low, middle, high),
            suppressed={path: modes for path, modes in suppressed.items() if modes},
            priorities={e.path: e.priority for e in document.asset if e.priority is not None},
        )

    def cycles(self, document: Document, assets: tuple[Asset, ...]) -> dict[str, CyclePlan]:
        """Build how parts are judged; what tells them apart has to be a tag of the asset."""
        known = {asset.path: asset for asset in assets}
        found = {}
        for number, entry in enumerate(document.asset):
            asset = known.get(entry.path)
            if entry.cycle is None or asset is None:
                continue
            by = entry.cycle.by
            has = {"trigger": asset.trigger, "rising": asset.trigger, "part": asset.part}
            key: KeyPath = ("asset", number, "cycle")
            if by is None and not (asset.trigger or asset.part):
                self.wrong(key, f'"{entry.path}" has no tag with role trigger or part')
            elif by is not None and not has.get(by, True):
                role = "part" if by == "part" else "trigger"
                self.wrong((*key, "by"), f'"{entry.path}" has no tag with role {role}')
            found[entry.path] = CyclePlan(**entry.cycle.model_dump())
        return found

    def suppressed(self, number: int, entry: AssetEntry) -> frozenset[int]:
        """Give the numbers of the modes in which an asset's alarms are suppressed."""
        numbers = {name: mode for mode, name in entry.modes.items()}
        found = set()
        for word in entry.suppress:
            mode = word if isinstance(word, int) else numbers.get(word)
            if mode is None:
                hint = nearest(str(word), numbers)
                self.wrong(("asset", number, "suppress"), f'no mode is named "{word}"{hint}')
            else:
                found.add(mode)
        return frozenset(found)


def _syntax(place: str, text: str, error: tomllib.TOMLDecodeError) -> str:
    message, _, where = str(error).partition(" (at ")
    line = text.count("\n") + 1
    if where.startswith("line "):
        line = int(where.removeprefix("line ").partition(",")[0])
    return f"{place}:{line}: not TOML: {message}"
