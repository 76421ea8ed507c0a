"""The boards held against Grafana's own types of its present version, by the TypeScript compiler.

What the types do not know is refused, as the compiler refuses an excess property of a literal. Of
annotations the target is left out: it is the data source's own, and the types know Grafana's only.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dashboards.collection import texts
from tests.lacking import lacking

PART = Path(__file__).parents[1] / "parts" / "grafana-schema"
COMPILER = PART / "node_modules" / "typescript" / "bin" / "tsc"
MISSING = "grafana-schema — install with: npm ci --prefix tests/parts/grafana-schema"
OF_PANELS = {
    "histogram": "Histogram",
    "stat": "Stat",
    "state-timeline": "StateTimeline",
    "status-history": "StatusHistory",
    "table": "Table",
    "timeseries": "TimeSeries",
}
RAW = "@grafana/schema/dist/esm/raw/composable"
HEAD = """\
import type { Dashboard, FieldConfig, Panel } from '@grafana/schema';
type Plain<T> = T extends string ? `${T}`
  : T extends number ? (number extends T ? number
    : `${T}` extends `${infer N extends number}` ? N : never)
  : T extends (infer E)[] ? Plain<E>[]
  : T extends boolean | null | undefined ? T
  : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;
"""


def split(config: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part what every field has from what the fields of a panel have."""
    own = {key: value for key, value in config.items() if key != "custom"}
    return own, config.get("custom", {})


def overridden(panel: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Put the properties of each override into the shape of the defaults that they override."""
    for one in panel["fieldConfig"]["overrides"]:
        told = {each["id"]: each["value"] for each in one["properties"]}
        custom = {key[7:]: told.pop(key) for key in [*told] if key.startswith("custom.")}
        custom.pop("hidden", None)  # an older Grafana's word for hideFrom, which stands beside it
        yield {**told, "custom": custom}


def checked(boards: list[dict[str, Any]]) -> str:
    """Write the boards as literals, each piece with the type that it has to have."""
    lines = [HEAD]
    lines += [
        f"import type * as {name} from '{RAW}/{name.lower()}/panelcfg/x/{name}PanelCfg_types.gen';"
        for name in OF_PANELS.values()
    ]
    for board in boards:
        marks = [
            {k: v for k, v in one.items() if k != "target"} for one in board["annotations"]["list"]
        ]
        plain = {**board, "annotations": {"list": marks}}
        lines.append(f"({json.dumps(plain)}) satisfies Plain<Dashboard>;")
        for panel in board["panels"]:
            name, defaults = OF_PANELS[panel["type"]], panel["fieldConfig"]["defaults"]
            lines += [
                f"({json.dumps(panel)}) satisfies Plain<Panel>;",
                f"({json.dumps(panel['options'])}) satisfies Partial<Plain<{name}.Options>>;",
            ]
            for own, custom in (split(one) for one in (defaults, *overridden(panel))):
                known = f"{name}.FieldConfig" if name != "Stat" else "{}"
                lines += [
                    f"({json.dumps(own)}) satisfies Partial<Plain<FieldConfig>>;",
                    f"({json.dumps(custom)}) satisfies Partial<Plain<{known}>>;",
                ]
    return "\n".join(lines)


def compiled(folder: Path, text: str) -> str:
    """Give what the compiler says; nothing where all is well."""
    (folder / "node_modules").symlink_to(PART / "node_modules")
    (folder / "boards.ts").write_text(text, encoding="utf-8")
    words = ["--noEmit", "--strict", "--skipLibCheck", "--module", "esnext"]
    words += ["--moduleResolution", "bundler", "--target", "es2022", "boards.ts"]
    ended = subprocess.run(
        ["node", str(COMPILER), *words], cwd=folder, capture_output=True, text=True
    )
    return ended.stdout


@pytest.fixture(autouse=True)
def _part() -> None:
    if not (shutil.which("node") and COMPILER.exists()):
        lacking(MISSING)


def test_grafanas_present_types_know_all_of_the_boards_and_no_more(tmp_path: Path) -> None:
    """One literal with a word that they do not know stands at the end: it alone is refused."""
    boards = [json.loads(text) for text in texts().values()]
    wrong = {**boards[0]["panels"][0]["options"], "colourMode": "value"}
    last = f"({json.dumps(wrong)}) satisfies Partial<Plain<Stat.Options>>;"
    said = compiled(tmp_path, checked(boards) + f"\n{last}").splitlines()
    assert len(said) == 1, said
    assert "'\"colourMode\"' does not exist in type" in said[0]
