"""What a server tells to anybody: its endpoints and its certificate (OPC 10000-4 §5.5.4).

No session is opened and nothing of this is believed: it is shown to a person, who decides.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlparse

from asyncua import ua
from asyncua.ua.uaerrors import UaError
from cryptography import x509

from connectors.opcua.plain import plain
from connectors.opcua.refusals import FAILURES
from connectors.opcua.transport import BoundedUaClient, abort, read_answer
from plant.errors import Misconfigured, Unreachable

PORT = 4840
TIMEOUT_S = 4.0
USABLE = ("Aes256_Sha256_RsaPss", "Basic256Sha256", "Aes128_Sha256_RsaOaep")
"""Policies that this product speaks, the strongest first."""
_MOST_ENDPOINTS = 200
_LIFETIME_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One way into a server.

    Parameters
    ----------
    url
        Where the server says that it is.
    policy, mode
        Security policy without its URI's head, and message security mode.
    level
        The server's own order of preference; the higher the better.
    users
        Kinds of users that it takes: anonymous, password, certificate, token.
    """

    url: str
    policy: str
    mode: str
    level: int
    users: tuple[str, ...]

    @property
    def usable(self) -> bool:
        """Whether we would use it unless told otherwise: signed and encrypted."""
        return self.policy in USABLE and self.mode == "SignAndEncrypt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """What a server says of itself.

    Parameters
    ----------
    endpoints
        Its ways in, the strongest first.
    application, product, name
        Application URI, product URI, and name for people.
    certificate
        The certificate that it shows, not verified; None where it shows none that can be read.
    offset_s
        Its clock minus ours, s; None where it tells no time.
    round_trip_s
        Time from question to answer, s: the offset may be wrong by half of it.
    """

    endpoints: tuple[Endpoint, ...]
    application: str
    product: str
    name: str
    certificate: x509.Certificate | None
    offset_s: float | None
    round_trip_s: float

    def best(self) -> str:
        """Name the security policy to use, or ``none`` where nothing is protected."""
        offered = {endpoint.policy for endpoint in self.endpoints if endpoint.usable}
        return next((policy for policy in USABLE if policy in offered), "none")


def place_of(url: str) -> tuple[str, int]:
    """Give host and port of an ``opc.tcp`` address.

    Raises
    ------
    Misconfigured
        It is none; the message shows what one looks like.

    Examples
    --------
    >>> place_of("opc.tcp://plc-7")
    ('plc-7', 4840)
    """
    try:
        parts = urlparse(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme != "opc.tcp" or not url.isprintable():
        raise Misconfigured(
            f'"{plain(url)}" is no OPC UA address; it looks like opc.tcp://192.168.10.5:4840'
        )
    if "@" in parts.netloc:
        raise Misconfigured("leave user and password out of the address; they have their own place")
    return host, port or PORT


async def resolve(host: str, port: int) -> str:
    """Look up a host's address.

    Raises
    ------
    Unreachable
        No name server knows it.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(TIMEOUT_S):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError) as error:
        raise Unreachable(
            f"no machine is known by the name {plain(host)}; is it spelt right? An address such "
            "as 192.168.10.5 needs no name server"
        ) from error
    return str(found[0][4][0])


def found_as(host: str, address: str) -> str:
    """Say what a name was found to be.

    Examples
    --------
    >>> found_as("plc", "192.168.10.5"), found_as("10.0.0.6", "10.0.0.6")
    ('plc is 192.168.10.5', '10.0.0.6 is an address, no name to look up')
    """
    return f"{host} is {'an address, no name to look up' if host == address else address}"


async def knock(host: str, port: int, timeout_s: float = TIMEOUT_S) -> None:
    """Open a TCP connection and close it again.

    Raises
    ------
    Unreachable
        Nobody listens at the port, or nothing comes back; the message tells these apart.
    """
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError as error:
        raise Unreachable(
            f"port {port} of {host} does not answer within {timeout_s:g} s: a firewall on the way "
            "blocks it, or the machine is off"
        ) from error
    except ConnectionRefusedError as error:
        raise Unreachable(
            f"{host} is there, but nobody listens at port {port}: is the server running, and is "
            "this its port?"
        ) from error
    except OSError as error:
        raise Unreachable(
            f"{host} cannot be reached: {error.strerror or error}; is the network right?"
        ) from error
    writer.transport.abort()


async def greet(url: str, timeout_s: float = TIMEOUT_S) -> Greeting:
    """Ask a server for its endpoints, over a connection that proves and hides nothing.

    Raises
    ------
    Misconfigured
        `url` is no address.
    Unreachable
        Nobody is there, or what is there does not speak OPC UA.
    """
    host, port = place_of(url)
    await knock(await resolve(host, port), port, timeout_s)
    uaclient = BoundedUaClient(timeout_s)
    try:
        async with asyncio.timeout(3 * timeout_s):
            await uaclient.connect_socket(host, port)
            await uaclient.send_hello(url)
            await uaclient.open_secure_channel(_open_channel())
            return await _endpoints(uaclient, url)
    except FAILURES as error:
        # Small servers have one connection only: ours must not be in the way of the questions.
        abort(uaclient)
        raise Unreachable(await _other_tongue(error, host, port, timeout_s)) from error
    finally:
        abort(uaclient)


