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
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaError, UaStatusCodeError
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from connectors.opcua.certificates import read_trust_list
from connectors.opcua.config import OpcUaConfig
from connectors.opcua.identity import Identity, own_identity
from connectors.opcua.session import KeptSession, open_session
from connectors.opcua.transport import BoundedUaClient, abort
from connectors.opcua.trust import Expected, check_server
from plant.errors import Misconfigured, PlantError, Unreachable

SESSION_MS = 60_000
CHANNEL_MS = 3_600_000
LEAVING_S = 1.5
_POLICIES: dict[str, type[security_policies.SecurityPolicy]] = {
    "Basic256Sha256": security_policies.SecurityPolicyBasic256Sha256,
    "Aes128_Sha256_RsaOaep": security_policies.SecurityPolicyAes128Sha256RsaOaep,
    "Aes256_Sha256_RsaPss": security_policies.SecurityPolicyAes256Sha256RsaPss,
}
_ENCRYPTED = ua.MessageSecurityMode.SignAndEncrypt
_CREDENTIALS = {
    StatusCodes.BadUserAccessDenied,
    StatusCodes.BadIdentityTokenRejected,
    StatusCodes.BadIdentityTokenInvalid,
    StatusCodes.BadUserSignatureInvalid,
}
_CERTIFICATE = {
    StatusCodes.BadSecurityChecksFailed,
    StatusCodes.BadCertificateInvalid,
    StatusCodes.BadCertificateUntrusted,
    StatusCodes.BadCertificateTimeInvalid,
    StatusCodes.BadCertificateIssuerTimeInvalid,
    StatusCodes.BadCertificateUriInvalid,
    StatusCodes.BadCertificateUseNotAllowed,
    StatusCodes.BadCertificateRevoked,
    StatusCodes.BadCertificateChainIncomplete,
    StatusCodes.BadApplicationSignatureInvalid,
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
    identity: Identity | None = None
    try:
        if config.security != "none":
            identity = await _secure(client, config)
        await _open(client, config, KeptSession() if kept is None else kept)
    except BaseException as error:
        abort(client.uaclient)
        if isinstance(error, TimeoutError | OSError | UaError | AssertionError | AttributeError):
            raise _translated(error, config, identity) from error
        raise
    return client


async def leave(client: Client) -> None:
    """Close session and channel politely for a moment, then drop the connection; never raise."""
    try:
        async with asyncio.timeout(LEAVING_S):
            await client.close_session()
            await client.close_secure_channel()
    except (TimeoutError, OSError, UaError, AssertionError, AttributeError) as error:
        client.uaclient.logger.info("session not closed in order: %r", error)
    finally:
        abort(client.uaclient)


async def renew_channel(client: Client) -> None:
    """Keep the secure channel's keys fresh until cancelled (OPC 10000-4 §5.5.2: at 75 %)."""
    while True:
        await asyncio.sleep(0.75 * client.secure_channel_timeout / 1000)
        await client.open_secure_channel(renew=True)
        client.uaclient.revolve_security_token()


def _new_client(config: OpcUaConfig) -> Client:
    client = Client(config.url, timeout=config.timeout_s)
    client.uaclient = BoundedUaClient(config.timeout_s)
    client.nodes = Shortcuts(client.uaclient.session)
    client.name = client.description = f"Wheeltapper {config.name}"
    client.product_uri = "urn:wheeltapper"
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
    certificate = _certificate(endpoint, config)
    expected = Expected(
        config.name,
        config.certificate_host or str(client.server_url.hostname),
        str(endpoint.Server.ApplicationUri),
    )
    check = partial(check_server, certificate, expected, trust, datetime.now(UTC))
    await asyncio.to_thread(check)
    await client.set_security(
        _POLICIES[config.security],
        _content(identity.certificate),
        _content(identity.key),
        server_certificate=uacrypto.CertProperties(certificate.public_bytes(Encoding.DER), "der"),
        mode=_ENCRYPTED,
    )
    return identity


def _endpoint(
    endpoints: list[ua.EndpointDescription], config: OpcUaConfig
) -> ua.EndpointDescription:
    uri = _POLICIES[config.security].URI
    for endpoint in endpoints:
        if endpoint.SecurityPolicyUri == uri and endpoint.SecurityMode == _ENCRYPTED:
            return endpoint
    offered = sorted(
        {
            f"{str(each.SecurityPolicyUri).rpartition('#')[2]}/{each.SecurityMode.name}"
            for each in endpoints
        }
    )
    raise Misconfigured(
        f"{config.name}: the server does not offer {config.security} with SignAndEncrypt, only "
        f"{', '.join(offered)}; enable it at the server or set security to one that it offers"
    )


def _certificate(endpoint: ua.EndpointDescription, config: OpcUaConfig) -> x509.Certificate:
    shown = bytes(endpoint.ServerCertificate or b"")
    # A chain comes as certificates one after the other, the server's own first.
    first = shown[: int.from_bytes(shown[2:4], "big") + 4]
    try:
        return x509.load_der_x509_certificate(first)
    except ValueError as error:
        raise Misconfigured(
            f"{config.name}: the server shows no readable certificate ({error}); give it one"
        ) from error


def _content(path: Path) -> uacrypto.CertProperties:
    content = path.read_bytes()
    return uacrypto.CertProperties(content, "pem" if content.lstrip()[:5] == b"-----" else "der")


async def _open(client: Client, config: OpcUaConfig, kept: KeptSession) -> None:
    await client.connect_socket()
    await client.send_hello()
    await client.open_secure_channel()
    await open_session(client, config, kept)


def _translated(error: BaseException, config: OpcUaConfig, identity: Identity | None) -> PlantError:
    ours = f"our certificate {identity.certificate}" if identity else "our connection"
    code = error.code if isinstance(error, UaStatusCodeError) else None
    if code in _CREDENTIALS:
        return Misconfigured(
            f"{config.name}: the server refuses user {config.user or 'anonymous'!r}; check the "
            "name and the password in password_file"
        )
    if code in _CERTIFICATE or (isinstance(error, AssertionError | AttributeError) and identity):
        return Misconfigured(
            f"{config.name}: the server refuses {ours} ({_words(error)}); trust it at the server, "
            "where it usually lies in a folder or list named rejected"
        )
    if code == StatusCodes.BadTooManySessions:
        return Unreachable(
            f"{config.name}: the server has no session left for us (BadTooManySessions); close "
            "other clients, allow more sessions at the server, or wait until old ones run out"
        )
    if isinstance(error, ConnectionRefusedError):
        return Unreachable(
            f"{config.name}: {config.url} refused the connection; is the server on, and are "
            "host and port right?"
        )
    return Unreachable(f"{config.name}: {config.url} does not let us in: {_words(error)}")


def _words(error: BaseException) -> str:
    if isinstance(error, UaStatusCodeError):
        return str(ua.StatusCode(ua.UInt32(error.code)).name)
    return str(error) or ("no answer in time" if isinstance(error, TimeoutError) else repr(error))
