"""Small charts for the report, as inline SVG and HTML, with every number written out.

Plain numbers → markup. Charts take their colours from the page's style sheet (classes `c0`, `c1`, `c2`), so that they
follow its light and dark scheme; each has a text alternative, because a chart that only shows is no use to a reader
of the source, a screen reader or a grep.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

WIDTH, WIDE, HEIGHT = 300, 620, 170  # of a chart's own coordinates, about the pixels that it gets
_LEFT, _RIGHT, _TOP, _BOTTOM = 8, 8, 20, 34
_LINE = 14  # of words
_FEW_LABELS = 14  # more columns than this show every second label


def text(value: Any) -> str:
    """Anything as HTML text or a quoted attribute value: escaped, without control characters or bidi overrides."""
    return html.escape(clean(str(value)), quote=True)


def clean(value: str) -> str:
    """Text without control characters or bidi overrides."""
    return "".join(
        c if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs") else " " for c in value if c not in _BIDI
    )


_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # would reorder what stands beside them


def number(value: float) -> str:
    """A number for a person: whole ones with separators, others to three digits."""
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def percent(part: float, whole: float) -> str:
    """A share; never 0 % or 100 % where it is not."""
    if not whole:
        return "–"
    share = 100 * part / whole
    if 0 < share < 0.1:
        return "&lt;0.1&nbsp;%"
    if 99.9 < share < 100:
        return "&gt;99.9&nbsp;%"
    return f"{share:.0f}&nbsp;%" if share in (0, 100) or share >= 10 else f"{share:.1f}&nbsp;%"


def size(count: float) -> str:
    """Bytes for a person."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 1000 or unit == "TB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError("unreachable")


def share_bar(kept: int, entered: int, label: str) -> str:
    """One bar: how much of `entered` was kept."""
    width = 100 * kept / entered if entered else 0
    return (
        f'<div class="bar" role="img" aria-label="{text(label)}: {kept:,} of {entered:,} kept">'
        f'<span class="kept" style="width:{width:.2f}%"></span></div>'
    )


def bars(items: Sequence[tuple[str, int]], whole: int, css: str = "c0") -> str:
    """A list of named counts, each with a bar that shows its share of `whole`."""
    rows = "".join(
        f'<li><span class="name">{text(name).replace("_", "_<wbr>")}</span><span class="count">{count:,} '
        f"<small>{percent(count, whole)}</small></span>"
        f'<span class="track"><span class="{css}" style="width:{100 * count / max(whole, 1):.2f}%"></span></span></li>'
        for name, count in items
    )
    return f'<ul class="bars">{rows}</ul>'


def columns(
    labels: Sequence[str], series: Mapping[str, Sequence[int]], title: str, limit: tuple[float, str] | None = None
) -> str:
    """Columns over labels; several series stand side by side, each as shares of its own total.

    Args:
        limit: (place, name) of a threshold to draw: 2.5 is in the middle of the third column.
    """
    many = len(series) > 1
    totals = {name: sum(counts) or 1 for name, counts in series.items()}
    values = {name: [100 * c / totals[name] if many else c for c in counts] for name, counts in series.items()}
    top = max((v for counts in values.values() for v in counts), default=0) or 1
    full = WIDE if many else WIDTH
    step = (full - _LEFT - _RIGHT) / max(1, len(labels))
    bar = step * 0.86 / max(1, len(series))
    floor, roof = HEIGHT - _BOTTOM, _TOP + (_LINE if limit else 0)
    parts = []
    for index, label in enumerate(labels):
        x = _LEFT + step * index + step * 0.07
        for place, (name, shares) in enumerate(values.items()):
            height = (floor - roof) * shares[index] / top
            count = series[name][index]
            if not count:
                continue
            shown = ("" if shares[index] < 0.5 else f"{shares[index]:.0f}%") if many else short(count)
            left = x + bar * place
            parts.append(
                f'<rect class="c{place}" x="{left:.1f}" y="{floor - max(height, 1):.1f}" width="{bar:.1f}" '
                f'height="{max(height, 1):.1f}" rx="1.5"><title>{text(name)} {text(label)}: {count:,}</title></rect>'
            )
            if bar >= (18 if many else 14):
                parts.append(
                    f'<text class="value" x="{left + bar / 2:.1f}" y="{floor - height - 4:.1f}">{shown}</text>'
                )
        if len(labels) <= _FEW_LABELS or index % 2 == 0:
            parts.append(f'<text x="{x + step * 0.43:.1f}" y="{floor + 14}">{text(label)}</text>')
    parts.append(f'<line class="axis" x1="{_LEFT}" x2="{full - _RIGHT}" y1="{floor}" y2="{floor}"/>')
    if limit is not None:
        x = _LEFT + step * limit[0]
        side = "end" if limit[0] > len(labels) / 2 else "begin"
        parts.append(f'<line class="limit" x1="{x:.1f}" x2="{x:.1f}" y1="2" y2="{floor}"/>')
        parts.append(f'<text class="{side}" x="{x + (-4 if side == "end" else 4):.1f}" y="11">{text(limit[1])}</text>')
        title = f"{title}, with the threshold {limit[1]}"
    said = "; ".join(
        f"{name}: " + ", ".join(f"{label} {count:,}" for label, count in zip(labels, counts, strict=True) if count)
        for name, counts in series.items()
    )
    return _svg(parts, f"{title}. {said}", full, HEIGHT) + (_legend(list(series)) if many else "")