def _open_channel() -> ua.OpenSecureChannelParameters:
    return ua.OpenSecureChannelParameters(
        ClientProtocolVersion=ua.UInt32(0),
        RequestType=ua.SecurityTokenRequestType.Issue,
        SecurityMode=ua.MessageSecurityMode.None_,
        ClientNonce=None,
        RequestedLifetime=ua.UInt32(_LIFETIME_MS),
    )


async def _endpoints(uaclient: BoundedUaClient, url: str) -> Greeting:
    request = ua.GetEndpointsRequest()
    request.Parameters.EndpointUrl = ua.String(url)
    loop = asyncio.get_running_loop()
    asked, before = loop.time(), datetime.now(UTC)
    # asyncua's own call keeps the header, and with it the server's time, to itself.
    data = await uaclient._send_request(request)
    round_trip = loop.time() - asked
    response = read_answer(ua.GetEndpointsResponse, data)
    response.ResponseHeader.ServiceResult.check()
    told = response.ResponseHeader.Timestamp
    offset = None
    if isinstance(told, datetime) and told.year > 1601:
        offset = (told.replace(tzinfo=UTC) - before).total_seconds() - round_trip / 2
    return _greeting(list(response.Endpoints or ())[:_MOST_ENDPOINTS], offset, round_trip)


def _greeting(
    endpoints: Sequence[ua.EndpointDescription], offset: float | None, round_trip: float
) -> Greeting:
    if not endpoints:
        raise UaError("the server has no endpoints")
    server = endpoints[0].Server
    certificates = (certificate_of(each) for each in endpoints)
    found = [
        Endpoint(
            url=plain(str(each.EndpointUrl or "")),
            policy=plain(str(each.SecurityPolicyUri or "").rpartition("#")[2], 60),
            mode={1: "None", 2: "Sign", 3: "SignAndEncrypt"}.get(int(each.SecurityMode), "?"),
            level=int(each.SecurityLevel),
            users=tuple(dict.fromkeys(_user(token) for token in each.UserIdentityTokens or ())),
        )
        for each in endpoints
    ]
    return Greeting(
        endpoints=tuple(sorted(found, key=_rank)),
        application=plain(str(server.ApplicationUri or "")),
        product=plain(str(server.ProductUri or "")),
        name=plain(str(server.ApplicationName.Text or "")),
        certificate=next((one for one in certificates if one is not None), None),
        offset_s=offset,
        round_trip_s=round_trip,
    )


def _rank(endpoint: Endpoint) -> tuple[bool, int, int]:
    order = USABLE.index(endpoint.policy) if endpoint.policy in USABLE else len(USABLE)
    return not endpoint.usable, -endpoint.level, order


def _user(token: ua.UserTokenPolicy) -> str:
    kinds = {0: "anonymous", 1: "password", 2: "certificate"}
    return kinds.get(int(token.TokenType), "token")


def certificate_of(endpoint: ua.EndpointDescription) -> x509.Certificate | None:
    """Read the certificate that an endpoint shows, the first of a chain."""
    shown = bytes(endpoint.ServerCertificate or b"")
    try:
        return x509.load_der_x509_certificate(shown[: int.from_bytes(shown[2:4], "big") + 4])
    except ValueError:
        return None


_TONGUES: tuple[tuple[bytes, Callable[[bytes], bool], str], ...] = (
    (
        b"GET / HTTP/1.0\r\n\r\n",
        lambda answer: answer.startswith(b"HTTP/") or b"<html" in answer.lower(),
        "a web server answers there",
    ),
    (
        b"\x00\x01\x00\x00\x00\x06\x01\x03\x00\x00\x00\x01",
        lambda answer: answer[:4] == b"\x00\x01\x00\x00",
        "a Modbus device answers there",
    ),
)


async def _other_tongue(error: BaseException, host: str, port: int, timeout_s: float) -> str:
    """Say what else listens at the port: read-only questions of the two likeliest protocols."""
    for question, speaks, words in _TONGUES:
        if speaks(await _said(host, port, question, timeout_s)):
            return f"port {port} of {host} does not speak OPC UA: {words}; is the port right?"
    reason = str(error) or ("no answer in time" if isinstance(error, TimeoutError) else repr(error))
    return (
        f"port {port} of {host} is open, but does not speak OPC UA ({plain(reason)}); is the port "
        f"right? It is often {PORT}"
    )


async def _said(host: str, port: int, question: bytes, timeout_s: float) -> bytes:
    try:
        async with asyncio.timeout(min(timeout_s, 1.0)):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(question)
                return await reader.read(256)
            finally:
                writer.transport.abort()
    except (OSError, TimeoutError):
        return b""
