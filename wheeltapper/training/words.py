"""A training in words and in rows for programs: the data card, and the comparison."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analytics.training.comparison import Comparison, Figures
from plant.records import JSON
from wheeltapper.evaluation.words import counted, duration, figure, percent

HEADS = ("", "false alarms", "a week (95 %)", "events found", "median delay", "µs a row")


def card_lines(card: Mapping[str, Any]) -> list[str]:
    """Write a data card as lines."""
    healthy, windows = card["healthy_windows"], card["windows"]
    dropped = [f"{why} {n:,}" for why, n in card["dropped"].items() if n]
    lines = [
        *_beginning(card),
        f"windows        {windows:,} of {card['windows_s']:g} s, {healthy:,} of them healthy "
        f"({percent(healthy / max(windows, 1))})",
        f"left out       {'; '.join(dropped) if dropped else 'nothing'}",
        f"gaps           {_gaps(card)}",
        f"learnt from    {card['rows']:,} rows laid out of {figure(card['hours'])} healthy hours",
        f"held out       {card['hold_out']['rows']:,} rows, from {card['hold_out']['from']}",
    ]
    for mode in card["modes"]:
        name = f"{mode['mode']} {mode['name']}".strip() if mode["name"] else "no mode tag"
        said = f"{figure(mode['hours'])} h, {mode['rows']:,} rows"
        judged = "" if mode["judged"] else ": too few after each change to be judged in"
        lines.append(f"mode           {name}: {said}{judged}")
    if card["silent"]:
        lines.append(f"without data   {', '.join(card['silent'])}: nothing is learnt of them")
    for event in card["events"]:
        kind = "labelled fault" if event["labelled"] else "alarm"
        label = f" ({event['label']})" if event["label"] else ""
        lines.append(f"{kind:14} {event['from']} to {event['to']}{label}")
    more = card["event_count"] - len(card["events"])
    if more > 0:
        lines.append(f"               and {more:,} more")
    return lines


def _beginning(card: Mapping[str, Any]) -> list[str]:
    """Say where a history begins that does not reach back as far as it was asked for."""
    return [f"history begins {card['begins']}"] if card["begins"] else []


def _gaps(card: Mapping[str, Any]) -> str:
    if not card["gaps"]:
        return "none"
    longest = card["longest_gaps"][0]
    return f"{card['gaps']:,}, the longest from {longest['from']} to {longest['to']}"


def figure_rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """Write the figures of each judge as cells under `HEADS`."""
    return [
        (
            one.name,
            f"{one.false_alarms} in {duration(one.weeks * 604_800)}",
            f"{figure(one.rate, 2)} ({figure(one.low, 2)} to {figure(one.high, 2)})",
            f"{one.found} of {len(one.spotted)}" if one.spotted else "no labels",
            duration(one.median_delay_s),
            figure(one.us_a_row, 2),
        )
        for one in comparison.figures
    ]


def agreement_line(comparison: Comparison) -> str:
    """Say how far the new model and the one in force say the same."""
    agreed = comparison.agreement
    if agreed is None:
        return "agreement      there is no model in force to agree with"
    return (
        f"agreement      {percent(agreed.share)} of {agreed.rows:,} rows that both judged; beyond "
        f"the limit of the new one only {agreed.only_first:,}, of the one in force only "
        f"{agreed.only_second:,}"
    )


def comparison_row(comparison: Comparison) -> dict[str, JSON]:
    """Give the comparison for programs."""
    agreed = comparison.agreement
    figures: list[JSON] = [_figures(one) for one in comparison.figures]
    return {
        "figures": figures,
        "agreement": None
        if agreed is None
        else {
            "rows": agreed.rows,
            "share": _finite(agreed.share),
            "only_new": agreed.only_first,
            "only_in_force": agreed.only_second,
        },
    }


def _figures(one: Figures) -> dict[str, JSON]:
    spotted: list[JSON] = [
        {
            "from": each.event.start // 10**6,
            "to": each.event.stop // 10**6,
            "label": each.event.label,
            "delay_s": each.delay_s,
            "named": list[JSON](each.named),
        }
        for each in one.spotted
    ]
    return {
        "name": one.name,
        "rows": one.rows,
        "judged": one.judged,
        "weeks": _finite(one.weeks),
        "false_alarms": one.false_alarms,
        "false_alarms_a_week": _finite(one.rate),
        "low": _finite(one.low),
        "high": _finite(one.high),
        "events": spotted,
        "us_a_row": _finite(one.us_a_row),
    }


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def trained_line(path: str, version: int, size: int, file: str) -> str:
    """Say that a model was written."""
    return f"{path}: version {version}, {size / 1000:,.0f} kB, {file}"


def summary_line(trained: int, refused: Sequence[str]) -> str:
    """Say how many were trained, and of how many nothing."""
    if not refused:
        return f"{counted(trained, 'model')} trained"
    return f"{counted(trained, 'model')} trained; nothing of {', '.join(refused)}"
