"""The walk of a federation through the commands: three gateways, one centre, one model."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.federation.sites import ASSET, HOUR_NS, START
from wheeltapper.__main__ import main

Run = Callable[..., object]
"""Runs ``wheeltapper`` with arguments."""
CLASS = "class/pump"


def when(hour: float, start: int = START) -> str:
    """Give an hour of the simulated time as the commands take it."""
    return (
        f"{datetime.fromtimestamp((start + round(hour * HOUR_NS)) / 1e9, UTC):%Y-%m-%dT%H:%M:%SZ}"
    )


def command(*arguments: object) -> None:
    """Run a command as a person would, without the price of a process, and show it."""
    words = [str(each) for each in arguments]
    print(f"$ wheeltapper {' '.join(words)}", flush=True)
    sys.argv = ["wheeltapper", *words]
    try:
        main()
    except SystemExit as ended:
        if ended.code:
            raise


@dataclass(frozen=True, slots=True)
class Walk:
    """The files of a walk.

    Parameters
    ----------
    folder
        Of all of it.
    configs
        Configuration of each gateway, by its name.
    run
        Runs a command.
    asset
        The pump of the first one.
    start
        When hour 0 was, ns since 1970 UTC.
    """

    folder: Path
    configs: dict[str, Path]
    run: Run = command
    asset: str = ASSET
    start: int = START

    @property
    def key(self) -> Path:
        """Private key of the centre."""
        return self.folder / "centre.pem"

    @property
    def trust(self) -> Path:
        """Public key of the centre."""
        return self.folder / "centre.pub.pem"

    @property
    def plan(self) -> Path:
        """The signed plan."""
        return self.folder / "plan.wtm"

    @property
    def inbox(self) -> Path:
        """Contributions, at the centre."""
        return self.folder / "centre"

    @property
    def moments(self) -> Path:
        """The model without limits."""
        return self.folder / "pump-without-limits.wtm"

    @property
    def model(self) -> Path:
        """The consolidated model."""
        return self.folder / "pump.wtm"

    def agree(self, *more: object) -> None:
        """Make keys, and the plan."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        from plant.files import put
        from plant.keys import private_pem, public_pem

        key = Ed25519PrivateKey.generate()
        put(self.key, private_pem(key), 0o600)
        self.trust.write_bytes(public_pem(key.public_key()))
        self.inbox.mkdir(exist_ok=True)
        named: list[object] = []
        for name, config in self.configs.items():
            public = self.folder / f"{name}.pub.pem"
            self.run("federation", "key", config, "--out", public)
            named += ["--participant", f"{name}={public}"]
        first = next(iter(self.configs.values()))
        asked = ("--asset", self.asset, "--class", CLASS, *named, "--key", self.key, *more)
        self.run("federation", "plan", first, self.plan, *asked)

    def contribute(self, start_h: float, stop_h: float, *more: object) -> None:
        """Let every gateway make its message, and bring it to the centre on a stick."""
        agreed = ("--plan", self.plan, "--trust", self.trust)
        span = ("--from", when(start_h, self.start), "--to", when(stop_h, self.start))
        for config in self.configs.values():
            self.run("federation", "contribute", config, *agreed, *span, *more)
            self.run("federation", "send", config, "--to", self.inbox)

    def merge(self) -> None:
        """Merge the statistics into a model without limits."""
        self.run("federation", "merge", self.inbox, *self._centre(), "--out", self.moments)

    def limit(self) -> None:
        """Set its limits by the scores."""
        more = ("--scores", self.moments, "--out", self.model)
        self.run("federation", "merge", self.inbox, *self._centre(), *more)

    def compare(self, stop_h: float, *more: object, configs: Sequence[Path] = ()) -> object:
        """Hold it beside local-only and centralised ones."""
        there = configs or list(self.configs.values())
        agreed = ("--plan", self.plan, "--trust", self.trust, "--to", when(stop_h, self.start))
        return self.run("federation", "compare", self.model, *there, *agreed, *more)

    def _centre(self) -> tuple[object, ...]:
        return ("--plan", self.plan, "--key", self.key)
