"""Models arrive: over HTTP that breaks, and from a folder."""

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.registry.outcome import Kept, State
from connectors.registry.ways import Folder, Web
from tests.connectors.influx.test_tls import certified
from tests.connectors.registry import unreliable
from tests.connectors.registry.conftest import FAN, HASTE, PUMP, SOON, Gateway, Site, model
from tests.connectors.registry.unreliable import Mood, Unreliable

Fresh = Callable[[], Web]


def test_a_model_arrives_whole_and_only_once(
    site: Site, gateway: Gateway, server: Unreliable, way: Fresh
) -> None:
    site.publish(1)
    site.publish(3, FAN)

    first = gateway.pull(way())
    asked = len(server.asked)
    again = gateway.pull(way())

    assert first.state is again.state is State.OK, first.why
    assert {(one.asset, one.version) for one in first.new} == {(PUMP, 1), (FAN, 3)}
    assert gateway.held() == {
        "site|area|line|pump/1.wtm": model(1),
        "site|area|line|fan/3.wtm": model(3),
    }
    assert again.new == []
    assert again.kept == [Kept(PUMP, 1), Kept(FAN, 3)]
    assert [path for path, _ in server.asked[asked:]] == [
        "metadata/2.root.json",
        "metadata/timestamp.json",
    ]
    assert again.fresh_until is not None
    assert again.stale_since is None


def test_a_newer_one_comes_beside_the_old(site: Site, gateway: Gateway, way: Fresh) -> None:
    site.publish(1)
    gateway.pull(way())
    site.publish(2)

    outcome = gateway.pull(way())

    assert [one.file for one in outcome.new] == ["site|area|line|pump/2.wtm"]
    assert list(gateway.held().values()) == [model(1), model(2)]


def test_rings_widen_without_a_copy(site: Site, gateway: Gateway, way: Fresh) -> None:
    site.publish(1)
    site.publish(2, ring="canary")
    first = Gateway(gateway.folder.with_name("canary"), site.kit, "canary")

    assert [one.version for one in gateway.pull(way()).new] == [1]
    assert [one.version for one in first.pull(way()).new] == [2]
    files = sorted(site.folder.glob("targets/**/*.wtm"))
    site.registry.promote(PUMP, 2, "all", site.trainer, site.online)
    assert [one.version for one in gateway.pull(way()).new] == [2]
    assert sorted(site.folder.glob("targets/**/*.wtm")) == files


def test_from_a_folder(site: Site, gateway: Gateway) -> None:
    site.publish(1)

    outcome = gateway.pull(Folder(site.folder))

    assert (outcome.state, outcome.place) == (State.OK, str(site.folder))
    assert list(gateway.held().values()) == [model(1)]


def test_a_stick_that_is_not_in(site: Site, gateway: Gateway) -> None:
    outcome = gateway.pull(Folder(site.folder / "nowhere"))

    assert outcome.state is State.UNREACHABLE
    assert outcome.why.endswith("nowhere: no such folder; is the stick in?")


@pytest.mark.parametrize(
    ("part", "moods"),
    [
        (".wtm", [unreliable.cut, unreliable.cut]),
        ("timestamp", [unreliable.broken, unreliable.cut]),
        ("root", [unreliable.broken]),
        ("line~", [unreliable.cut]),
        ("index.json", [unreliable.cut, unreliable.broken]),
    ],
)
def test_what_breaks_is_asked_again_within_a_pull(
    part: str,
    moods: list[Mood],
    site: Site,
    gateway: Gateway,
    server: Unreliable,
    way: Fresh,
) -> None:
    site.publish(1)
    server.moods[part] = moods

    outcome = gateway.pull(way())

    assert outcome.state is State.OK, outcome.why
    assert list(gateway.held().values()) == [model(1)]
    assert moods == []


def test_a_download_goes_on_where_it_broke(
    site: Site, gateway: Gateway, server: Unreliable, way: Fresh
) -> None:
    site.publish(1)
    server.always[".wtm"] = unreliable.cut

    broke = gateway.pull(way())
    del server.always[".wtm"]
    asked = len(server.asked)
    outcome = gateway.pull(way())

    assert broke.state is State.UNREACHABLE
    assert "the link broke in targets/site/area/line/pump/" in broke.why
    assert gateway.held() != {}
    (ranged,) = [given for path, given in server.asked[asked:] if path.endswith(".wtm")]
    assert ranged == "bytes=35000-", "three halves of what was left are here"
    assert outcome.resumed == 35_000
    assert list(gateway.held().values()) == [model(1)]
    assert list((gateway.folder / "tuf" / "parts").iterdir()) == []


def test_a_server_without_ranges_sends_it_all_again(
    site: Site, gateway: Gateway, server: Unreliable, way: Fresh
) -> None:
    site.publish(1)
    server.moods[".wtm"] = [unreliable.cut, unreliable.no_ranges]

    outcome = gateway.pull(way())

    assert (outcome.state, outcome.resumed) == (State.OK, 0)
    assert list(gateway.held().values()) == [model(1)]


def test_two_versions_published_during_one_pull(
    site: Site, gateway: Gateway, server: Unreliable, way: Fresh
) -> None:
    site.publish(1)
    later = iter((2, 3))

    def meanwhile(path: str) -> None:
        for version in [next(later, 0)] if "snapshot" in path or "line~" in path else []:
            site.publish(version)

    server.before = meanwhile
    first = gateway.pull(way())
    server.before = lambda path: None
    second = gateway.pull(way())

    assert (first.state, [one.version for one in first.new]) == (State.OK, [1])
    assert (second.state, [one.version for one in second.new]) == (State.OK, [3])


@pytest.mark.parametrize("mood", [unreliable.silent, unreliable.trickle])
@pytest.mark.parametrize("part", ["timestamp", ".wtm"])
def test_patience_ends(
    part: str, mood: Mood, site: Site, gateway: Gateway, server: Unreliable
) -> None:
    site.publish(1, size=4000)
    server.always[part] = mood

    outcome = gateway.pull(Web(server.url, SOON))

    assert outcome.state is State.UNREACHABLE
    assert outcome.why.startswith(f"{server.url}: ")
    assert gateway.held() == {}


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:9", "http://127.0.0.1:9: Connection refused"),
        ("http://models.invalid:80", "http://models.invalid:80: Name or service not known"),
    ],
)
def test_nobody_there(url: str, words: str, gateway: Gateway) -> None:
    outcome = gateway.pull(Web(url, HASTE))

    assert (outcome.state, outcome.new) == (State.UNREACHABLE, [])
    assert outcome.why.startswith(words.rpartition(": ")[0])
    assert len(outcome.why) > len(url) + 10, "it says what was tried"


def test_through_the_proxy_of_the_plant(
    site: Site, gateway: Gateway, server: Unreliable, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.publish(1)
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    outcome = gateway.pull(Web("http://central.invalid:8070", HASTE))

    assert outcome.state is State.OK, outcome.why
    assert list(gateway.held().values()) == [model(1)]


@pytest.mark.parametrize(
    ("believed", "state", "words"),
    [(False, State.UNREACHABLE, "certificate verify failed"), (True, State.OK, "")],
)
def test_over_tls(
    believed: bool,
    state: State,
    words: str,
    site: Site,
    gateway: Gateway,
    server: Unreliable,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the authorities that this machine knows."""
    site.publish(1)
    pem = certified(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem if believed else tmp_path / "none.pem"))

    outcome = gateway.pull(Web(server.url.replace("http:", "https:"), HASTE))

    assert (outcome.state, words in outcome.why) == (state, True), outcome.why
