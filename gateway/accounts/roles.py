"""Which role may do what: the one table, read by the API, the pages, the commands and the tests."""

from enum import StrEnum


class Right(StrEnum):
    """What an endpoint asks of whoever calls it."""

    OPEN = "open"
    """Needs nobody: the way in, and files without data of the plant."""
    MEASURE = "measure"
    """Health and figures, for the programs that watch the gateway."""
    READ = "read"
    ACKNOWLEDGE = "acknowledge"
    FEEDBACK = "feedback"
    """Say what an alarm or a part turned out to be."""
    SHELVE = "shelve"
    SUPPRESS = "suppress"
    """Suppress by design, take out of service, and end either."""
    ACCEPT = "accept"
    """Have something learnt as normal, and believe an instrument again."""
    MODELS = "models"
    """Put a model into force, take it back, or have none of it."""
    APPROVE = "approve"
    """Approve or reject a setpoint, unlock one, end a stop; the guard asks for the password too."""
    AUDIT = "audit"


class Role(StrEnum):
    """What a person is here to do; each account has one."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ENGINEER = "engineer"
    APPROVER = "approver"
    ADMIN = "admin"


_VIEWER = frozenset({Right.OPEN, Right.MEASURE, Right.READ})
_OPERATOR = _VIEWER | {Right.ACKNOWLEDGE, Right.FEEDBACK, Right.SHELVE}
_ENGINEER = _OPERATOR | {Right.SUPPRESS, Right.ACCEPT, Right.MODELS}

RIGHTS: dict[Role, frozenset[Right]] = {
    Role.VIEWER: _VIEWER,
    Role.OPERATOR: _OPERATOR,
    Role.ENGINEER: _ENGINEER,
    # Whoever proposes a setpoint is an engineer; four eyes are two roles.
    Role.APPROVER: _OPERATOR | {Right.APPROVE},
    # Who makes accounts can make himself one; to keep work from him would be for show.
    Role.ADMIN: _ENGINEER | {Right.AUDIT},
}
EVERYTHING = frozenset(Right)

WORDS = {
    Right.MEASURE: "read figures",
    Right.READ: "read",
    Right.ACKNOWLEDGE: "acknowledge alarms",
    Right.FEEDBACK: "say what an alarm or a part was",
    Right.SHELVE: "shelve alarms",
    Right.SUPPRESS: "suppress alarms or take them out of service",
    Right.ACCEPT: "have a new normal learnt",
    Right.MODELS: "say which model is in force",
    Right.APPROVE: "approve setpoints",
    Right.AUDIT: "see the audit",
}


def roles_with(right: Right) -> list[Role]:
    """Give the roles that have a right.

    Examples
    --------
    >>> [str(role) for role in roles_with(Right.SUPPRESS)]
    ['engineer', 'admin']
    """
    return [role for role, rights in RIGHTS.items() if right in rights]


def refusal(name: str, role: Role, right: Right) -> str:
    """Say why somebody may not.

    Examples
    --------
    >>> refusal("ana", Role.VIEWER, Right.SUPPRESS)
    'ana is viewer; only engineer or admin may suppress alarms or take them out of service.'
    """
    *others, last = roles_with(right)
    able = f"{', '.join(others)} or {last}" if others else last
    return f"{name} is {role}; only {able} may {WORDS[right]}."
