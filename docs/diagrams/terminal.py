"""The README's own transcript as an animated picture of a terminal.

The transcript is of a real run, and tests/system/e2e/test_transcripts.py compares it with the output of the commands.
The picture shows all lines first, so that its first frame can be read. Then each line appears when the run printed it,
with the waits shortened. Where animations are off, every line stays visible.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from itertools import accumulate, takewhile
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"
SHOWN = ("run mongodb", "athena query")  # the beginnings of the commands in the picture
COLUMNS = 88  # the README folds longer lines
FOLD = 12 * " "  # the indentation of the rest of a folded line
TITLE = "A terminal: etltctl run mongodb, then a query of its result"
FONT = "13px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace"
LETTER, LINE, MARGIN, TOP = 7.8, 20, 18, 44  # pixels
REST_S, PLAY_S = 8.0, 12.0  # the lines stay, and then appear one by one
TYPED_S = 3.0  # before a command, in the run's own seconds
COLOURS = {
    "prompt": "#7ee787",
    "command": "#ffffff",
    "text": "#c9d1d9",
    "good": "#7ee787",
    "quiet": "#8b949e",
}
GOOD = re.compile(r"(proven [\d,]+ of [\d,]+|published \d+ tables|\d+ tables up to date|succeeded)")


@dataclass(frozen=True)
class Line:
    """One line of the terminal, with the second at which it appears."""

    text: str
    second: float
    is_command: bool = False


def terminal() -> str:
    """Return the picture as SVG."""
    lines = _lines()
    width, height = 2 * MARGIN + COLUMNS * LETTER, TOP + len(lines) * LINE + MARGIN
    shown = "\n".join(_drawn(line, TOP + 14 + index * LINE, index) for index, line in enumerate(lines))
    dots = "".join(f'<circle cx="{20 + 18 * n}" cy="18" r="5.5" fill="#3d444d"/>' for n in range(3))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" role="img" '
        f'aria-labelledby="title">\n<title id="title">{TITLE}</title>\n'
        f"<style>\n{_styles(lines)}</style>\n"
        f'<rect width="{width:g}" height="{height:g}" rx="10" fill="#0d1117"/>{dots}\n{shown}\n</svg>\n'
    )


def _lines() -> list[Line]:
    """Return the README's lines of the chosen commands, each with the second at which it appears in the picture.

    Raises:
        ValueError: A line is wider than the picture.
    """
    block = README.read_text("utf-8").partition("```console\n")[2].partition("```")[0]
    texts: list[tuple[str, float, bool]] = []
    for name in SHOWN:
        part = next(
            part
            for part in re.split(r"^\$ ", block, flags=re.MULTILINE)
            if part.startswith(f"etltctl {name}")
        )
        first, *others = f"$ {part.rstrip()}".splitlines()
        command = list(takewhile(lambda text: text.startswith(FOLD), others))
        texts += [(first, TYPED_S, True), *((text, 0.0, True) for text in command)]
        texts += [(text, _seconds(text), False) for text in others[len(command) :]]
        texts += [("", 0.0, False)]
    for text, *_ in texts:
        if len(text) > COLUMNS:
            raise ValueError(f"fold this line of the README, it has more than {COLUMNS} columns: {text}")
    moments = list(accumulate(seconds for _, seconds, _ in texts))
    # One scale for all lines: what took longer in the run also takes longer here.
    scale = PLAY_S / moments[-1]
    return [
        Line(text, round(moment * scale, 2), is_command)
        for (text, _, is_command), moment in zip(texts[:-1], moments, strict=False)
    ]


def _seconds(text: str) -> float:
    """Return how long the step of a line took; a line of nothing else appears with the one before."""
    seconds = re.search(r"(\d+\.\d) s\b", text)
    return float(seconds[1]) if seconds and not text.startswith("Run ") else 0.0


def _drawn(line: Line, y: float, index: int) -> str:
    """Return a line as pieces of one colour, each at its column, so that columns align in every font."""
    start, pieces = 0, []
    for number, text in enumerate(re.split(r"^(\$)" if line.is_command else GOOD, line.text)):
        colour = (
            "p" if number % 2 and line.is_command else "g" if number % 2 else "c" if line.is_command else ""
        )
        pieces += [_piece(text, start, y, colour)] if text.strip() else []
        start += len(text)
    return f'<g class="l l{index}">{"".join(pieces)}</g>' if pieces else ""


def _piece(text: str, column: int, y: float, colour: str) -> str:
    column += len(text) - len(text.lstrip())
    text = text.strip()
    x, width = MARGIN + column * LETTER, len(text) * LETTER
    # `textLength` gives each piece the same width in every font, or the columns of a reader without this font would
    # shift.
    shape = f' class="{colour}"' if colour else ""
    content = escape(text, quote=False)
    return f'<text{shape} x="{x:g}" y="{y:g}" textLength="{width:g}" xml:space="preserve">{content}</text>'


def _styles(lines: list[Line]) -> str:
    whole = PLAY_S + REST_S
    frames = "".join(
        # With step-end a value stays until the next frame of the animation, so that a line appears at once.
        f"@keyframes k{index}{{0%{{opacity:1}}{100 * REST_S / whole:.1f}%{{opacity:0}}"
        f"{100 * (REST_S + line.second) / whole:.1f}%,100%{{opacity:1}}}}"
        f".l{index}{{animation:k{index} {whole:g}s step-end infinite}}\n"
        for index, line in enumerate(lines)
        if line.text.strip() and line.second
    )
    return (
        f".l{{font:{FONT};fill:{COLOURS['text']};white-space:pre}}\n"
        f".p{{fill:{COLOURS['prompt']}}}.c{{fill:{COLOURS['command']}}}.g{{fill:{COLOURS['good']}}}\n{frames}"
        "@media (prefers-reduced-motion:reduce){.l{animation:none!important}}\n"
    )
