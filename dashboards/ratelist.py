"""False alarms against the budget, as a table: of one asset, or of each."""

from collections.abc import Mapping
from typing import Any

from dashboards.panels import Panel, table
from dashboards.queries import COUNTED, Query

_COLUMNS = {
    "budget": {"displayName": "Budget, a week", "decimals": 2},
    "realised": {"displayName": "Realised, a week", "decimals": 2},
    "realised_low": {"displayName": "at least (95 %)", "decimals": 2},
    "realised_high": {"displayName": "at most (95 %)", "decimals": 2},
    "not_real": {"displayName": "Alarms not called real", "decimals": 0},
    "judged_weeks": {"displayName": "Weeks judged", "decimals": 2},
}


def rates(
    where: str,
    *,
    about: str,
    none: str,
    by: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    sort: tuple[str, bool] | None = None,
) -> Panel:
    """Show what was counted last; `before` and `after` are the columns around the figures."""
    asked = ", ".join(f'last("{name}") AS "{name}"' for name in _COLUMNS)
    query = f'SELECT {asked} FROM "rate" WHERE {where} AND {COUNTED}{by}'
    return table(
        "False alarms: budget against what was realised",
        Query("rate", query),
        {**(before or {}), **_COLUMNS, **(after or {})},
        about=f"{about} Where even the least rate is beyond the budget, the limits are too tight.",
        none=f"Not counted yet: it is, an hour after the {none} judged",
        sort=sort,
    )
