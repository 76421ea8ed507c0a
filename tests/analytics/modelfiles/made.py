"""Models to put into files, and files to spoil."""

from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray

from analytics.modelfiles import Header, settings_body
from analytics.watch import Watch, WatchSettings

Columns = NDArray[np.float64]

SECOND = 10**9
ASSET = "plant/hall/line/pump"
SIGNALS = tuple(f"{ASSET}/{name}" for name in ("flow", "pressure", "current", "vibration"))
UNITS = ("m3/h", "bar", "A", "mm/s")
SETTINGS = WatchSettings(learn_rows=600, mode_rows=200, find_modes=False)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
TRUSTED = [KEY.public_key()]


def pump(rows: int, seed: int = 0) -> Columns:
    """Make rows (n, 4) of a pump under one slowly changing load."""
    random = np.random.default_rng(seed)
    load = np.sin(np.arange(rows) / 47) + 0.5 * np.sin(np.arange(rows) / 11 + 1)
    level, gain = np.array([50.0, 4.0, 20.0, 2.3]), np.array([5.0, 0.3, 2.0, 0.0])
    noise = np.array([0.5, 0.05, 0.3, 0.1]) * random.normal(size=(rows, 4))
    made: Columns = level + gain * load[:, None] + noise
    return made


def seconds(rows: int, start: int = 0) -> NDArray[np.int64]:
    return (start + np.arange(rows, dtype=np.int64)) * SECOND


def taught(settings: WatchSettings = SETTINGS, rows: int = 900) -> Watch:
    watch = Watch(SIGNALS, UNITS, settings)
    watch.judge(seconds(rows), pump(rows), np.zeros(rows, np.int64))
    return watch


def header(**words: Any) -> Header:
    said = {
        "name": ASSET,
        "version": 3,
        "kind": "watch",
        "created": 1_790_000_000 * SECOND,
        "signals": SIGNALS,
        "units": UNITS,
        "settings": settings_body(SETTINGS),
        "start": 0,
        "stop": 900 * SECOND,
        "history": "0" * 64,
        "metrics": {"false_alarms_week": 0.5},
        "parent": 2,
        "reissue_of": None,
        "card": {"rows": 900, "gaps": []},
    }
    return Header(**(said | words))
