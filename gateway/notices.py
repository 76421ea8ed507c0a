"""What a person has to be told of a source that still delivers: late data, old certificates."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gateway.journal import JSON
from gateway.link import LinkState
from gateway.supervisor import Supervisor

OVERDUE_S = 5.0
"""Data that is later than this, beyond what its clock explains, comes too late, s."""
STEADY_S = 3.0
"""For so long, s; and the end of it is told after as long."""
EXPIRY_DAYS = 30.0
DAY_S = 86_400.0
CONSOLE = "[console]"
"""Named as no source can be."""

Notice = tuple[str, dict[str, JSON]]


@dataclass(slots=True)
class _Lateness:
    late: bool = False
    turned: float | None = None


@dataclass(slots=True)
class Notices:
    """Watches the links of a supervisor; `look` once a second.

    Attributes
    ----------
    overdue
        Sources whose data comes too late, with a sentence.
    expiring
        Sources with a certificate that is out of date or soon will be, with a sentence; so with
        the console.
    console_days
        Gives the days for which the console's own certificate holds; None: it has none.
    """

    supervisor: Supervisor
    overdue: dict[str, str] = field(default_factory=dict)
    expiring: dict[str, str] = field(default_factory=dict)
    console_days: Callable[[], float | None] = lambda: None
    _lateness: dict[str, _Lateness] = field(default_factory=dict)
    _told: dict[str, float] = field(default_factory=dict)

    def look(self) -> Sequence[Notice]:
        """Give what is new, as the kind of an event and its body."""
        now = time.monotonic()
        found = list(self._certificate(CONSOLE, self.console_days(), now))
        for name in self.supervisor.links:
            facts = self.supervisor.facts(name)
            days = facts.certificate_days if facts else None
            found += [*self._age(name, now), *self._certificate(name, days, now)]
        return found

    def _age(self, name: str, now: float) -> Sequence[Notice]:
        link = self.supervisor.links[name]
        age = link.overdue_s() if link.state is LinkState.UP else 0.0
        known = self._lateness.setdefault(name, _Lateness())
        late = age > OVERDUE_S
        if known.late and late:
            self.overdue[name] = _late_words(age)
        if late is known.late:
            known.turned = None
            return []
        known.turned = known.turned or now
        if now - known.turned < STEADY_S:
            return []
        known.late, known.turned = late, None
        if late:
            self.overdue[name] = _late_words(age)
        else:
            del self.overdue[name]
        return [("overload", {"source": name, "late": late, "age_s": round(age, 1)})]

    def _certificate(self, name: str, days: float | None, now: float) -> Sequence[Notice]:
        if days is None or days >= EXPIRY_DAYS:
            self.expiring.pop(name, None)
            return []
        self.expiring[name] = _expiry_words(days)
        if now - self._told.get(name, -DAY_S) < DAY_S:
            return []
        self._told[name] = now
        return [("certificate", {"source": name, "days": days, "why": self.expiring[name]})]


def _late_words(age: float) -> str:
    return f"data comes {age:.0f} s late: this gateway or the server cannot keep up"


def _expiry_words(days: float) -> str:
    if days < 0:
        return f"a certificate has been out of date for {-days:.0f} days; renew it"
    return f"a certificate is out of date in {days:.0f} days; renew it before"
