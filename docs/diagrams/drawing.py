"""Boxes, arrows and words as SVG, with sizes that are checked when a picture is drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.sax.saxutils import escape

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
SIZE = 14
LETTER = 0.58  # of the font's size: the mean width of a letter, rather too wide than too narrow
MARGIN = 8
# Fill, border and text of each kind of box. Every pair of fill and text has a contrast of at least 7 to 1.
KINDS = {
    "plain": ("#ffffff", "#8a94a3", "#1c2733"),
    "source": ("#fdf3df", "#c98a12", "#4a3200"),
    "airbyte": ("#ece9fd", "#6a5acd", "#2a1f6b"),
    "bronze": ("#f6e7da", "#a9652c", "#4d2707"),
    "silver": ("#eceff2", "#7b8794", "#1c2733"),
    "gold": ("#fdf1c4", "#b88a00", "#453400"),
    "spark": ("#fde8df", "#d1592a", "#5c1f06"),
    "good": ("#e2f4e7", "#2f8f4e", "#0d3d1d"),
    "bad": ("#fbe4e6", "#c4384a", "#5c0b16"),
    "front": ("#e3effb", "#2f6fb3", "#0d2f54"),
}
INK, QUIET = "#1c2733", "#46515e"
GROUND, DARK_GROUND = "#fbfcfd", "#0f1419"
# In dark mode a box and its text swap their colours, which keeps the contrast of every kind. Text outside of boxes and
# arrows become light.
DARK = {
    **{f'rect[fill="{fill}"]': f"fill:{ink}" for fill, _, ink in KINDS.values()},
    **{f'text[fill="{ink}"]': f"fill:{fill}" for fill, _, ink in KINDS.values()},
    f'rect[fill="{GROUND}"]': f"fill:{DARK_GROUND}",
    f':is(text,path)[fill="{QUIET}"]': "fill:#b3bdc9",
    f'polyline[stroke="{QUIET}"]': "stroke:#b3bdc9",
}


@dataclass(frozen=True)
class Box:
    """A drawn box, with the points where arrows begin and end."""

    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> tuple[float, float]:
        """Return the middle of the left edge."""
        return self.x, self.y + self.height / 2

    @property
    def right(self) -> tuple[float, float]:
        """Return the middle of the right edge."""
        return self.x + self.width, self.y + self.height / 2

    @property
    def top(self) -> tuple[float, float]:
        """Return the middle of the upper edge."""
        return self.x + self.width / 2, self.y

    @property
    def bottom(self) -> tuple[float, float]:
        """Return the middle of the lower edge."""
        return self.x + self.width / 2, self.y + self.height


@dataclass
class Picture:
    """An SVG picture that grows by boxes, arrows and words. It holds no script and asks for nothing on the network."""

    title: str
    width: int
    height: int
    parts: list[str] = field(default_factory=list)
    texts: list[tuple[str, float, float, float, float]] = field(default_factory=list)

    def box(
        self, x: float, y: float, width: float, lines: str, kind: str = "plain", height: float = 0,
        weights: tuple[int, int] = (600, 400),
    ) -> Box:  # fmt: skip
        """Draw a box with one or more lines of text; the first is bold.

        Args:
            x: The left edge, in pixels as all lengths.
            y: The upper edge.
            width: The width.
            lines: The text, with a newline between lines.
            kind: A key of `KINDS`.
            height: The height; 0 chooses it by the count of lines.
            weights: The weight of the first line and of the others, as in CSS.

        Raises:
            ValueError: The text does not fit into the box, or the box does not fit into the picture.
        """
        texts = lines.split("\n")
        height = height or len(texts) * SIZE * 1.35 + 2 * MARGIN
        fill, border, ink = KINDS[kind]
        self._require_inside(x, y, x + width, y + height)
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6" fill="{fill}" stroke="{border}"/>'
        )
        # SVG places text by its baseline, which lies about a third of the letters' height below their middle.
        first = y + height / 2 - (len(texts) - 1) * SIZE * 0.675 + SIZE * 0.35
        for index, text in enumerate(texts):
            weight = weights[min(index, 1)]
            if _width(text, SIZE) > width - MARGIN:
                raise ValueError(f"{text!r} is wider than its box")
            self._text(x + width / 2, first + index * SIZE * 1.35, text, ink, SIZE, weight, "middle")
        return Box(x, y, width, height)

    def arrow(self, *points: tuple[float, float], label: str = "", dashed: bool = False) -> None:
        """Draw an arrow through the points, with a label above the middle of its first part."""
        for x, y in points:
            self._require_inside(x, y, x, y)
        path = " ".join(f"{x:g},{y:g}" for x, y in points)
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self.parts.append(
            f'<polyline points="{path}" fill="none" stroke="{QUIET}" stroke-width="1.5"{dash} marker-end="url(#tip)"/>'
        )
        if label:
            (x1, y1), (x2, y2) = points[:2]
            # A label stands above a level line and to the right of any other, so that the line does not cross it.
            is_level = abs(y1 - y2) < 1
            x, y = ((x1 + x2) / 2, y1 - 6) if is_level else (x1 + 7, (y1 + y2) / 2 + 4)
            self.words(x, y, label, anchor="middle" if is_level else "start")

    def words(
        self, x: float, y: float, text: str, *, anchor: str = "start", size: int = 12, weight: int = 400
    ) -> None:
        """Write text outside of boxes."""
        width = _width(text, size)
        left = x - width / 2 if anchor == "middle" else x
        self._require_inside(left, y - size, left + width, y)
        self._text(x, y, text, QUIET if size < SIZE else INK, size, weight, anchor)

    def frame(self, x: float, y: float, width: float, height: float, text: str) -> None:
        """Draw a dashed frame around other parts, with its name at the upper left."""
        self._require_inside(x, y, x + width, y + height)
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="10" fill="none" stroke="#8a94a3" '
            'stroke-dasharray="4 4"/>'
        )
        self.words(x + 12, y + 20, text, size=13, weight=600)

    def svg(self) -> str:
        """Return the picture as text."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" width="{self.width}" '
            f'role="img" aria-labelledby="title">\n<title id="title">{escape(self.title)}</title>\n'
            f"<style>@media (prefers-color-scheme:dark){{\n{_dark_rules()}}}</style>\n"
            '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
            f'orient="auto-start-reverse"><path d="M0 0L10 5L0 10z" fill="{QUIET}"/></marker></defs>\n'
            f'<rect width="{self.width}" height="{self.height}" rx="8" fill="{GROUND}"/>\n'
            f'<g font-family="{FONT}">\n'
        )
        return head + "\n".join(self.parts) + "\n</g>\n</svg>\n"

    def _text(self, x: float, y: float, text: str, ink: str, size: int, weight: int, anchor: str) -> None:
        width = _width(text, size)
        left = x - width / 2 if anchor == "middle" else x
        area = (text, left, y - size * 0.8, left + width, y)
        for other in self.texts:
            # Two rectangles overlap if they do so in both directions.
            if area[1] < other[3] and other[1] < area[3] and area[2] < other[4] and other[2] < area[4]:
                raise ValueError(f"{text!r} lies on {other[0]!r}")
        self.texts.append(area)
        self.parts.append(
            f'<text x="{x:g}" y="{y:g}" fill="{ink}" font-size="{size}" font-weight="{weight}" '
            f'text-anchor="{anchor}">{escape(text)}</text>'
        )

    def _require_inside(self, left: float, top: float, right: float, bottom: float) -> None:
        if left < 0 or top < 0 or right > self.width or bottom > self.height:
            raise ValueError(f"({left:g}, {top:g}) to ({right:g}, {bottom:g}) is outside of {self.title!r}")


def _dark_rules() -> str:
    return "".join(f"{selector}{{{rule}}}\n" for selector, rule in DARK.items())


def _width(text: str, size: int) -> float:
    return len(text) * size * LETTER
