"""A plan, keys of its participants, and rows that fit it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray

from analytics.federation.consolidated import Consolidated
from analytics.federation.contribution import Contribution, scores_of, statistics_of
from analytics.federation.messages import raw_key, write_contribution
from analytics.federation.rows import Rows
from analytics.federation.terms import Participant, Terms
from analytics.modelfiles.file import write_model
from analytics.modelfiles.header import Header

Columns = NDArray[np.float64]
SECOND = 10**9
START = 1_700_000_000 * SECOND
HOUR = 3600 * SECOND
RUN = 1
SITES = ("north", "east", "south", "west")
KEYS = {
    name: Ed25519PrivateKey.from_private_bytes(bytes([n + 1] * 32)) for n, name in enumerate(SITES)
}
CENTRE = Ed25519PrivateKey.from_private_bytes(b"c" * 32)
ASSET = "site/hall/line/pump"
SIGNALS = 3


def terms(**changed: Any) -> Terms:
    said: dict[str, Any] = {
        "name": "class/pump",
        "signals": ("flow", "pressure", "current"),
        "units": ("m3/h", "bar", "A"),
        "low": (0.0, 0.0, 0.0),
        "high": (100.0, 10.0, 50.0),
        "modes": ((0, "idle"), (RUN, "run")),
        "participants": tuple(Participant(n, raw_key(k.public_key())) for n, k in KEYS.items()),
    }
    return Terms(**said | changed)


def healthy(seed: int, load: float = 0.5, rows: int = 3000) -> Columns:
    """Make rows (n, 3) of a pump at a load, 0 to 1, that all three signals follow."""
    random = np.random.default_rng(seed)
    at = np.clip(load + 0.08 * random.standard_normal(rows), 0.0, 1.0)
    noise = random.standard_normal((rows, SIGNALS)) * (0.8, 0.08, 0.4)
    return np.stack([20 + 60 * at, 8 - 4 * at, 10 + 30 * at], axis=1) + noise


def rows_of(values: Columns, hour: float = 0.0, mode: int = RUN) -> Rows:
    """Lay rows out in time, 10 s each, from an hour on."""
    at = START + round(hour * HOUR) + np.arange(len(values), dtype=np.int64) * 10 * SECOND
    return Rows(at, values, np.full(len(values), mode, np.int64), {})


def contribution(
    site: str, rows: Rows, plan: Terms, *, model: Consolidated | None = None, sha256: str = "",
    asset: str = ASSET, number: int = 1,
) -> Contribution:  # fmt: skip
    said: dict[str, Any] = (
        {"statistics": statistics_of(rows, plan)}
        if model is None
        else {"scores": scores_of(rows, plan, model), "model": sha256}
    )
    stop = int(rows.at[-1]) + 10 * SECOND
    return Contribution(
        plan=plan.identity, gateway=site, asset=asset, number=number, created=stop,
        start=int(rows.at[0]), stop=stop, **said,
    )  # fmt: skip


def message(site: str, values: Columns, plan: Terms, hour: float = 0.0) -> bytes:
    return write_contribution(contribution(site, rows_of(values, hour), plan), plan, KEYS[site])


def forged(
    arrays: Mapping[str, NDArray[Any]],
    plan: Terms,
    key: Ed25519PrivateKey = KEYS["north"],
    settings: Mapping[str, Any] | None = None,
    **changed: Any,
) -> bytes:
    """Write a message past all checks of the sender."""
    said: dict[str, Any] = {
        "name": ASSET,
        "version": 1,
        "kind": "statistics",
        "created": START + 10 * HOUR,
        "signals": plan.signals,
        "units": plan.units,
        "settings": {"plan": plan.identity, "gateway": "north"} | dict(settings or {}),
        "start": START,
        "stop": START + 9 * HOUR,
        "history": "0" * 64,
    }
    return write_model(Header(**said | changed), arrays, key)
