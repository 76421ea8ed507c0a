"""asyncua's server with a certificate of our choice, and a relay that remembers."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from asyncua import Server, ua
from asyncua.crypto.permission_rules import User, UserRole
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from connectors.opcua.config import OpcUaConfig
from connectors.opcua.connect import connect_secure, leave

URI = "urn:plant:plc"
HEAD = "http://opcfoundation.org/UA/SecurityPolicy#"
Kind = ua.SecurityPolicyType
EVERY = [
    Kind.Basic256Sha256_Sign,
    Kind.Basic256Sha256_SignAndEncrypt,
    Kind.Aes128Sha256RsaOaep_Sign,
    Kind.Aes128Sha256RsaOaep_SignAndEncrypt,
    Kind.Aes256Sha256RsaPss_Sign,
    Kind.Aes256Sha256RsaPss_SignAndEncrypt,
]


def lay(path: Path, thing: x509.Certificate | x509.CertificateRevocationList) -> Path:
    """Put a certificate or list where it belongs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(thing.public_bytes(Encoding.DER))
    return path


def lay_key(path: Path, key: RSAPrivateKey) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


@dataclass
class Guarded:
    """A server in a thread of its own, and what it was shown by those who signed in."""

    url: str
    server: Server
    tokens: list[Any] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.url.split(":")[2].partition("/")[0])

    @contextmanager
    def telling(self, **lies: object) -> Iterator[None]:
        """Say something else of every endpoint for a while, as in ServerCertificate=b"..."."""
        before = self.server.iserver.endpoints
        self.server.iserver.endpoints = [replace(each, **lies) for each in before]
        yield
        self.server.iserver.endpoints = before

    @contextmanager
    def proving(self, kind: ua.UserTokenType, policy: str) -> Iterator[None]:
        """Take the proof of this kind of user under this policy for a while."""
        before = self.server.iserver.endpoints
        token = ua.UserTokenPolicy("lie", kind, SecurityPolicyUri=HEAD + policy)
        with self.telling(UserIdentityTokens=[token]):
            yield
        assert self.server.iserver.endpoints is before

    def get_user(self, *_: Any, **shown: Any) -> User:
        """Let everybody in."""
        self.tokens.append(shown)
        return User(role=UserRole.User)


async def _served(certificate: bytes, key: bytes, kinds: Sequence[Kind]) -> Guarded:
    server = Server()
    await server.init()
    await server.set_application_uri(URI)
    server.set_endpoint("opc.tcp://127.0.0.1:0/plc")
    server.set_security_policy(list(kinds))
    if certificate:
        await server.load_certificate(certificate, "der")
        await server.load_private_key(key, None, "pem")
    await server.start()
    port = server.bserver._server.sockets[0].getsockname()[1]
    served = Guarded(f"opc.tcp://127.0.0.1:{port}/plc", server)
    server.iserver.user_manager = served
    return served


@contextmanager
def guarded(
    certificate: x509.Certificate | None, key: RSAPrivateKey, kinds: Sequence[Kind] = EVERY
) -> Iterator[Guarded]:
    """Serve at a port of its own, over all three policies unless told otherwise."""
    der = certificate.public_bytes(Encoding.DER) if certificate else b""
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="guarded server")
    thread.start()
    served = asyncio.run_coroutine_threadsafe(_served(der, pem, kinds), loop).result(90)
    yield served
    asyncio.run_coroutine_threadsafe(served.server.stop(), loop).result(60)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(60)
    loop.close()


async def connect_once(config: OpcUaConfig) -> str:
    """Connect, read the server's state, leave; tell what protected it."""
    client = await connect_secure(config)
    try:
        await client.nodes.server_state.read_value()
        policy = client.security_policy
        return f"{policy.URI.rpartition('#')[2]} {policy.Mode.name}"
    finally:
        await leave(client)


@dataclass
class Relay:
    """Stands between both sides and remembers what each said, connection by connection."""

    port: int
    asked: list[bytearray] = field(default_factory=list)
    answered: list[bytearray] = field(default_factory=list)


@asynccontextmanager
async def relay(port: int) -> AsyncIterator[Relay]:
    """Listen, and pass on to `port` of this machine."""
    tasks: set[asyncio.Task[Any]] = set()

    async def pass_on(reader: Any, writer: Any, memory: bytearray) -> None:
        try:
            while data := await reader.read(65_536):
                memory += data
                writer.write(data)
        finally:
            writer.transport.abort()

    async def meet(reader: Any, writer: Any) -> None:
        there = await asyncio.open_connection("127.0.0.1", port)
        seen.asked.append(bytearray())
        seen.answered.append(bytearray())
        both = (
            pass_on(reader, there[1], seen.asked[-1]),
            pass_on(there[0], writer, seen.answered[-1]),
        )
        tasks.update(asyncio.ensure_future(each) for each in both)

    listening = await asyncio.start_server(meet, "127.0.0.1", 0)
    seen = Relay(listening.sockets[0].getsockname()[1])
    try:
        yield seen
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)


def frames(said: bytes) -> list[bytes]:
    """Take apart what one side said; each begins with its kind, as in OPNF."""
    found = []
    while said:
        size = int.from_bytes(said[4:8], "little")
        found.append(bytes(said[:size]))
        said = said[size:]
    return found


@asynccontextmanager
async def replaying(answers: Sequence[bytes]) -> AsyncIterator[int]:
    """Answer every connection with what was once said, a frame for a frame; gives the port."""
    waiting = list(answers)

    async def answer(reader: Any, writer: Any) -> None:
        try:
            for frame in frames(waiting.pop(0)):
                await reader.read(65_536)
                writer.write(frame)
            await reader.read()
        finally:
            writer.transport.abort()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
