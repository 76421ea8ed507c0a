"""The OPC UA load behind Basic256Sha256, SignAndEncrypt: asyncua seals and opens the chunks."""

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from asyncua import ua
from asyncua.common.connection import SecureConnection, TransportLimits
from asyncua.common.utils import Buffer
from asyncua.crypto import security_policies
from asyncua.crypto.cert_gen import generate_private_key, generate_self_signed_app_certificate
from asyncua.ua.ua_binary import header_from_binary, struct_from_binary, struct_to_binary
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from bench.loads.formula import OpcUaSignals
from bench.loads.opcua_load import NAMESPACE, Session, endpoint
from bench.loads.opcua_subscription import Sent

HOST = "127.0.0.1"
POLICY = security_policies.SecurityPolicyBasic256Sha256


@dataclass(frozen=True, slots=True)
class Credentials:
    """Certificate of the load and its key."""

    certificate: x509.Certificate
    key: RSAPrivateKey


def make_credentials(path: Path) -> Credentials:
    """Make a key and a certificate, and write the latter for a client to trust."""
    key = generate_private_key()
    names = [
        x509.UniformResourceIdentifier(NAMESPACE),
        x509.IPAddress(ip_address(HOST)),
    ]
    made = generate_self_signed_app_certificate(
        key, "load", {"organizationName": "load"}, names, [ExtendedKeyUsageOID.SERVER_AUTH]
    )
    path.write_bytes(made.public_bytes(Encoding.DER))
    return Credentials(made, key)


class SecuredSession(Session):
    """Serves as `Session` does, each message signed and encrypted."""

    def __init__(self, signals: OpcUaSignals, sent: Sent, credentials: Credentials) -> None:
        super().__init__(signals, sent)
        self._credentials = credentials
        # asyncua's policies are not annotated.
        crypto: Any = security_policies
        self._channel: Any = SecureConnection(crypto.SecurityPolicyNone(), TransportLimits())
        mode = ua.MessageSecurityMode.SignAndEncrypt
        factory = crypto.SecurityPolicyFactory(
            POLICY, mode, credentials.certificate, credentials.key
        )
        self._channel.set_policy_factories([factory])

    def get_new_channel_id(self) -> int:
        """Name the channel; asyncua asks its server for it."""
        return 1

    def _open_channel(self, frame: bytes) -> None:
        message = self._unsealed(frame)
        asked = struct_from_binary(ua.OpenSecureChannelRequest, message.body())
        answer = ua.OpenSecureChannelResponse()
        answer.ResponseHeader.RequestHandle = asked.RequestHeader.RequestHandle
        answer.Parameters = self._channel.open(asked.Parameters, self)
        self._seal(ua.MessageType.SecureOpen, message.request_id(), struct_to_binary(answer))

    def _message(self, frame: bytes) -> None:
        message = self._unsealed(frame)
        if message is not None:
            self.serve(message.request_id(), message.body().read(len(message.body())))

    def _unsealed(self, frame: bytes) -> Any:
        data = Buffer(frame)
        return self._channel.receive_from_header_and_body(header_from_binary(data), data)

    def _seal(self, kind: bytes, request: int, body: bytes) -> None:
        self._transport.write(self._channel.message_to_binary(body, kind, request))

    def answer(self, request: int, body: bytes) -> None:
        self._seal(ua.MessageType.SecureMessage, request, body)

    def endpoint(self, url: str) -> ua.EndpointDescription:
        """Describe the only endpoint."""
        given = endpoint(url)
        given.ServerCertificate = self._credentials.certificate.public_bytes(Encoding.DER)
        given.SecurityMode = ua.MessageSecurityMode.SignAndEncrypt
        given.SecurityPolicyUri = POLICY.URI
        return given

    def prove(self, asked: Any, given: Any) -> None:
        """Sign what the client sent; its first question comes without a channel to sign in."""
        policy = self._channel.security_policy
        given.ServerCertificate = self._credentials.certificate.public_bytes(Encoding.DER)
        if policy.peer_certificate is not None:
            signed = policy.peer_certificate + asked.ClientNonce
            given.ServerSignature.Signature = policy.asymmetric_cryptography.signature(signed)
            given.ServerSignature.Algorithm = policy.AsymmetricSignatureURI
