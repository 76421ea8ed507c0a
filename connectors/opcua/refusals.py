"""Why we were not let in, in words that name the side that has to do something.

The library raises StatusCodes, and where a server hangs up in the middle bare assertions and
attribute errors; what they mean depends on how far the connection had come.
"""

import struct
from dataclasses import dataclass
from enum import StrEnum

from asyncua import ua
from asyncua.crypto import uacrypto
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaError, UaStatusCodeError
from cryptography.exceptions import InvalidSignature

from connectors.opcua.config import OpcUaConfig
from connectors.opcua.plain import plain
from connectors.opcua.security.identity import Identity
from connectors.opcua.security.users import user_of
from plant.errors import Misconfigured, PlantError, Unreachable

FAILURES = (
    OSError,
    TimeoutError,
    UaError,
    AssertionError,
    AttributeError,
    InvalidSignature,
    uacrypto.InvalidSignature,  # type: ignore[attr-defined]  # one of its own, beside the other
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    RecursionError,
    struct.error,
)
"""What the library raises while connecting, answers that make no sense included."""

_CREDENTIALS = {
    StatusCodes.BadUserAccessDenied,
    StatusCodes.BadIdentityTokenRejected,
    StatusCodes.BadIdentityTokenInvalid,
    StatusCodes.BadUserSignatureInvalid,
}
_TRUST_US = "trust it at the server, where it usually lies in a folder or list named rejected"
_CERTIFICATE = {
    StatusCodes.BadSecurityChecksFailed: _TRUST_US,
    StatusCodes.BadCertificateInvalid: _TRUST_US,
    StatusCodes.BadCertificateUntrusted: _TRUST_US,
    StatusCodes.BadCertificateTimeInvalid: "compare its dates with the clock of the server",
    StatusCodes.BadCertificateIssuerTimeInvalid: "compare its dates with the clock of the server",
    StatusCodes.BadCertificateUriInvalid: "its application URI is not ours; let us make a new one",
    StatusCodes.BadCertificateUseNotAllowed: "it is not made for clients; let us make a new one",
    StatusCodes.BadCertificateRevoked: "its issuer has revoked it; it needs a new one",
    StatusCodes.BadCertificateChainIncomplete: "give the server the certificate of its issuer",
    StatusCodes.BadApplicationSignatureInvalid: _TRUST_US,
}
_POLICY = {
    StatusCodes.BadSecurityPolicyRejected,
    StatusCodes.BadSecurityModeRejected,
    StatusCodes.BadSecurityModeInsufficient,
}
_OTHERS = {
    StatusCodes.BadTooManySessions: (
        "the server has no session left for us (BadTooManySessions); close other clients, allow "
        "more sessions at the server, or wait until old ones run out"
    ),
    StatusCodes.BadTcpNotEnoughResources: (
        "the server has no connection left for us (BadTcpNotEnoughResources); close other clients"
    ),
    StatusCodes.BadInvalidTimestamp: (
        "the server finds our clock too far from its own (BadInvalidTimestamp); set both"
    ),
}
_IMPOSTOR = InvalidSignature, uacrypto.InvalidSignature  # type: ignore[attr-defined]


class Step(StrEnum):
    """How far a connection has come."""

    ENDPOINTS = "asking for its endpoints"
    CHANNEL = "opening the secure channel"
    SESSION = "opening the session"


@dataclass(slots=True)
class Attempt:
    """One try to connect."""

    config: OpcUaConfig
    step: Step = Step.CHANNEL
    identity: Identity | None = None


def explained(error: BaseException, attempt: Attempt) -> PlantError:
    """Say which side has to do what."""
    name = attempt.config.name
    sentence = _to_be_mended(error, attempt)
    if sentence is not None:
        return Misconfigured(f"{name}: {sentence}")
    return Unreachable(f"{name}: {_to_be_tried_again(error, attempt)}")


def _to_be_mended(error: BaseException, attempt: Attempt) -> str | None:
    code = error.code if isinstance(error, UaStatusCodeError) else None
    if code in _CREDENTIALS:
        return _user_refused(attempt.config, error)
    if code in _POLICY:
        return (
            f"the server refuses {attempt.config.security} here ({_words(error)}); set security "
            "and mode to what it offers, or enable these at the server"
        )
    mend = _CERTIFICATE.get(code) if code is not None else None
    hung_up = isinstance(error, AssertionError | AttributeError)
    if attempt.identity is not None and (mend or (hung_up and attempt.step is Step.CHANNEL)):
        return (
            f"the server refuses our certificate {attempt.identity.certificate} ({_words(error)}); "
            f"{mend or _TRUST_US}"
        )
    if mend and attempt.config.security == "none":
        return (
            f"the server lets nobody in without security ({_words(error)}); choose a security "
            "policy that it offers"
        )
    if mend:
        return (
            f"the server does not say which endpoints it has ({_words(error)}); allow the question "
            "for endpoints without security there, as the standard has it"
        )
    return None


def _user_refused(config: OpcUaConfig, error: BaseException) -> str:
    if config.user_certificate is not None:
        return (
            f"the server refuses user {user_of(config)} ({_words(error)}); trust it at the server, "
            "in the list of users' certificates, or give it the rights of a user there"
        )
    if config.user is not None:
        return (
            f"the server refuses user {config.user!r} ({_words(error)}); check the name and the "
            "password in password_file"
        )
    return (
        f"the server refuses user 'anonymous' ({_words(error)}); set user and password_file, or "
        "user_certificate"
    )


def _to_be_tried_again(error: BaseException, attempt: Attempt) -> str:
    url = attempt.config.url
    code = error.code if isinstance(error, UaStatusCodeError) else None
    if code in _OTHERS:
        return _OTHERS[code]
    if isinstance(error, ConnectionRefusedError):
        return f"{url} refused the connection; is the server on, and are host and port right?"
    if isinstance(error, _IMPOSTOR):
        return (
            f"what answers at {url} does not hold the key of the certificate that it shows: "
            "somebody is on the way, or an answer was an old one; nothing was taken from it"
        )
    if attempt.identity is not None and _silent(error, attempt.step):
        ended = "no answer in time" if isinstance(error, TimeoutError) else "the connection ended"
        return (
            f"{url} does not let us in: {ended} while {attempt.step}. Either the server does not "
            f"trust our certificate {attempt.identity.certificate} (look among its rejected ones), "
            "or what answered could not prove to be the server"
        )
    if isinstance(error, AssertionError | AttributeError):
        return (
            f"{url} does not let us in: it hung up while {attempt.step}; the server's log says why"
        )
    if isinstance(error, TimeoutError):
        return f"{url} gives no answer in time; is the server busy or stopped?"
    return f"{url} does not let us in: {_words(error)}"


def _silent(error: BaseException, step: Step) -> bool:
    """Whether a server that had answered in clear says nothing to what only it can read."""
    if isinstance(error, TimeoutError):
        return step is Step.CHANNEL
    return isinstance(error, ConnectionError) and step is not Step.ENDPOINTS


def _words(error: BaseException) -> str:
    if isinstance(error, UaStatusCodeError):
        return str(ua.StatusCode(ua.UInt32(error.code)).name)
    if isinstance(error, AssertionError | AttributeError):
        return "it hung up without a word"
    return plain(str(error)) or (
        "no answer in time" if isinstance(error, TimeoutError) else repr(error)
    )
