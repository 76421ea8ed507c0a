"""The table of roles, said a second time: a slip in one of both is found."""

import pytest

from gateway.accounts.roles import RIGHTS, WORDS, Right, Role, refusal, roles_with

MAY = {
    Right.OPEN: {*Role},
    Right.MEASURE: {*Role},
    Right.READ: {*Role},
    Right.ACKNOWLEDGE: {Role.OPERATOR, Role.ENGINEER, Role.APPROVER, Role.ADMIN},
    Right.FEEDBACK: {Role.OPERATOR, Role.ENGINEER, Role.APPROVER, Role.ADMIN},
    Right.SHELVE: {Role.OPERATOR, Role.ENGINEER, Role.APPROVER, Role.ADMIN},
    Right.SUPPRESS: {Role.ENGINEER, Role.ADMIN},
    Right.ACCEPT: {Role.ENGINEER, Role.ADMIN},
    Right.MODELS: {Role.ENGINEER, Role.ADMIN},
    Right.APPROVE: {Role.APPROVER},
    Right.AUDIT: {Role.ADMIN},
}


@pytest.mark.parametrize("right", Right)
def test_roles_have_the_rights_that_are_documented(right: Right) -> None:
    assert set(roles_with(right)) == MAY[right]


def test_every_role_has_its_line() -> None:
    assert set(RIGHTS) == set(Role)


@pytest.mark.parametrize("right", sorted(set(Right) - {Right.OPEN}))
def test_every_refusal_is_a_sentence(right: Right) -> None:
    assert WORDS[right] in refusal("ana", Role.VIEWER, right)
