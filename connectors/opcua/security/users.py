"""Who we are to the server: nobody, a name with a password, or a certificate (OPC 10000-4 §7.40).

The library takes the first token policy of the right kind, and sends a password in clear where
that policy says "None". Here the policy is chosen, and a password never leaves uncovered.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from asyncua import ua
from asyncua.client.client import Client
from asyncua.crypto import security_policies
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from connectors.opcua.config import OpcUaConfig
from connectors.opcua.plain import plain
from connectors.opcua.security.certificates import read_certificate
from connectors.opcua.security.keys import read_key
from plant.errors import Misconfigured
from plant.files import first_line

_NONE = str(security_policies.SecurityPolicyNone.URI)
_STRONG = (
    str(security_policies.SecurityPolicyAes256Sha256RsaPss.URI),
    str(security_policies.SecurityPolicyAes128Sha256RsaOaep.URI),
    str(security_policies.SecurityPolicyBasic256Sha256.URI),
)
_WORDS = {
    ua.UserTokenType.Anonymous: "anybody without a user",
    ua.UserTokenType.UserName: "users with a password",
    ua.UserTokenType.Certificate: "users with a certificate",
    ua.UserTokenType.IssuedToken: "users with a token of another server",
}


@dataclass(frozen=True, slots=True)
class Credentials:
    """What proves who we are; all None is nobody in particular."""

    password: str | None = field(default=None, repr=False)
    certificate: x509.Certificate | None = None
    key: RSAPrivateKey | None = field(default=None, repr=False)


def user_of(config: OpcUaConfig) -> str:
    """Name our user for people."""
    if config.user_certificate is not None:
        return f"certificate {config.user_certificate.name}"
    return config.user or "anonymous"


def read_credentials(config: OpcUaConfig) -> Credentials:
    """Read the password or the user's certificate and key.

    Raises
    ------
    Misconfigured
        A file cannot be read, or the key belongs to another certificate.
    """
    if config.user_certificate is not None and config.user_key is not None:
        certificate = read_certificate(config.user_certificate)
        key = read_key(config.user_key, config.name)
        if key.public_key() != certificate.public_key():
            raise Misconfigured(
                f"{config.name}: the key {config.user_key} does not belong to "
                f"{config.user_certificate}"
            )
        return Credentials(certificate=certificate, key=key)
    if config.password_file is not None:
        where = f"{config.name}: password_file {config.password_file}"
        return Credentials(password=first_line(config.password_file, where))
    return Credentials()


async def sign_in(client: Client, config: OpcUaConfig, credentials: Credentials) -> None:
    """Activate the session as the configured user.

    Raises
    ------
    Misconfigured
        The server takes no such user, or would have the password in clear.
    UaError, OSError, TimeoutError
        The server refuses, or the link is lost.
    """
    client._policy_ids = [token_policy(client._policy_ids, client.security_policy, config)]
    client.user_private_key = credentials.key
    await client.activate_session(
        username=config.user, password=credentials.password, certificate=credentials.certificate
    )


def token_policy(
    offered: Sequence[ua.UserTokenPolicy] | None,
    channel: security_policies.SecurityPolicy,
    config: OpcUaConfig,
) -> ua.UserTokenPolicy:
    """Choose how the user is proved: with the strongest policy that we speak.

    A password goes without a policy of its own only within an encrypted channel (table 189); with
    Sign the token has to be encrypted, and a certificate always has to sign.

    Raises
    ------
    Misconfigured
        Nothing that is offered will do.
    """
    kind = _kind(config)
    fitting = [each for each in offered or () if each.TokenType == kind]
    if kind == ua.UserTokenType.Anonymous:
        return _first(fitting, offered, config)
    ways = {str(each.SecurityPolicyUri or channel.URI): each for each in reversed(fitting)}
    private = channel.Mode == ua.MessageSecurityMode.SignAndEncrypt
    enough = kind == ua.UserTokenType.UserName and private
    for way in (*_STRONG, *([_NONE] if enough else [])):
        if way in ways:
            return _with_policy(ways[way], way)
    _first(fitting, offered, config)
    names = ", ".join(sorted(plain(way.rpartition("#")[2]) for way in ways))
    raise Misconfigured(
        f"{config.name}: the server would have user {user_of(config)} proved only with {names}, "
        "open to others on the way; set its user token policy to Basic256Sha256"
    )


def _kind(config: OpcUaConfig) -> ua.UserTokenType:
    if config.user_certificate is not None:
        return ua.UserTokenType.Certificate
    return ua.UserTokenType.Anonymous if config.user is None else ua.UserTokenType.UserName


def _first(
    fitting: Sequence[ua.UserTokenPolicy],
    offered: Sequence[ua.UserTokenPolicy] | None,
    config: OpcUaConfig,
) -> ua.UserTokenPolicy:
    if fitting:
        return fitting[0]
    kind = _kind(config)
    if not offered and kind == ua.UserTokenType.Anonymous:
        return ua.UserTokenPolicy(TokenType=kind)
    taken = sorted({_WORDS.get(each.TokenType, "others") for each in offered or ()})
    raise Misconfigured(
        f"{config.name}: at this endpoint the server does not take {_WORDS[kind]}, only "
        f"{' and '.join(taken) or 'nobody'}; give the source a user that it takes, or allow "
        f"{_WORDS[kind]} at the server"
    )


def _with_policy(policy: ua.UserTokenPolicy, uri: str) -> ua.UserTokenPolicy:
    return ua.UserTokenPolicy(policy.PolicyId, policy.TokenType, SecurityPolicyUri=uri)
