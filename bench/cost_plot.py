"""Curves as an SVG: panels side by side, each with a logarithmic axis of sizes and one of microseconds from zero."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

PANEL_WIDTH, PANEL_HEIGHT, COLUMNS = 460, 300, 2
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 46, 52
HEAD = 64
COLOURS = ("#3b6ea5", "#c0504d", "#2e8b57", "#8064a2", "#d08a2e", "#555555")
TICKS = 4


@dataclass(frozen=True, slots=True)
class Curve:
    name: str
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Panel:
    """`sizes` are what the axis says, ascending and above zero; each curve has a value for each."""

    title: str
    axis: str
    sizes: Sequence[int]
    curves: Sequence[Curve]


def picture(title: str, subtitle: str, panels: Sequence[Panel]) -> str:
    """All panels have the same scale upwards, so that they can be compared. Curves of one name have one colour."""
    rows = math.ceil(len(panels) / COLUMNS)
    width, height = COLUMNS * PANEL_WIDTH, HEAD + rows * PANEL_HEIGHT
    highest = _round_up(max(value for panel in panels for curve in panel.curves for value in curve.values))
    names = list(dict.fromkeys(curve.name for panel in panels for curve in panel.curves))
    parts = [_text(LEFT, 24, title, 16), *_legend(names), _text(width - RIGHT, 24, subtitle, 11, "end")]
    for number, panel in enumerate(panels):
        x, y = number % COLUMNS * PANEL_WIDTH, HEAD + number // COLUMNS * PANEL_HEIGHT
        parts.append(f'<g transform="translate({x} {y})">{"".join(_panel(panel, highest, names))}</g>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="DejaVu Sans, Helvetica, sans-serif"><rect width="{width}" height="{height}" fill="#ffffff"/>'
        f"{''.join(parts)}</svg>\n"
    )


def _panel(panel: Panel, highest: float, names: Sequence[str]) -> list[str]:
    right, bottom = PANEL_WIDTH - RIGHT, PANEL_HEIGHT - BOTTOM
    least, most = math.log(panel.sizes[0]), math.log(panel.sizes[-1])
    across = [LEFT + (right - LEFT) * (math.log(size) - least) / (most - least) for size in panel.sizes]
    parts = [_text(LEFT, TOP - 16, panel.title, 13)]
    for tick in range(TICKS + 1):
        value = highest * tick / TICKS
        y = bottom - (bottom - TOP) * tick / TICKS
        parts.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="#dddddd"/>')
        parts.append(_text(LEFT - 6, y + 4, f"{value:g}", 10, "end"))
    parts += [_text(x, bottom + 16, f"{size:,}", 10, "middle") for x, size in zip(across, panel.sizes, strict=True)]
    parts.append(_text((LEFT + right) / 2, bottom + 34, panel.axis, 11, "middle"))
    for curve in panel.curves:
        colour = COLOURS[names.index(curve.name) % len(COLOURS)]
        points = [(x, bottom - (bottom - TOP) * value / highest) for x, value in zip(across, curve.values, strict=True)]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
    return parts


def _legend(names: Sequence[str]) -> list[str]:
    parts, x = [], float(LEFT)
    for number, name in enumerate(names):
        parts.append(f'<rect x="{x:.0f}" y="38" width="12" height="12" fill="{COLOURS[number % len(COLOURS)]}"/>')
        parts.append(_text(x + 18, 48, name, 11))
        x += 40 + 6.6 * len(name)
    return parts


def _round_up(value: float) -> float:
    """The next of 1, 2, 4, 5, 8 times a power of ten: whole numbers at the four lines."""
    power = 10.0 ** math.floor(math.log10(max(value, 1e-9)))
    return next(step * power for step in (1.0, 2.0, 4.0, 5.0, 8.0, 10.0) if step * power >= value)


def _text(x: float, y: float, text: str, size: int, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="#333333" text-anchor="{anchor}">{escape(text)}</text>'
    )
