"""Sessions: who is logged in, kept in memory, ended by the monotonic clock."""

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.accounts.register import Account
from gateway.accounts.roles import Role

LONGEST_S = 12 * 3600.0
"""A session of somebody who may change something: a shift and its overlap."""
PANEL_S = 30 * 86_400.0
"""A viewer's: a panel on a wall shall not go dark in the night, and can change nothing."""
MOST = 500
MOST_EACH = 20
"""Sessions of one account; the one unused for longest makes room."""
ID_BYTES = 32


@dataclass(slots=True)
class Session:
    """One browser that has logged in; times are monotonic, s."""

    account: Account = field(repr=False)
    """As it was at the login: with another password the session is over."""
    address: str
    begun: float
    touched: float


class Sessions:
    """All sessions.

    Parameters
    ----------
    idle_s
        Time without a hand on it after which a session ends; 0: never. A viewer's never does.
    clock
        Monotonic time, s.
    """

    def __init__(self, idle_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._idle_s = idle_s
        self._clock = clock
        self._kept: dict[str, Session] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def begin(self, account: Account, address: str) -> str:
        """Begin a session and give its id: 256 random bits, of which only a digest is kept."""
        own = [key for key, one in self._kept.items() if one.account.name == account.name]
        for crowded, most in ((own, MOST_EACH), (list(self._kept), MOST)):
            if len(crowded) >= most:
                self._kept.pop(min(crowded, key=lambda key: self._kept[key].touched), None)
        made, now = secrets.token_urlsafe(ID_BYTES), self._clock()
        self._kept[_digest(made)] = Session(account, address, now, now)
        return made

    def find(self, key: str) -> Session | None:
        """Find the session of an id; one that is over stays to be told of, see `over`."""
        return self._kept.get(_digest(key))

    def over(self, session: Session, account: Account | None) -> str:
        """Say why a session is over; empty while it is not.

        Parameters
        ----------
        account
            The account as it is now; None when it is gone.
        """
        if account is None or not account.enabled:
            return "the account is removed or disabled"
        if account.password != session.account.password:
            return "the password was changed"
        now, panel = self._clock(), account.role is Role.VIEWER
        if now - session.begun >= (PANEL_S if panel else LONGEST_S):
            return "it has lasted its time"
        if self._idle_s and not panel and now - session.touched >= self._idle_s:
            return "nobody was at it"
        return ""

    def touch(self, session: Session) -> None:
        """Note that somebody is at it."""
        session.touched = self._clock()

    def renew(self, session: Session, account: Account) -> None:
        """Go on with a session whose account has another password now."""
        session.account = account

    def end(self, key: str) -> Session | None:
        """End a session; give it if it was one."""
        return self._kept.pop(_digest(key), None)

    def sweep(self, account: Callable[[str], Account | None]) -> list[tuple[Session, str]]:
        """End those that are over, and give them with the reason."""
        ended = []
        for key, session in list(self._kept.items()):
            why = self.over(session, account(session.account.name))
            if why:
                del self._kept[key]
                ended.append((session, why))
        return ended


def lifetime(role: Role) -> float:
    """Give the longest time for which a session of a role lasts, s."""
    return PANEL_S if role is Role.VIEWER else LONGEST_S


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
