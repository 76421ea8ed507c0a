"""Taking a subscription up again: is it there, is it ours, what did we miss (§5.14.6, §5.14.7)."""

import time
from functools import partial
from typing import Any

from asyncua import ua
from asyncua.client.client import Client
from asyncua.client.ua_client import UaClient
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaError, UaStatusCodeError

from connectors.opcua.decode import Published, decode_republish, decoded
from plant.errors import Rejected
from plant.quality import Status

_SERVER = ua.NodeId(ua.Int32(2253), ua.Int16(0))
_GET_MONITORED_ITEMS = ua.NodeId(ua.Int32(11492), ua.Int16(0))
_WITHOUT = {
    StatusCodes.BadServiceUnsupported,
    StatusCodes.BadNotImplemented,
    StatusCodes.BadNotSupported,
}
"""The server does not know the service at all."""
_NO_METHOD = _WITHOUT | {
    StatusCodes.BadMethodInvalid,
    StatusCodes.BadNodeIdUnknown,
    StatusCodes.BadNotExecutable,
    StatusCodes.BadNothingToDo,
}
_GONE = {StatusCodes.BadSubscriptionIdInvalid, StatusCodes.BadNoSubscription}


async def still_there(client: Client, subscription: int) -> bool:
    """Tell whether this session has the subscription; switches its publishing on.

    Raises
    ------
    UaError, OSError, TimeoutError
        The server refuses, or the link is lost.
    """
    try:
        (result,) = await client.uaclient.session.set_publishing_mode(
            ua.SetPublishingModeParameters(
                PublishingEnabled=True, SubscriptionIds=[ua.IntegerId(subscription)]
            )
        )
    except UaStatusCodeError as error:
        if error.code in _GONE:
            return False
        if error.code in _WITHOUT:
            # The answer to the first Publish will tell.
            return True
        raise
    return result.value not in _GONE


async def transfer(client: Client, subscription: int) -> tuple[int, ...] | None:
    """Move the subscription of an ended or lost session to this one, and have present values sent.

    Returns
    -------
    tuple[int, ...] | None
        Numbers of the messages that the server would still republish; None if it does not let us.

    Raises
    ------
    UaError, OSError, TimeoutError
        The link is lost.
    """
    try:
        (result,) = await client.uaclient.session.transfer_subscriptions(
            ua.TransferSubscriptionsParameters(
                SubscriptionIds=[ua.IntegerId(subscription)], SendInitialValues=True
            )
        )
    except UaStatusCodeError as error:
        client.uaclient.logger.info("subscription %d is not transferred: %r", subscription, error)
        return None
    if not result.StatusCode.is_good():
        return None
    return tuple(int(number) for number in result.AvailableSequenceNumbers or ())


async def tells_items(client: Client, subscription: int) -> bool:
    """Tell whether the server has `GetMonitoredItems`, whosever the subscription is now."""
    status, _ = await _items(client, subscription)
    return status not in _NO_METHOD


async def monitored_items(client: Client, subscription: int) -> dict[int, int] | None:
    """Ask for the items of a subscription: their numbers by client handle; None if refused."""
    status, columns = await _items(client, subscription)
    if status >= Status.BAD or len(columns) != 2:
        return None
    servers, clients = (column or [] for column in columns)
    return dict(zip(clients, servers, strict=True)) if len(servers) == len(clients) else None


async def _items(client: Client, subscription: int) -> tuple[int, list[Any]]:
    """Call `GetMonitoredItems`; give the status and what came out (OPC 10000-5 §9.1)."""
    request = ua.CallMethodRequest(
        ObjectId=_SERVER,
        MethodId=_GET_MONITORED_ITEMS,
        InputArguments=[ua.Variant(subscription, ua.VariantType.UInt32)],
    )
    try:
        (result,) = await client.uaclient.call([request])
    except UaStatusCodeError as error:
        client.uaclient.logger.info("items of %d are not told: %r", subscription, error)
        return error.code, []
    return result.StatusCode.value, [one.Value for one in result.OutputArguments or ()]


async def republish(
    uaclient: UaClient, subscription: int, sequence: int, texts_from: int
) -> Published | None:
    """Ask for one message again.

    Returns
    -------
    Published | None
        The message; None where the server does not have it any more, or it cannot be read.

    Raises
    ------
    UaError, OSError, TimeoutError
        The server refuses, or the link is lost.
    """
    request = ua.RepublishRequest()
    request.Parameters.SubscriptionId = ua.IntegerId(subscription)
    request.Parameters.RetransmitSequenceNumber = ua.Counter(sequence)
    try:
        data = await uaclient._send_request(request)
        read = partial(decode_republish, now=time.time_ns(), texts_from=texts_from)
        said = await decoded(read, bytes(data))
    except UaStatusCodeError as error:
        if error.code == StatusCodes.BadMessageNotAvailable or error.code in _WITHOUT:
            return None
        raise
    except Rejected as error:
        uaclient.logger.info("message %d cannot be read, republished or not: %s", sequence, error)
        return None
    if said.service >= Status.BAD:
        raise UaError(f"Republish is refused: {ua.StatusCode(ua.UInt32(said.service)).name}")
    # Some servers answer with another message, or an empty one, in place of a fault.
    return said if said.sequence == sequence and not said.keep_alive else None