def lines(series: Mapping[str, Sequence[tuple[float, float]]], title: str, x_label: str, y_label: str) -> str:
    """Lines over a common axis, on which 0 is; first and last value of each are written out below."""
    points = [point for line in series.values() for point in line]
    if not points:
        return ""
    width, height, left, bottom = 760, 300, 44, 34
    low, high = min(0.0, *(y for _, y in points)), max(0.0, *(y for _, y in points)) * 1.05
    high = high if high > low else low + 1.0
    start, end = min(x for x, _ in points), max(x for x, _ in points)
    span = (end - start) or 1

    def at(x: float, y: float) -> str:
        across = left + (width - left - 12) * (x - start) / span
        return f"{across:.1f},{height - bottom - (height - bottom - 12) * (y - low) / (high - low):.1f}"

    parts = []
    for tick in sorted({*_ticks(high), *(-tick for tick in _ticks(-low))}):
        y = at(start, tick).split(",")[1]
        parts.append(f'<line class="grid" x1="{left}" x2="{width - 12}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text class="end" x="{left - 6}" y="{float(y) + 4:.1f}">{tick:g}</text>')
    for tick in [t for t in _ticks(end) if t >= start]:
        parts.append(f'<text x="{at(tick, 0).split(",")[0]}" y="{height - bottom + 16}">{tick:g}</text>')
    parts.append(f'<text x="{(left + width) / 2:.0f}" y="{height - 4}">{text(x_label)}</text>')
    for place, line in enumerate(series.values()):
        parts.append(f'<polyline class="l{place}" points="{" ".join(at(x, y) for x, y in line)}"/>')
    said = "; ".join(f"{name}: {line[0][1]:.2f} to {line[-1][1]:.2f}" for name, line in series.items() if line)
    told = [f"{name} {line[0][1]:.2f} → {line[-1][1]:.2f}" for name, line in series.items() if line]
    return _svg(parts, f"{title}, {y_label} over {x_label}. {said}", width, height) + _legend(told, "l")


def short(count: float) -> str:
    """A count in at most four characters or so: 12, 3.4k, 120k, 1.2M."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= limit:
            value = count / limit
            return f"{round(value, 1):g}{unit}" if value < 10 else f"{value:.0f}{unit}"
    return f"{count:g}"


def _legend(names: Sequence[str], kind: str = "c") -> str:
    """Names beside keys drawn as what they stand for: columns (c) or lines (l)."""
    keys = "".join(f'<li><span class="key {kind}{place}"></span>{text(name)}</li>' for place, name in enumerate(names))
    return f'<ul class="legend">{keys}</ul>'


def _ticks(top: float) -> list[float]:
    """A handful of round values from 0 up to `top`; 0 alone where that is no more."""
    if top <= 0:
        return [0]
    power = 10.0
    while power > top:
        power /= 10
    while power * 10 <= top:
        power *= 10
    step = next(power * factor for factor in (0.1, 0.2, 0.5, 1, 2, 5) if top / (power * factor) <= 6)
    return [round(step * i, 10) for i in range(int(top / step) + 1)]


def _svg(parts: Sequence[str], said: str, width: int, height: int) -> str:
    drawn = f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{text(said)}">{"".join(parts)}</svg>'
    return f'<div class="scroll drawing">{drawn}</div>' if width > WIDTH else drawn
