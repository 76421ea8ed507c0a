"""The alarm report as one page with its pictures inside: no script, no net, prints as it is."""

from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.console.view import ReportRow

WIDTH, HEIGHT = 860, 180
BARS = 215
"""Most bars of a picture; of the stretches that share one the tallest is drawn."""
FLOOD = 10
INK, SOFT, GREY, LINE = "#1e1e1e", "#4a4a4a", "#7d7d7d", "#a6a6a6"
COLOURS = {"1": "#c4001a", "2": "#e06c00", "3": "#f0c000", "4": "#b0129a"}
NAMES = {"1": "1 most urgent", "2": "2", "3": "3", "4": "4 least"}
STYLE = """
body{margin:24px auto;max-width:900px;padding:0 16px;background:#fff;color:#1e1e1e;
font:15px/1.45 system-ui,"Segoe UI","DejaVu Sans",Arial,sans-serif}
h1{font-size:21px;margin:0}h2{font-size:16px;margin:26px 0 6px}p{margin:2px 0;color:#4a4a4a}
table{border-collapse:collapse;width:100%}td,th{padding:4px 10px 4px 0;text-align:left;
border-bottom:1px solid #ccc;vertical-align:top}td.n{text-align:right;white-space:nowrap}
svg{width:100%;height:auto;display:block;background:#f4f4f4;border:1px solid #a6a6a6}
"""


def page(row: "ReportRow", at: Callable[[float], str]) -> str:
    """Draw a report.

    Parameters
    ----------
    row
        The report.
    at
        Writes a time in ms since 1970 UTC.
    """
    from wheeltapper.alarmreport import summary

    lines = [line.partition("  ") for line in summary(row)[1:] if not line.startswith("bad actor")]
    facts = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(text.strip())}</td></tr>"
        for name, _, text in lines
    )
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Alarm report</title>'
        f"<style>{STYLE}</style></head><body><h1>How the alarms did</h1>"
        f"<p>{escape(summary(row)[0])}</p>"
        f"<h2>Alarms in each ten minutes</h2>{timeline(row, at)}"
        f"<p>Dashed: ten, from where on it is a flood (ISA-18.2). One gateway is one operator "
        f"position.</p><h2>False alarms an asset-week, and the budget</h2>{budget(row)}"
        f"<h2>Who alarms most</h2>{actors(row)}"
        f"<h2>By priority</h2>{priorities(row)}"
        f"<p>ISA-18.2 suggests about 80 % low, 15 % medium, 5 % high.</p>"
        f"<h2>All figures</h2><table>{facts}</table></body></html>\n"
    )


def timeline(row: "ReportRow", at: Callable[[float], str]) -> str:
    """Draw the annunciations of each ten minutes as bars, with the line of a flood."""
    counts = row["counts"]
    each = -(-len(counts) // BARS)
    bars = [max(counts[i : i + each]) for i in range(0, len(counts), each)]
    top = max(FLOOD * 1.15, *bars)
    left, base, room = 34, HEIGHT - 24, HEIGHT - 40
    step = (WIDTH - left - 8) / len(bars)

    def y(value: float) -> float:
        return base - value / top * room

    drawn = "".join(
        f'<rect x="{left + i * step:.1f}" y="{y(count):.1f}" width="{max(step - 1, 1):.1f}" '
        f'height="{base - y(count):.1f}" fill="{INK if count > FLOOD else GREY}"/>'
        for i, count in enumerate(bars)
        if count
    )
    dashed = (
        f'<line x1="{left}" x2="{WIDTH - 8}" y1="{y(FLOOD):.1f}" y2="{y(FLOOD):.1f}" '
        f'stroke="{INK}" stroke-dasharray="6 4"/>'
    )
    axis = f'<line x1="{left}" x2="{WIDTH - 8}" y1="{base}" y2="{base}" stroke="{LINE}"/>'
    words = (
        _text(left - 6, y(FLOOD) + 4, str(FLOOD), "end")
        + _text(left - 6, base + 4, "0", "end")
        + _text(left, HEIGHT - 6, at(row["start"]))
        + _text(WIDTH - 8, HEIGHT - 6, at(row["stop"]), "end")
    )
    return _svg(HEIGHT, "Alarms in each ten minutes", axis + drawn + dashed + words)


def budget(row: "ReportRow") -> str:
    """Draw the realised rate with its interval, and where the budget lies."""
    if row["false_week"] is None:
        return "<p>Nothing was judged in this time.</p>"
    rate, low, high = row["false_week"]
    top = 1.1 * max(high, row["budget"])
    left, right = 20, WIDTH - 20

    def x(value: float) -> float:
        return left + value / top * (right - left)

    at = x(row["budget"])
    drawn = (
        f'<line x1="{left}" x2="{right}" y1="52" y2="52" stroke="{LINE}"/>'
        f'<rect x="{x(low):.1f}" y="43" width="{max(x(high) - x(low), 2):.1f}" height="18" '
        f'fill="#b4b4b4"/><circle cx="{x(rate):.1f}" cy="52" r="7" fill="{INK}"/>'
        f'<line x1="{at:.1f}" x2="{at:.1f}" y1="26" y2="72" stroke="{INK}" stroke-width="3"/>'
    )
    side = "end" if at > WIDTH / 2 else "start"
    words = _text(at, 20, f"budget {row['budget']:g}", side) + _text(
        left, 92, f"measured {rate:.3g}, 95 % interval {low:.3g} to {high:.3g}"
    )
    return _svg(102, "False alarms an asset-week beside the budget", drawn + words)


def actors(row: "ReportRow") -> str:
    """Draw the assets that alarmed most, the longest bar first."""
    if not row["actors"]:
        return "<p>No alarm in this time.</p>"
    most = row["actors"][0]["count"]
    drawn = "".join(
        _text(8, 22 + 28 * i, one["asset"])
        + f'<rect x="400" y="{9 + 28 * i}" width="{340 * one["count"] / most:.1f}" height="18" '
        f'fill="{GREY}"/>'
        + _text(
            408 + 340 * one["count"] / most, 22 + 28 * i, f"{one['count']} ({one['share']:.0%})"
        )
        for i, one in enumerate(row["actors"])
    )
    return _svg(28 * len(row["actors"]) + 12, "Assets that alarmed most", drawn)


def priorities(row: "ReportRow") -> str:
    """Draw the share of each priority."""
    whole = sum(row["priorities"].values())
    if not whole:
        return "<p>No alarm in this time.</p>"
    drawn, x = "", 8.0
    for priority, count in row["priorities"].items():
        width = (WIDTH - 16) * count / whole
        drawn += (
            f'<rect x="{x:.1f}" y="8" width="{width:.1f}" height="26" fill="{COLOURS[priority]}"/>'
        )
        x += width
    told = [f"{NAMES[p]}: {count} ({count / whole:.0%})" for p, count in row["priorities"].items()]
    words = "".join(_text(8 + 215 * i, 54, text) for i, text in enumerate(told))
    return _svg(64, "Share of each priority", drawn + words)


def _svg(height: float, title: str, drawn: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}">{drawn}</svg>'
    )


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="13" fill="{SOFT}" '
        f'text-anchor="{anchor}">{escape(text)}</text>'
    )
