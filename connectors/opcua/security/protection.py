"""What protects a connection, and for how long, told from the connection itself."""

from dataclasses import dataclass
from datetime import UTC, datetime

from asyncua import ua
from asyncua.client.client import Client
from cryptography import x509

from connectors.opcua.config import OpcUaConfig

WARNED_DAYS = 30
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Protection:
    """What protects a connection.

    Parameters
    ----------
    security
        As in ``Basic256Sha256, SignAndEncrypt``; ``none`` if nothing does.
    secured
        Whether nobody on the way can read or change what passes.
    certificate_days
        Days until the first of the two certificates is out of date; None without certificates.
    notes
        What a person should do about them, from 30 days before.
    """

    security: str = "none"
    secured: bool = False
    certificate_days: float | None = None
    notes: tuple[str, ...] = ()


def protection(client: Client, config: OpcUaConfig, now: datetime | None = None) -> Protection:
    """Tell what protects the connection of `client`; never waits."""
    policy = client.security_policy
    if policy.Mode == ua.MessageSecurityMode.None_:
        return Protection()
    mend = "wheeltapper trust renew" if config.certificate is None else "its issuer renews it"
    told = [
        (_days(policy.host_certificate, now), f"our certificate {{}}; renew it: {mend}"),
        (
            _days(policy.peer_certificate, now),
            "the server's certificate {}; renew it at the server",
        ),
    ]
    return Protection(
        f"{config.security}, {policy.Mode.name}",
        policy.Mode == ua.MessageSecurityMode.SignAndEncrypt,
        min(days for days, _ in told),
        tuple(text.format(_runs_out(days)) for days, text in told if days <= WARNED_DAYS),
    )


def _days(der: bytes | None, now: datetime | None) -> float:
    until = x509.load_der_x509_certificate(der or b"").not_valid_after_utc
    return (until - (now or datetime.now(UTC))).total_seconds() / _DAY_S


def _runs_out(days: float) -> str:
    return f"runs out in {int(days)} days" if days >= 0 else f"ran out {int(-days)} days ago"
