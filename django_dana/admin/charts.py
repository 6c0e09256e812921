"""Charts as inline SVG: no script, no library, and a table of the same numbers stands below each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

_WIDTH: Final = 640
_HEIGHT: Final = 140
_BASE: Final = 120


@dataclass(frozen=True, slots=True)
class Series:
    """Numbers of one kind, one for each label; None where there is none.

    Attributes:
        name: what they are.
        kind: the style: ``calm``, ``good`` or ``bad``.
        values: the numbers.
    """

    name: "_StrOrPromise"
    kind: str
    values: Sequence[float | None]


def bars(title: "_StrOrPromise", labels: Sequence[str], series: Sequence[Series]) -> SafeString:
    """Return bars, those of one label on top of each other's foot: the first series is the whole, the others parts."""
    top = _top(series)
    step = _WIDTH / max(len(labels), 1)
    width = step * 0.7
    shapes = []
    for one in series:
        for index, value in enumerate(one.values):
            if value:
                height = value / top * (_BASE - 10)
                shapes.append(
                    (
                        f"{index * step + step * 0.15:.1f}",
                        f"{_BASE - height:.1f}",
                        f"{width:.1f}",
                        f"{height:.1f}",
                        one.kind,
                    )
                )
    drawn = format_html_join("", '<rect x="{}" y="{}" width="{}" height="{}" class="dana-bar-{}"/>', shapes)
    return _frame(title, labels, series, top, drawn)


def lines(title: "_StrOrPromise", labels: Sequence[str], series: Sequence[Series]) -> SafeString:
    """Return a line with dots for each series; a missing number is a gap."""
    top = _top(series)
    step = _WIDTH / max(len(labels), 1)
    parts = []
    for one in series:
        points = [
            (index * step + step / 2, _BASE - value / top * (_BASE - 10))
            for index, value in enumerate(one.values)
            if value is not None
        ]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dots = format_html_join("", '<circle cx="{}" cy="{}" r="2.5"/>', ((f"{x:.1f}", f"{y:.1f}") for x, y in points))
        parts.append(format_html('<g class="dana-line-{}"><polyline points="{}"/>{}</g>', one.kind, path, dots))
    return _frame(title, labels, series, top, format_html_join("", "{}", ((part,) for part in parts)))


def _top(series: Sequence[Series]) -> float:
    return max((value for one in series for value in one.values if value), default=1.0) or 1.0


def _frame(
    title: "_StrOrPromise", labels: Sequence[str], series: Sequence[Series], top: float, drawn: SafeString
) -> SafeString:
    first, last = (labels[0], labels[-1]) if labels else ("", "")
    legend = format_html_join(
        " ", '<span class="dana-key dana-key-{}">{}</span>', ((one.kind, one.name) for one in series)
    )
    return format_html(
        '<figure class="dana-chart"><figcaption>{title} {legend}</figcaption>'
        '<svg viewBox="0 0 {width} {height}" role="img" aria-label="{title}" preserveAspectRatio="none">'
        '<line x1="0" x2="{width}" y1="{base}" y2="{base}" class="dana-axis"/>{drawn}</svg>'
        '<p class="dana-scale"><span>{first}</span><span>↑ {top}</span><span>{last}</span></p></figure>',
        title=title,
        legend=legend,
        width=_WIDTH,
        height=_HEIGHT,
        base=_BASE,
        drawn=drawn,
        first=first,
        last=last,
        top=f"{top:,.4g}",
    )
