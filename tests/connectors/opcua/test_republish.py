"""Taking up a subscription at a server whose answers are prepared."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_to_binary
from asyncua.ua.uaerrors import UaError, UaStatusCodeError

from connectors.opcua.republish import (
    monitored_items,
    republish,
    still_there,
    tells_items,
    transfer,
)

GONE, NO_SUBSCRIPTION, DENIED, UNSUPPORTED = 0x80280000, 0x80790000, 0x801F0000, 0x800B0000
NOT_AVAILABLE, NOTHING_TO_DO = 0x807B0000, 0x800F0000


@dataclass
class Session:
    """Answers every service with `answer`, or raises it."""

    answer: Any
    asked: list[Any] = field(default_factory=list)
    logger = logging.getLogger("test")

    async def set_publishing_mode(self, asked: Any) -> Any:
        return self._answered(asked)

    async def transfer_subscriptions(self, asked: Any) -> Any:
        return self._answered(asked)

    async def call(self, asked: Any) -> Any:
        return self._answered(asked)

    async def _send_request(self, asked: Any) -> Buffer:
        return Buffer(struct_to_binary(self._answered(asked)))

    def _answered(self, asked: Any) -> Any:
        self.asked.append(asked)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    @property
    def session(self) -> "Session":
        return self


def ask(what: Callable[..., Awaitable[Any]], session: Session, *more: int) -> Any:
    client: Any = SimpleNamespace(uaclient=session)

    async def go() -> Any:
        return await what(client, *more)

    return asyncio.run(go())


@pytest.mark.parametrize(
    ("answer", "there"),
    [
        ([ua.StatusCode(0)], True),
        ([ua.StatusCode(GONE)], False),
        (UaStatusCodeError(GONE), False),
        (UaStatusCodeError(NO_SUBSCRIPTION), False),
        (UaStatusCodeError(UNSUPPORTED), True),
    ],
)
def test_whether_a_subscription_is_still_there(answer: Any, there: bool) -> None:
    session = Session(answer)
    assert ask(still_there, session, 7) is there
    assert session.asked[0].SubscriptionIds == [7]
    assert session.asked[0].PublishingEnabled


def test_a_server_that_refuses_to_tell_raises() -> None:
    with pytest.raises(UaStatusCodeError):
        ask(still_there, Session(UaStatusCodeError(DENIED)), 7)


@pytest.mark.parametrize(
    ("answer", "available"),
    [
        ([ua.TransferResult(ua.StatusCode(0), [3, 4])], (3, 4)),
        ([ua.TransferResult(ua.StatusCode(0), None)], ()),
        ([ua.TransferResult(ua.StatusCode(DENIED), [])], None),
        (UaStatusCodeError(UNSUPPORTED), None),
    ],
)
def test_transfer(answer: Any, available: tuple[int, ...] | None) -> None:
    session = Session(answer)
    assert ask(transfer, session, 7) == available
    assert session.asked[0].SendInitialValues


@pytest.mark.parametrize(
    ("columns", "items"),
    [
        (([101, 102], [10, 11]), {10: 101, 11: 102}),
        ((None, None), {}),
        (([101], [10, 11]), None),
        (([101],), None),
    ],
)
def test_items_of_a_subscription(columns: Any, items: dict[int, int] | None) -> None:
    outputs = [SimpleNamespace(Value=column) for column in columns]
    result = SimpleNamespace(StatusCode=ua.StatusCode(0), OutputArguments=outputs)
    assert ask(monitored_items, Session([result]), 7) == items


@pytest.mark.parametrize(
    "answer",
    [
        [SimpleNamespace(StatusCode=ua.StatusCode(DENIED), OutputArguments=[])],
        UaStatusCodeError(UNSUPPORTED),
    ],
)
def test_items_that_are_not_told(answer: Any) -> None:
    assert ask(monitored_items, Session(answer), 7) is None


@pytest.mark.parametrize(
    ("answer", "tells"),
    [
        ([SimpleNamespace(StatusCode=ua.StatusCode(0), OutputArguments=[])], True),
        ([SimpleNamespace(StatusCode=ua.StatusCode(DENIED), OutputArguments=[])], True),
        ([SimpleNamespace(StatusCode=ua.StatusCode(NOTHING_TO_DO), OutputArguments=[])], False),
        (UaStatusCodeError(UNSUPPORTED), False),
    ],
)
def test_whether_items_can_be_told_before_the_subscription_is_ours(
    answer: Any, tells: bool
) -> None:
    assert ask(tells_items, Session(answer), 7) is tells


def message(sequence: int, *, empty: bool = False) -> ua.RepublishResponse:
    whole = ua.RepublishResponse()
    row = ua.MonitoredItemNotification(10, ua.DataValue(ua.Variant(1.5)))
    parts = [] if empty else [ua.DataChangeNotification([row])]
    whole.NotificationMessage = ua.NotificationMessage(
        SequenceNumber=sequence, NotificationData=parts
    )
    return whole


def again(answer: Any, sequence: int = 5) -> Any:
    uaclient: Any = Session(answer)
    return asyncio.run(republish(uaclient, 7, sequence, 2**31))


def test_a_message_is_republished() -> None:
    said = again(message(5))
    assert (said.sequence, said.handle.tolist(), said.value.tolist()) == (5, [10], [1.5])


@pytest.mark.parametrize(
    "answer",
    [
        message(6),
        message(5, empty=True),
        message(0, empty=True),
        UaStatusCodeError(NOT_AVAILABLE),
        UaStatusCodeError(UNSUPPORTED),
    ],
    ids=["another", "empty", "nothing", "not available", "never kept"],
)
def test_a_message_that_is_gone(answer: Any) -> None:
    assert again(answer) is None


def test_a_republished_message_that_cannot_be_read_is_gone() -> None:
    assert again(ua.ReadResponse()) is None


def test_a_subscription_that_is_gone_is_no_missing_message() -> None:
    with pytest.raises(UaStatusCodeError):
        again(UaStatusCodeError(GONE))
    refused = ua.RepublishResponse()
    refused.ResponseHeader.ServiceResult = ua.StatusCode(GONE)
    with pytest.raises(UaError, match="BadSubscriptionIdInvalid"):
        again(refused)
