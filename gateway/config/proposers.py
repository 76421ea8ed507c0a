"""The ``[[proposer]]`` tables: what may ask for setpoints within a gateway."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from gateway.config.lines import KeyPath
from gateway.config.plan import OptimiserPlan, ProposerPlan, RulePlan
from gateway.config.problems import nearest
from gateway.guard.policy import Condition, condition
from plant.setpoints import LONGEST_S

Wrong = Callable[[KeyPath, str], None]
PREFIX = "proposer"


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: Annotated[
        str, Field(min_length=1, max_length=64, description="As the signed limits know it")
    ]
    token_file: Annotated[
        Path, Field(description="File whose first line is its token; its sum is in the limits")
    ]
    tag: Annotated[str, Field(description="The setpoint that it may ask for")]
    every_s: Annotated[float, Field(ge=1, le=3600, description="Looks so often, s")] = 1.0
    fresh_s: Annotated[
        float, Field(gt=0, le=3600, description="Age of what it goes by at most, s")
    ] = 5.0
    valid_s: Annotated[
        float, Field(ge=1, le=LONGEST_S, description="A request waits so long for people, s")
    ] = LONGEST_S


class RuleEntry(_Entry):
    """Asks while an alarm stands or a condition holds."""

    kind: Literal["rule"]
    alarm: Annotated[str, Field(description="Asset whose alarm has to stand")] = ""
    priority: Annotated[int, Field(ge=1, le=4, description="Of that priority or more urgent")] = 4
    culprit: Annotated[
        str, Field(description="Tag that has to be among what makes up the alarm's score")
    ] = ""
    when: Annotated[
        str, Field(description="tag operator number, joined by and, or; has to hold as well")
    ] = ""
    value: Annotated[float | None, Field(description="Asks for this value")] = None
    change: Annotated[float | None, Field(description="Or for so much more; less: -2.5")] = None
    change_percent: Annotated[
        float | None, Field(ge=-100, le=100, description="Or for so many per cent more; less: -5")
    ] = None
    for_s: Annotated[
        float, Field(ge=0, le=86_400, description="Applies, or no longer does, for so long, s")
    ] = 0.0
    repeat_s: Annotated[
        float, Field(ge=0, le=86_400, description="Asks again so often while it applies; 0: once")
    ] = 0.0
    back: Annotated[bool, Field(description="Asks for the value before once it is over")] = False
    effect: Annotated[
        str, Field(max_length=300, description="What is expected, for whoever approves")
    ] = ""

    @field_validator("when")
    @classmethod
    def _grammar(cls, when: str) -> str:
        if when:
            condition(when)
        return when

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not self.alarm and not self.when:
            raise ValueError("alarm: is missing, and so is when: it would never ask, or always")
        if self.culprit and not self.alarm:
            raise ValueError("culprit: says of which alarm? name its asset: alarm = …")
        asked = [self.value, self.change, self.change_percent]
        if sum(one is not None for one in asked) != 1:
            raise ValueError("value: give one of value, change, change_percent")
        if 0 in (self.change, self.change_percent):
            which = "change" if self.change == 0 else "change_percent"
            raise ValueError(f"{which}: 0 would change nothing")
        if 0 < self.repeat_s < 10:
            raise ValueError(f"repeat_s: {self.repeat_s:g} is less than 10 s: nobody could follow")
        if self.back and self.repeat_s and self.value is None:
            raise ValueError(
                "back: only the last of several steps would be taken back; leave out repeat_s"
            )
        return self


class OptimiserEntry(_Entry):
    """Asks for steps towards an aim, by a response that was learnt from the history."""

    kind: Literal["optimiser"]
    response: Annotated[
        Path, Field(description="What `wheeltapper setpoints learn` wrote, beside this file")
    ]
    aim: Annotated[
        Literal["minimise", "maximise", "hold"], Field(description="What the effect is to be")
    ]
    target: Annotated[float | None, Field(description="With hold: at which value")] = None
    max_step: Annotated[float, Field(gt=0, description="Of the setpoint at most, in its unit")]
    pause_s: Annotated[
        float, Field(ge=10, le=86_400, description="Between two requests, s: the plant answers")
    ] = 600.0
    every_s: Annotated[float, Field(ge=1, le=3600, description="Looks so often, s")] = 10.0

    @model_validator(mode="after")
    def _aimed(self) -> Self:
        if (self.aim == "hold") != (self.target is not None):
            what = "is missing: hold at what?" if self.aim == "hold" else f"is not for {self.aim}"
            raise ValueError(f"target: {what}")
        return self


ProposerEntry = Annotated[RuleEntry | OptimiserEntry, Field(discriminator="kind")]


def proposers_of(
    entries: Sequence[RuleEntry | OptimiserEntry],
    beside: Path,
    tags: Mapping[str, str],
    assets: Sequence[str],
    wrong: Wrong,
) -> tuple[ProposerPlan, ...]:
    """Build the plans of the proposers.

    Parameters
    ----------
    entries
        As they stand in the file.
    beside
        Folder of that file.
    tags
        Names of the tags, with the type that makes each no number, or nothing.
    assets
        Paths of the assets that are judged.
    wrong
        Told of each mistake.
    """
    names = [entry.name for entry in entries]
    made = []
    for number, entry in enumerate(entries):
        key: KeyPath = (PREFIX, number)
        if entry.name in names[:number]:
            wrong((*key, "name"), f'"{entry.name}" is there twice')
        token_file = beside / entry.token_file
        if not token_file.is_file():
            what = f"{token_file}: no such file; make one: openssl rand -hex 32 > {token_file.name}"
            wrong((*key, "token_file"), what)
        made.append(
            _rule(entry, token_file)
            if isinstance(entry, RuleEntry)
            else _optimiser(entry, token_file, beside, partial(_at, wrong, key))
        )
        for at, tag in _named(entry):
            if tag not in tags:
                wrong((*key, at), f'"{tag}" is no tag of the configuration{nearest(tag, tags)}')
            elif tags[tag]:
                wrong((*key, at), f'"{tag}" is a {tags[tag]}, and no number')
        if isinstance(entry, RuleEntry) and entry.alarm and entry.alarm not in assets:
            hint = nearest(entry.alarm, assets)
            wrong((*key, "alarm"), f'"{entry.alarm}" is no asset of the configuration{hint}')
    return tuple(made)


def _at(wrong: Wrong, key: KeyPath, name: str, what: str) -> None:
    wrong((*key, name), what)


def _named(entry: RuleEntry | OptimiserEntry) -> list[tuple[str, str]]:
    found = [("tag", entry.tag)]
    if isinstance(entry, RuleEntry):
        found += [("culprit", entry.culprit)] if entry.culprit else []
        found += [("when", term.tag) for part in _condition(entry) for term in part]
    return found


def _condition(entry: RuleEntry) -> Condition:
    return condition(entry.when) if entry.when else ()


def _rule(entry: RuleEntry, token_file: Path) -> RulePlan:
    said = entry.model_dump(exclude={"kind", "token_file", "when"})
    return RulePlan(**said, token_file=token_file, when=_condition(entry))


def _optimiser(
    entry: OptimiserEntry, token_file: Path, beside: Path, wrong: Callable[[str, str], None]
) -> OptimiserPlan:
    response = beside / entry.response
    if not response.is_file():
        wrong("response", f"{response}: no such file; see wheeltapper setpoints learn --help")
    said = entry.model_dump(exclude={"kind", "token_file", "response"})
    return OptimiserPlan(**said, token_file=token_file, response=response)
