"""What the page on the boards says of them is so."""

import json
import re
from pathlib import Path

from connectors.grafana import answers, door, publishing
from dashboards.collection import boards, texts
from dashboards.rules import rules
from tests.dashboards.grafana import questions, targets

GUIDE = (Path(__file__).parents[2] / "docs" / "boards.md").read_text(encoding="utf-8")
SOURCE = "".join(Path(one.__file__).read_text("utf-8") for one in (answers, door, publishing))


def test_every_board_stands_with_its_question() -> None:
    told = dict(re.findall(r"^\| `(\d\d-\w+)` \| ([^|]+\?) \|", GUIDE, re.MULTILINE))
    assert told == {one.name: one.question for one in boards()}


def test_sizes_are_those_of_the_files() -> None:
    told = re.findall(
        r"^\| `(\S+)` \| ([\d,]+) \| (\d+) \| (\d+) \| (\d+) \|$", GUIDE, re.MULTILINE
    )
    counted = []
    for name, text in texts().items():
        board = json.loads(text)
        asked = len(targets(board))
        numbers = (len(board["panels"]), asked, len(questions(board)) - asked)
        size = f"{len(text.encode()):,}"
        counted.append((name.removesuffix(".json"), size, *map(str, numbers)))
    assert told == counted


def test_what_is_said_to_go_wrong_is_what_the_product_says() -> None:
    table = GUIDE.partition("| what is said |")[2].partition("\n\n")[0]
    phrases = [
        phrase.strip("… ")
        for first in re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE)
        for phrase in re.findall(r"`(.*?)`", first)
    ]
    said = re.sub(r'"\s*\n\s*f?"', "", SOURCE)
    assert len(phrases) >= 7
    assert [phrase for phrase in phrases if phrase not in said] == []


def test_the_rules_are_as_many_as_it_says() -> None:
    assert len(rules()) == 7
    assert "\nSeven rules come with the files" in GUIDE
