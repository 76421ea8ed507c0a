"""Passwords: what one has to be (NIST SP 800-63B-4 §3.1.1), and how it is kept (RFC 9106)."""

import os
import re
import unicodedata
from base64 import b64encode
from dataclasses import dataclass

from plant.errors import Rejected

SHORTEST, LONGEST = 12, 256
"""Characters."""
_COMMON = frozenset(
    {
        "123456789012", "1234567890123", "12345678901234", "123456789123", "administrator",
        "administrator1", "changemeplease", "changemenow1", "iloveyou1234", "letmeinplease",
        "password1234", "password12345", "passwordpassword", "password123!", "qwertyuiop12",
        "qwertyuiop123", "qwertyuiopasdf", "welcome12345", "wheeltapper1", "wheeltapper12",
        "wheeltapper123",
    }
)  # fmt: skip
"""What is tried first. Composition is not asked for: it makes people write Password123!"""
_PHC = re.compile(
    r"\$argon2id\$v=19\$m=(?P<memory>\d{1,9}),t=(?P<passes>\d{1,4}),p=(?P<lanes>\d{1,3})"
    r"\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{16,86}"
)
_MOST_KIB = 1 << 20
_SALT, _DIGEST = 16, 32


@dataclass(frozen=True, slots=True)
class Cost:
    """What one guess costs: memory, KiB; passes over it; lanes in it.

    The default is the second choice of RFC 9106 §4, for machines with little memory: 64 MiB for a
    third of a second of one core, measured on x86-64.
    """

    memory: int = 65_536
    passes: int = 3
    lanes: int = 4


def objection(password: str, name: str) -> str:
    """Say why a password will not do for an account; empty when it will.

    Examples
    --------
    >>> objection("short", "ana")
    'a password has 12 characters or more; a few words in a row are easy to keep in mind'
    >>> objection("oil pump by the north door", "ana")
    ''
    """
    plain = _plain(password).casefold()
    if len(plain) < SHORTEST:
        return (
            f"a password has {SHORTEST} characters or more; a few words in a row are easy to keep "
            "in mind"
        )
    if len(plain) > LONGEST:
        return f"a password has {LONGEST} characters at most"
    if plain.replace(name.casefold(), "") == "":
        return "a password is not the name"
    if plain in _COMMON or len(set(plain)) == 1:
        return "this password is one of the first that are tried; take another"
    if any(unicodedata.category(one) == "Cc" for one in plain):
        return "a password holds no control characters"
    return ""


def hashed(password: str, cost: Cost = Cost()) -> str:
    """Hash a password with a salt of its own, as a PHC string; blocks for the time of `cost`."""
    # Every command reads a configuration, and few of them hash.
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    kept = Argon2id(
        salt=os.urandom(_SALT),
        length=_DIGEST,
        iterations=cost.passes,
        lanes=cost.lanes,
        memory_cost=cost.memory,
    ).derive_phc_encoded(_plain(password).encode())
    return str(kept)


def matches(password: str, kept: str) -> bool:
    """Tell whether a password is the one that was hashed; blocks for the time of its cost."""
    from cryptography.exceptions import InvalidKey
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    try:
        Argon2id.verify_phc_encoded(_plain(password).encode(), kept)
    except InvalidKey:
        return False
    return True


def cost_of(kept: str) -> Cost:
    """Read what a guess at a hash costs.

    Raises
    ------
    Rejected
        It is no Argon2id hash, or one that would cost this machine more than 1 GiB.
    """
    found = _PHC.fullmatch(kept)
    if found is None:
        raise Rejected("is no Argon2id hash")
    cost = Cost(*(int(found[part]) for part in ("memory", "passes", "lanes")))
    fits = 1 <= cost.lanes <= cost.memory // 8 and cost.memory <= _MOST_KIB and cost.passes
    if not fits:
        raise Rejected(f"asks for {cost.memory} KiB, {cost.passes} passes and {cost.lanes} lanes")
    return cost


def unmatched(cost: Cost) -> str:
    """Make a hash that no password matches; a guess at it takes as long as at any other."""
    salt, digest = (b64encode(os.urandom(size)).decode().rstrip("=") for size in (_SALT, _DIGEST))
    return f"$argon2id$v=19$m={cost.memory},t={cost.passes},p={cost.lanes}${salt}${digest}"


def _plain(password: str) -> str:
    """Write one password one way, whatever keyboard it comes from (NIST SP 800-63B-4 §3.1.1.2)."""
    return unicodedata.normalize("NFKC", password)
