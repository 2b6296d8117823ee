"""A picture of a fault: each assignment at the site of its agent, by time, and what was done to the sites."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

_WIDTH, _LEFT, _TOP, _ROW = 1_000, 60, 40, 60
_COLOURS = ("#1f6f8b", "#c8553d", "#6a7b3c")


class Mark(NamedTuple):
    """Something that was done, `at` seconds of the same clock as the assignments."""

    at: float
    words: str


def draw(path: Path, assignments: Sequence[tuple[float, str]], marks: Sequence[Mark], title: str) -> None:
    """Writes an SVG. `assignments`: (seconds, site). Time 0 is the first mark's."""
    zero = marks[0].at if marks else min(at for at, _ in assignments)
    moments = [at - zero for at, _ in assignments] + [mark.at - zero for mark in marks]
    first, last = min(moments) - 1, max(moments) + 1
    sites = sorted({site for _, site in assignments})
    height = _TOP + _ROW * len(sites) + 90

    def x(seconds: float) -> float:
        return _LEFT + (seconds - first) / (last - first) * (_WIDTH - _LEFT - 20)

    floor = _TOP + _ROW * len(sites)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="13">',
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/><text x="{_LEFT}" y="22" font-size="15">{escape(title)}</text>',
    ]
    for row, site in enumerate(sites):
        middle = _TOP + _ROW * row + _ROW / 2
        parts.append(f'<text x="12" y="{middle + 5}">site {escape(site)}</text>')
        parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH - 20}" y1="{middle}" y2="{middle}" stroke="#ddd"/>')
        parts += [
            f'<line x1="{x(at - zero):.1f}" x2="{x(at - zero):.1f}" y1="{middle - 20}" y2="{middle + 20}" '
            f'stroke="{_COLOURS[row % len(_COLOURS)]}" stroke-width="2"/>'
            for at, where in assignments
            if where == site
        ]
    for number, mark in enumerate(marks):
        at = x(mark.at - zero)
        parts.append(
            f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{floor}" stroke="black" stroke-dasharray="4 3"/>'
        )
        side, anchor = (4, "start") if at < 0.7 * _WIDTH else (-4, "end")
        parts.append(
            f'<text x="{at + side:.1f}" y="{floor + 36 + 16 * (number % 3)}" text-anchor="{anchor}">{escape(mark.words)}</text>'
        )
    step = max(1, round((last - first) / 12))
    for second in range(int(first // step) * step, int(last) + 1, step):
        if second >= first:
            parts.append(
                f'<text x="{x(second):.1f}" y="{floor + 16}" text-anchor="middle" fill="#666">{second} s</text>'
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*parts, "</svg>", ""]), encoding="utf-8")
