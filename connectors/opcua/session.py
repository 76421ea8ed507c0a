"""Sessions: created, activated, and taken up again on another connection (OPC 10000-4 §5.7, §6.7).

A lost connection does not end its session. `KeptSession` holds what a new connection needs to
activate the same session again, so that a link that comes and goes leaves no sessions behind.
"""

import asyncio
from dataclasses import dataclass, field

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.uaerrors import UaStatusCodeError

from connectors.opcua.config import OpcUaConfig
from connectors.opcua.refusals import FAILURES
from connectors.opcua.security.users import Credentials, read_credentials, sign_in

CLOSING_S = 1.0


@dataclass(slots=True)
class KeptSession:
    """The one session of a source at its server, over any number of connections.

    Parameters
    ----------
    token
        Authentication token; None while there is no session. A secret: never written down.
    nonce
        What the next activation has to sign.
    policies
        User identity tokens that the endpoint takes.
    """

    token: ua.NodeId | None = field(default=None, repr=False)
    nonce: bytes | None = field(default=None, repr=False)
    policies: list[ua.UserTokenPolicy] = field(default_factory=list, repr=False)

    def forget(self) -> None:
        """Take note that there is no session any more."""
        self.token = self.nonce = None


async def open_session(client: Client, config: OpcUaConfig, kept: KeptSession) -> bool:
    """Activate the kept session on this connection; create one where there is none.

    Parameters
    ----------
    client
        Connected, with an open secure channel.
    kept
        Brought up to date at each step, so that whatever fails here leaves no session unknown.

    Returns
    -------
    bool
        Whether the kept session goes on; its subscriptions do so too.

    Raises
    ------
    Misconfigured
        The user's password, certificate or key cannot be read, or the server takes no such user.
    UaError, OSError, TimeoutError
        The server refuses, or the link is lost.
    """
    credentials = await asyncio.to_thread(read_credentials, config)
    if await _activated_again(client, config, credentials, kept):
        return True
    kept.forget()
    created = await client.create_session()
    kept.token, kept.nonce = created.AuthenticationToken, client._server_nonce
    kept.policies = list(client._policy_ids or ())
    try:
        await sign_in(client, config, credentials)
    except (OSError, TimeoutError):
        raise
    except BaseException:
        await close_session(client, kept)
        raise
    kept.nonce = client._server_nonce
    return False


async def renew_session(client: Client, config: OpcUaConfig, kept: KeptSession) -> None:
    """End the session with all its subscriptions, and open another one on the same connection.

    Raises
    ------
    UaError, OSError, TimeoutError
        The server refuses, or the link is lost.
    """
    await close_session(client, kept)
    kept.forget()
    await open_session(client, config, kept)


async def close_session(client: Client, kept: KeptSession) -> bool:
    """End the session and its subscriptions, politely for a moment; tell whether it is gone."""
    protocol = client.uaclient.protocol
    if protocol is None or protocol.transport is None:
        return False
    try:
        async with asyncio.timeout(CLOSING_S):
            await client.close_session()
    except FAILURES as error:
        client.uaclient.logger.info("session not closed in order: %r", error)
        return False
    kept.forget()
    return True


async def _activated_again(
    client: Client, config: OpcUaConfig, credentials: Credentials, kept: KeptSession
) -> bool:
    if kept.token is None:
        return False
    session = client.uaclient.session
    session.restore_authentication_token(kept.token)
    client._server_nonce = kept.nonce  # type: ignore[assignment]  # None is inferred
    client._policy_ids = kept.policies
    try:
        await sign_in(client, config, credentials)
    except UaStatusCodeError as error:
        client.uaclient.logger.info("the kept session cannot be activated again: %r", error)
        session.reset_authentication_token()
        return False
    kept.nonce = client._server_nonce
    return True
