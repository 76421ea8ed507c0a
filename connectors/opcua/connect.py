"""The only place that builds an OPC UA client.

As shipped the client trusts any server and sends a password in clear when a server asks for it so.
Here the trust folder decides; what the server shows before the secure channel stands only picks
the endpoint.
"""

import asyncio
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from asyncua import ua
from asyncua.client.client import Client
from asyncua.common.shortcuts import Shortcuts
from asyncua.crypto import security_policies, uacrypto
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from connectors.opcua.config import OpcUaConfig
from connectors.opcua.plain import plain
from connectors.opcua.refusals import FAILURES, Attempt, Step, explained
from connectors.opcua.security.certificates import read_trust_list
from connectors.opcua.security.identity import Identity, application_uri, own_identity
from connectors.opcua.security.trust import LONGEST_CHAIN, Expected, check_server
from connectors.opcua.session import KeptSession, open_session
from connectors.opcua.transport import BoundedUaClient, abort
from plant.errors import Misconfigured

SESSION_MS = 60_000
CHANNEL_MS = 3_600_000
LEAVING_S = 1.5
SHORTEST_KEYS_S = 1.0
"""Least time from one renewal of the keys to the next, whatever the server grants, s."""
_POLICIES: dict[str, type[security_policies.SecurityPolicy]] = {
    "Basic256Sha256": security_policies.SecurityPolicyBasic256Sha256,
    "Aes128_Sha256_RsaOaep": security_policies.SecurityPolicyAes128Sha256RsaOaep,
    "Aes256_Sha256_RsaPss": security_policies.SecurityPolicyAes256Sha256RsaPss,
}


async def connect_secure(config: OpcUaConfig, kept: KeptSession | None = None) -> Client:
    """Connect, open a session and sign in.

    Parameters
    ----------
    kept
        The session of an earlier connection, taken up again where the server still has it; says
        afterwards which session there is, also when connecting failed.

    Returns
    -------
    asyncua.Client
        Ready for services; close it with `leave`.

    Raises
    ------
    Unreachable
        The server does not answer, or not now.
    Misconfigured
        Certificates, security policy or password do not fit; the message says which side has to
        do what.
    """
    client = _new_client(config)
    attempt = Attempt(config)
    try:
        if config.security != "none":
            attempt.step = Step.ENDPOINTS
            attempt.identity = await _secure(client, config)
        attempt.step = Step.CHANNEL
        await client.connect_socket()
        await client.send_hello()
        await client.open_secure_channel()
        attempt.step = Step.SESSION
        await open_session(client, config, KeptSession() if kept is None else kept)
    except FAILURES as error:
        abort(client.uaclient)
        raise explained(error, attempt) from error
    except BaseException:
        abort(client.uaclient)
        raise
    return client


async def leave(client: Client) -> None:
    """Close session and channel politely for a moment, then drop the connection; never raise."""
    try:
        async with asyncio.timeout(LEAVING_S):
            await client.close_session()
            await client.close_secure_channel()
    except FAILURES as error:
        client.uaclient.logger.info("session not closed in order: %r", error)
    finally:
        abort(client.uaclient)


async def renew_channel(client: Client) -> None:
    """Keep the secure channel's keys fresh until cancelled (OPC 10000-4 §5.5.2: at 75 %)."""
    while True:
        # A server that lets keys live for a moment only would keep us busy with making new ones.
        await asyncio.sleep(max(SHORTEST_KEYS_S, 0.75 * client.secure_channel_timeout / 1000))
        await client.open_secure_channel(renew=True)
        client.uaclient.revolve_security_token()


def _new_client(config: OpcUaConfig) -> Client:
    client = Client(config.url, timeout=config.timeout_s)
    client.uaclient = BoundedUaClient(config.timeout_s)
    client.nodes = Shortcuts(client.uaclient.session)
    client.name = client.description = f"Wheeltapper {config.name}"
    client.application_uri, client.product_uri = application_uri(), "urn:wheeltapper"
    client.session_timeout = SESSION_MS
    client.secure_channel_timeout = CHANNEL_MS
    return client


async def _secure(client: Client, config: OpcUaConfig) -> Identity:
    folder = config.trust
    if folder is None:
        raise Misconfigured(f"{config.name}: trust is not set; name the folder of certificates")
    trust = await asyncio.to_thread(read_trust_list, folder)
    identity = await asyncio.to_thread(own_identity, config, folder)
    client.application_uri = identity.uri
    endpoint = _endpoint(await client.connect_and_get_server_endpoints(), config)
    certificate, *presented = _certificates(endpoint, config)
    expected = Expected(
        config.name,
        config.certificate_host or str(client.server_url.hostname),
        str(endpoint.Server.ApplicationUri),
        config.server_thumbprint,
    )
    check = partial(check_server, certificate, expected, trust, datetime.now(UTC), presented)
    await asyncio.to_thread(check)
    await client.set_security(
        _POLICIES[config.security],
        _content(identity.certificate),
        _content(identity.key),
        server_certificate=uacrypto.CertProperties(certificate.public_bytes(Encoding.DER), "der"),
        mode=ua.MessageSecurityMode[config.mode],
    )
    return identity


def _endpoint(
    endpoints: list[ua.EndpointDescription], config: OpcUaConfig
) -> ua.EndpointDescription:
    wanted = _POLICIES[config.security].URI, ua.MessageSecurityMode[config.mode]
    binary = [each for each in endpoints if str(each.EndpointUrl).startswith("opc.tcp:")]
    for endpoint in binary:
        if (endpoint.SecurityPolicyUri, endpoint.SecurityMode) == wanted:
            return endpoint
    offered = sorted(
        {
            f"{str(each.SecurityPolicyUri).rpartition('#')[2]}/{each.SecurityMode.name}"
            for each in binary
        }
    )
    raise Misconfigured(
        f"{config.name}: the server does not offer {config.security} with {config.mode}, only "
        f"{plain(', '.join(offered)) or 'nothing'}; enable it at the server or set security and "
        "mode to what it offers"
    )


def _certificates(endpoint: ua.EndpointDescription, config: OpcUaConfig) -> list[x509.Certificate]:
    """Read what the server shows: its own certificate first, then perhaps those of its issuers."""
    rest = bytes(endpoint.ServerCertificate or b"")
    shown: list[x509.Certificate] = []
    try:
        while not shown or (rest and len(shown) < LONGEST_CHAIN):
            size = int.from_bytes(rest[2:4], "big") + 4
            shown.append(x509.load_der_x509_certificate(rest[:size]))
            rest = rest[size:]
    except (ValueError, x509.InvalidVersion) as error:
        # Behind a readable one anything may follow: it only helps to find the issuer.
        if not shown:
            raise Misconfigured(
                f"{config.name}: the server shows no readable certificate ({plain(str(error))}); "
                "give it one"
            ) from error
    return shown


def _content(path: Path) -> uacrypto.CertProperties:
    content = path.read_bytes()
    return uacrypto.CertProperties(content, "pem" if content.lstrip()[:5] == b"-----" else "der")
