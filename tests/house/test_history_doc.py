"""The lines that the docs give for a notebook run as they stand."""

import re
import subprocess
import sys
from pathlib import Path

from connectors.checks.sinks import TAGS
from connectors.checks.windows import told
from connectors.sqlite.config import SqliteConfig
from connectors.sqlite.sink import SqliteSink
from plant.summaries import HOUR

ROOT = Path(__file__).parents[2]


def test_the_notebook_lines_run(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "history.md").read_text(encoding="utf-8")
    [lines] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    starts = [hour * HOUR for hour in range(400_000, 400_005)]
    record = told(TAGS, starts, HOUR)
    with SqliteSink(SqliteConfig(), TAGS, "gateway", tmp_path / "data") as sink:
        sink.write([record])

    done = subprocess.run(
        [sys.executable, "-c", lines],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "site/area/line/fan/on" in done.stdout
    assert "2015-08-19T20:00:00" in done.stdout
    assert f"{record.mean[-1]:.3f}"[:-1] in done.stdout
