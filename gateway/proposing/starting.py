"""From a configuration to proposers that run; one that cannot is named, and the others go on."""

from collections.abc import Sequence
from dataclasses import dataclass

from analytics.response import read_response
from gateway.config.access import token_of
from gateway.config.plan import OptimiserPlan, Plan, ProposerPlan, RulePlan
from gateway.guard.line import GuardLine
from gateway.guard.words import folder_of
from gateway.pipeline import Pipeline
from gateway.proposing.contract import Look, Outcome, Proposer
from gateway.proposing.looks import Looks
from gateway.proposing.optimiser import Optimiser
from gateway.proposing.rule import Rule
from gateway.proposing.service import Announce, Proposing, Seat
from gateway.proposing.worker import Worker
from gateway.supervisor import Supervisor
from plant.errors import Misconfigured
from plant.setpoints import Mode, Request
from plant.tags import Tag


@dataclass
class Unready:
    """Stands for a proposer that cannot be built, and asks for nothing."""

    name: str
    tag: str
    why: str
    model: str = "none"
    version: str = "0"

    def reads(self) -> Sequence[str]:
        """Give nothing."""
        return ()

    def propose(self, _look: Look) -> Request | None:
        """Ask for nothing."""
        return None

    def heard(self, _outcome: Outcome) -> None:
        """Take no notice."""


def proposing_of(
    plan: Plan, pipeline: Pipeline, supervisor: Supervisor, announce: Announce
) -> Proposing | None:
    """Build the service of the proposers; None where there are none, or setpoints are off."""
    if not plan.proposers or plan.setpoints.mode is Mode.OFF:
        return None
    looks = Looks(
        pipeline.handles,
        pipeline.latest,
        lambda: supervisor.links,
        pipeline.book,
        [asset.path for asset in plan.assets],
    )

    def look() -> Look | None:
        found: Look | None = supervisor.contain("proposers", looks.take)
        return found

    return Proposing(seats_of(plan), look, GuardLine(folder_of(plan)), plan.data, announce)


def seats_of(plan: Plan) -> list[Seat]:
    """Build the proposers of a configuration."""
    tags = {tag.name: tag for tag in plan.tags}
    return [_seat(one, tags[one.tag]) for one in plan.proposers]


def _seat(plan: ProposerPlan, tag: Tag) -> Seat:
    token, off = "", ""
    try:
        proposer = proposer_of(plan, tag)
        token = token_of(plan.token_file)
    except Misconfigured as error:
        off = str(error)
        proposer = Unready(plan.name, plan.tag, off)
    return Seat(proposer, token, tag.unit, plan.every_s, Worker(plan.name), off=off)


def proposer_of(plan: ProposerPlan, tag: Tag) -> Proposer:
    """Build one proposer.

    Raises
    ------
    Misconfigured
        The response that it goes by cannot be read, or is one of other tags.
    """
    return Rule(plan, tag) if isinstance(plan, RulePlan) else _optimiser(plan, tag)


def _optimiser(plan: OptimiserPlan, tag: Tag) -> Optimiser:
    try:
        text = plan.response.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{plan.response}: cannot be read: {error}") from error
    response = read_response(text, str(plan.response))
    if plan.tag not in response.setpoints:
        known = ", ".join(response.setpoints)
        raise Misconfigured(f"{plan.response}: was learnt for {known}, and not for {plan.tag}")
    return Optimiser(plan, tag, response)
