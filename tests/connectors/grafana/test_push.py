"""`wheeltapper grafana push` and `diff`, against the published contract and a real Grafana."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dashboards.collection import boards
from dashboards.provision import BOARDS
from dashboards.variables import CONSOLE
from tests.connectors.grafana.conftest import Site
from tests.connectors.grafana.contract import EDITOR, VIEWER, Contract
from tests.ports import free_port
from tests.wheeltapper.conftest import Ended, command
from wheeltapper import grafana as commands

pytestmark = pytest.mark.journey
Command = Callable[..., Ended]
UIDS = [one.uid for one in boards()]
__all__ = ["command"]


@pytest.fixture
def grafana(command: Command, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ended]:
    """Run ``wheeltapper grafana`` against a site with its token."""

    def run(verb: str, site: Site, *words: object) -> Ended:
        monkeypatch.setenv("GRAFANA_TOKEN", site.token)
        return command("grafana", verb, site.url, *words)

    return run


def listed(ended: Ended) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ended.out.splitlines()]


def test_a_second_push_changes_nothing(site: Site, grafana: Command) -> None:
    first = grafana("push", site, "--json")
    assert (first.code, first.err) == (0, "")
    assert [(one["board"], one["done"]) for one in listed(first)] == [(u, "made") for u in UIDS]
    versions = [site.ask("GET", f"/dashboards/uid/{uid}")["meta"]["version"] for uid in UIDS]

    again = grafana("push", site, "--json")
    assert again.code == 0
    assert {one["done"] for one in listed(again)} == {"left as it is"}
    after = [site.ask("GET", f"/dashboards/uid/{uid}")["meta"]["version"] for uid in UIDS]
    assert after == versions


def test_a_board_arrives_as_it_is_made(site: Site, grafana: Command) -> None:
    grafana("push", site, "--console", "https://console.plant:8443/")
    found = site.ask("GET", "/dashboards/uid/wheeltapper-asset")
    made = next(one for one in boards() if one.uid == "wheeltapper-asset")
    made_json = made.written("https://console.plant:8443")
    assert found["dashboard"]["panels"] == made_json["panels"]
    assert found["dashboard"]["templating"] == made_json["templating"]
    assert found["meta"]["folderUid"] == "wheeltapper"


def test_diff_tells_what_a_push_would_do_and_does_nothing(site: Site, grafana: Command) -> None:
    before = grafana("diff", site, "--json")
    assert before.code == 1
    assert {one["standing"] for one in listed(before)} == {"is not there"}
    grafana("push", site)
    same = grafana("diff", site)
    assert same.code == 0
    assert same.out.splitlines() == [f"board {uid}: is the same" for uid in UIDS]


def test_another_console_is_a_change_of_ours(site: Site, grafana: Command) -> None:
    grafana("push", site)
    told = grafana("diff", site, "--console", "http://gateway-3:8080")
    assert told.code == 1
    assert "board wheeltapper-site: differs\n" in told.out
    assert f'"{CONSOLE}" → "http://gateway-3:8080"' in told.out
    pushed = grafana("push", site, "--json", "--console", "http://gateway-3:8080")
    assert pushed.code == 0
    assert {one["done"] for one in listed(pushed)} == {"renewed"}


def test_what_somebody_else_changed_is_kept(site: Site, grafana: Command) -> None:
    grafana("push", site)
    site.edited("wheeltapper-line", "My own line")
    told = grafana("diff", site)
    assert told.code == 1
    assert "board wheeltapper-line: differs, and somebody else changed it last" in told.out
    assert 'title: "My own line" → "Wheeltapper: line"' in told.out

    kept = grafana("push", site, "--json")
    assert kept.code == 1
    row = next(one for one in listed(kept) if one["done"] == "kept back")
    assert row["board"] == "wheeltapper-line"
    assert "--overwrite" in row["why"]
    title = site.ask("GET", "/dashboards/uid/wheeltapper-line")["dashboard"]["title"]
    assert title == "My own line"

    assert grafana("push", site, "--overwrite").code == 0
    title = site.ask("GET", "/dashboards/uid/wheeltapper-line")["dashboard"]["title"]
    assert title == "Wheeltapper: line"
    assert grafana("diff", site).code == 0


def test_a_wrong_token_is_told_from_a_wrong_address(site: Site, grafana: Command) -> None:
    ended = grafana("push", Site(site.url, "glsa_wrong"))
    assert ended.code == 2
    assert "does not know this token" in ended.err
    assert "service account" in ended.err
    assert "glsa_wrong" not in ended.out + ended.err


# What only a server that does as it is told can show.


def test_a_viewer_may_look_and_not_push(
    contract: Contract, published: Site, grafana: Command
) -> None:
    published.furnish()
    looked = grafana("diff", Site(published.url, VIEWER))
    assert looked.code == 1, "the boards are not there; what may not be seen is not told missing"
    assert "data source" not in looked.out
    ended = grafana("push", Site(published.url, VIEWER))
    assert ended.code == 2
    assert "does not let this token make folder wheeltapper" in ended.err
    assert "role Editor" in ended.err
    assert contract.boards == {}


def test_a_missing_data_source_is_told(published: Site, grafana: Command) -> None:
    ended = grafana("push", published, "--json")
    assert ended.code == 1
    missing = [one["source"] for one in listed(ended) if "source" in one]
    assert missing == ["wheeltapper", "wheeltapper-1y", "wheeltapper-90d"]
    told = grafana("diff", published)
    assert "data source wheeltapper-1y: is not there" in told.out


@pytest.mark.parametrize("listed_", [True, False])
def test_a_grafana_that_writes_boards_in_its_own_way(
    contract: Contract, published: Site, grafana: Command, listed_: bool
) -> None:
    published.furnish()
    contract.rewrites, contract.listed = True, listed_
    grafana("push", published)
    changes = len(contract.changes)
    assert grafana("push", published).code == 0
    assert grafana("diff", published).code == 0
    assert len(contract.changes) == changes


def test_a_board_that_was_moved_stays_where_it_is(
    contract: Contract, published: Site, grafana: Command
) -> None:
    grafana("push", published)
    contract.folders["mine"] = "Mine"
    contract.boards["wheeltapper-site"]["folder"] = "mine"
    grafana("push", published, "--console", "http://elsewhere:1")
    assert contract.boards["wheeltapper-site"]["folder"] == "mine"
    assert contract.boards["wheeltapper-line"]["folder"] == "wheeltapper"


def test_a_change_between_reading_and_writing_is_seen(
    contract: Contract, published: Site, grafana: Command
) -> None:
    grafana("push", published)

    def race(method: str, path: str) -> None:
        if method == "POST":
            contract.quirk = lambda *_: None
            contract.boards["wheeltapper-site"]["versions"].append(("nicer", "Ay"))

    contract.quirk = race
    ended = grafana("push", published, "--console", "http://elsewhere:1")
    assert ended.code == 1
    assert "board wheeltapper-site: kept back" in ended.out
    assert "changed by somebody else" in ended.out


def test_another_board_of_the_same_name_is_not_overwritten(
    contract: Contract, published: Site, grafana: Command
) -> None:
    grafana("push", published)
    other = contract.boards.pop("wheeltapper-site")
    contract.boards["other"] = {**other, "board": {**other["board"], "uid": "other"}}
    ended = grafana("push", published)
    assert ended.code == 1
    assert "another board has its name" in ended.out


def test_a_provisioned_board_is_changed_in_its_file(
    contract: Contract, published: Site, grafana: Command
) -> None:
    grafana("push", published)
    contract.provisioned["wheeltapper-site"] = "01-site.json"
    ended = grafana("push", published, "--console", "http://elsewhere:1", "--overwrite")
    assert ended.code == 1
    assert "is provisioned there from 01-site.json" in ended.out


def test_below_a_path(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFANA_TOKEN", EDITOR)
    with Contract(below="/grafana") as served:
        assert command("grafana", "push", served.url + "/").code == 1, "it has no data sources"
        assert set(served.boards) == set(UIDS)
        wrong = command("grafana", "push", served.url.removesuffix("/grafana"))
    assert wrong.code == 2
    assert "with the part of its path" in wrong.err


PAGE = b"<!DOCTYPE html><title>Sign in</title>"


@pytest.mark.parametrize(
    ("strange", "code", "words"),
    [
        ((302, b"", {"Location": "https://login.plant/x"}), 2, "sends us on to https://login"),
        ((200, PAGE, {"Content-Type": "text/html"}), 2, "answers with a page instead of data"),
        ((404, PAGE, {"Content-Type": "text/html"}), 2, "has nothing there"),
        ((403, b"null", {}), 2, "does not let this token"),
        ((401, b"[]", {}), 2, "does not know this token"),
        ((500, b"null", {}), 3, "answers 500"),
        ((502, PAGE, {}), 3, "answers 502"),
        ((429, b'{"message": "slowly"}', {}), 3, "answers 429: slowly"),
    ],
)
@pytest.mark.parametrize("at", ["health", "wheeltapper-site", "db"])
def test_what_stands_in_front_of_a_grafana(
    contract: Contract,
    published: Site,
    grafana: Command,
    strange: tuple[int, bytes, dict[str, str]],
    code: int,
    words: str,
    at: str,
) -> None:
    contract.quirk = lambda _method, path: strange if path.endswith(at) else None
    ended = grafana("push", published)
    assert ended.code == code
    assert words in ended.err
    assert "Traceback" not in ended.err
    assert contract.boards == {}


def test_an_answer_without_a_body_is_done(
    contract: Contract, published: Site, grafana: Command
) -> None:
    contract.folders["wheeltapper"] = "Wheeltapper"
    contract.quirk = lambda method, _path: (204, b"", {}) if method == "POST" else None
    ended = grafana("push", published, "--json")
    assert {one["done"] for one in listed(ended) if "board" in one} == {"made"}


def test_nobody_answers(grafana: Command) -> None:
    ended = grafana("push", Site(f"http://127.0.0.1:{free_port()}", EDITOR))
    assert ended.code == 3
    assert "does not answer" in ended.err


def test_tls_where_there_is_none(published: Site, grafana: Command) -> None:
    ended = grafana("diff", Site(published.url.replace("http:", "https:"), EDITOR))
    assert ended.code == 2
    assert "TLS fails" in ended.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("grafana:3000",), "write https://host:3000"),
        (("http://me:secret@host",), "holds a user"),
        (("http://host/d/abc/line",), "address of Grafana itself"),
        (("http://host?orgId=2",), "ends before ?"),
        (("http://host", "--ca", "x.pem"), "without TLS"),
        (("https://host", "--ca", "/no/such.pem"), "is no file"),
        (("http://host", "--token-file", "/no/such"), "/no/such"),
    ],
)
def test_wrong_words(
    command: Command, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    monkeypatch.setenv("GRAFANA_TOKEN", EDITOR)
    ended = command("grafana", "push", *words)
    assert ended.code == 2
    assert said in ended.err


@pytest.mark.parametrize("console", ["console", "ftp://x", "http://${gateway}:8080"])
def test_a_console_has_an_address(published: Site, grafana: Command, console: str) -> None:
    ended = grafana("push", published, "--console", console)
    assert ended.code == 2
    assert "--console" in ended.err


def test_a_token_is_never_on_the_command_line(
    command: Command, contract: Contract, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GRAFANA_TOKEN", raising=False)
    ended = command("grafana", "push", contract.url)
    assert ended.code == 2
    assert "never on the command line" in ended.err
    file = tmp_path / "token"
    file.write_text(f"{EDITOR}\n")
    command("grafana", "push", contract.url, "--token-file", file)
    assert set(contract.boards) == set(UIDS)


def test_help_knows_what_the_boards_know() -> None:
    """They are not imported for a help text, so their constants stand there once more."""
    assert (commands.CONSOLE, commands.BOARDS) == (CONSOLE, BOARDS)
