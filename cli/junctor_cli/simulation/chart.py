"""A queue's day as a picture (SVG): contacts by half hour, and below them the service level."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 900, 460
_LEFT, _RIGHT = 60, 880
_BARS = (50, 280)
_LEVEL = (320, 420)
_COLOURS = {"offered": "#c9d6e8", "answered": "#3b6ea5", "abandoned": "#c0504d", "service level": "#2e8b57"}


@dataclass(frozen=True, slots=True)
class Point:
    """Means over the runs of one half hour; `service_level` NaN where nobody came."""

    label: str
    offered: float
    answered: float
    abandoned: float
    service_level: float


def chart(title: str, points: Sequence[Point], goal: float = 0.0) -> str:
    """`goal` (0 to 1) is drawn as a line across the service level; 0 for none."""
    highest = max((point.offered for point in points), default=0.0) or 1.0
    step = (_RIGHT - _LEFT) / max(len(points), 1)
    parts = [_text(_LEFT, 24, title, 16), *_legend(), *_axes(highest)]
    for number, point in enumerate(points):
        x = _LEFT + number * step
        for value, name, left, width in (
            (point.offered, "offered", 0.1, 0.8),
            (point.answered, "answered", 0.15, 0.35),
            (point.abandoned, "abandoned", 0.5, 0.35),
        ):
            top = _BARS[1] - (_BARS[1] - _BARS[0]) * value / highest
            parts.append(
                f'<rect x="{x + left * step:.1f}" y="{top:.1f}" width="{width * step:.1f}" '
                f'height="{_BARS[1] - top:.1f}" fill="{_COLOURS[name]}"/>'
            )
        if number % max(len(points) // 12, 1) == 0:
            parts.append(_text(x, HEIGHT - 18, point.label, 11))
    line = [
        f"{_LEFT + (number + 0.5) * step:.1f},{_level(point.service_level):.1f}"
        for number, point in enumerate(points)
        if not math.isnan(point.service_level)
    ]
    parts.append(
        f'<polyline points="{" ".join(line)}" fill="none" stroke="{_COLOURS["service level"]}" stroke-width="2"/>'
    )
    if goal:
        y = _level(goal)
        parts.append(
            f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{_RIGHT}" y2="{y:.1f}" stroke="#888" stroke-dasharray="4 4"/>'
        )
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>\n{body}\n</svg>\n'
    )


def _level(share: float) -> float:
    return _LEVEL[1] - (_LEVEL[1] - _LEVEL[0]) * share


def _axes(highest: float) -> list[str]:
    parts = []
    for part in (0.0, 0.5, 1.0):
        y = _BARS[1] - (_BARS[1] - _BARS[0]) * part
        parts.append(f'<line x1="{_LEFT}" y1="{y}" x2="{_RIGHT}" y2="{y}" stroke="#ddd"/>')
        parts.append(_text(8, y + 4, f"{highest * part:.3g}", 11))
        y = _level(part)
        parts.append(f'<line x1="{_LEFT}" y1="{y}" x2="{_RIGHT}" y2="{y}" stroke="#ddd"/>')
        parts.append(_text(8, y + 4, f"{part:.0%}", 11))
    return parts


def _legend() -> list[str]:
    parts = []
    for number, (name, colour) in enumerate(_COLOURS.items()):
        x = 480 + number * 100
        parts.append(f'<rect x="{x}" y="14" width="10" height="10" fill="{colour}"/>')
        parts.append(_text(x + 14, 23, name, 11))
    return parts


def _text(x: float, y: float, text: str, size: int) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="#333">{escape(text)}</text>'
