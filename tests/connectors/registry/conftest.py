"""A registry with a line, its keys, and a gateway that pulls from it."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Self

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from connectors.registry.ceremony import Offline, entrust, found
from connectors.registry.outcome import Outcome
from connectors.registry.puller import Puller, believed
from connectors.registry.registry import Online, Registry
from connectors.registry.ways import Patience, Way, Web
from plant.errors import Rejected
from tests.connectors.registry.unreliable import Unreliable

LINE = "site/area/line"
PUMP = f"{LINE}/pump"
FAN = f"{LINE}/fan"
LIFE_DAYS = 14.0
HASTE = Patience(silence_s=60.0, whole_s=300.0, pauses_s=(0.0, 0.0))
SOON = Patience(silence_s=0.3, whole_s=2.0, pauses_s=(0.0,))


def model(version: int, size: int = 40_000) -> bytes:
    """Bytes that differ everywhere between versions."""
    return bytes((version * 37 + n * n) % 256 for n in range(size))


@dataclass
class Clock:
    """Says when it is; can be put forward and back."""

    shift: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.shift

    @property
    def ns(self) -> int:
        return int(self().timestamp() * 1e9)


@dataclass
class Site:
    """A registry and whoever holds its keys."""

    folder: Path
    clock: Clock = field(default_factory=Clock)
    root: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    targets: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    trainer: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    online: Online = field(
        default_factory=lambda: Online(Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate())
    )

    def found(self) -> Self:
        """Make the registry, with one line."""
        offline = Offline(self.root, self.targets)
        made = found(self.folder, offline, self.online, LIFE_DAYS, self.clock)
        entrust(made, LINE, self.trainer.public_key(), self.targets, self.trainer, self.clock)
        made.refresh(self.online)
        return self

    def copied(self, folder: Path) -> "Site":
        """Give the same in a folder of its own: making it anew waits for the disk many times."""
        shutil.copytree(self.folder, folder)
        return replace(self, folder=folder, clock=Clock())

    @cached_property
    def registry(self) -> Registry:
        return self.again()

    @property
    def kit(self) -> bytes:
        return self.registry.shelf.content("root")

    def publish(
        self, version: int, asset: str = PUMP, ring: str = "all", size: int = 40_000
    ) -> None:
        data = model(version, size)
        self.registry.publish(asset, version, data, self.trainer, self.online, ring)

    def again(self) -> Registry:
        """Open the folder anew."""
        return Registry(self.folder, self.clock)


@dataclass
class Gateway:
    """A gateway's folder of models."""

    folder: Path
    kit: bytes
    ring: str = "all"
    check: Callable[[str, int, bytes], None] = believed

    def pull(self, way: Way, newest: int = 0, now: int | None = None) -> Outcome:
        assets = {asset: self.folder / asset.replace("/", "|") for asset in (PUMP, FAN)}
        puller = Puller(way, self.kit, self.folder, assets, self.ring, self.check)
        return puller.pull(Clock().ns if now is None else now, newest)

    def held(self) -> dict[str, bytes]:
        """All model files, by their path."""
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for path in sorted(self.folder.glob("*/*.wtm"))
        }


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("founded") / "registry").found()


@pytest.fixture
def site(founded: Site, tmp_path: Path) -> Site:
    return founded.copied(tmp_path / "registry")


@pytest.fixture
def gateway(tmp_path: Path, site: Site) -> Gateway:
    return Gateway(tmp_path / "models", site.kit)


@pytest.fixture
def server(site: Site) -> Iterator[Unreliable]:
    with Unreliable(site.folder) as running:
        yield running


@pytest.fixture
def way(server: Unreliable) -> Callable[[], Web]:
    """Give a fresh way to the server, as each pull has one."""
    return lambda: Web(server.url, HASTE)


def refuse_all(_asset: str, version: int, _data: bytes) -> None:
    raise Rejected(f"version {version} is not liked")
