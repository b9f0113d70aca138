"""Tables, facts and commands as HTML: the small pieces that every section of the page is made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from itertools import islice

from etltctl.errors import Command, NextStep
from etltctl.moments import duration_text
from etltctl.reports.html import Markup, element
from etltctl.runs import JobRun, Outcome, QueryExecution, RefreshJob, State, SyncJob, Verb
from etltctl.tabulating import local_time

Section = tuple[str, str, Markup]  # its id, its heading, its content
Spell = Callable[[Command | NextStep], str]  # how a command of etltctl is written for the reader
# How the services' words for the status of a run are meant; a run that a person stopped did not fail.
STATES = {
    status: meaning
    for kind in (SyncJob, JobRun, RefreshJob, QueryExecution)
    for status, meaning in kind.states.items()
    if status not in kind.stopped
}
KEPT, STOPPED = "passed", "stopped the publish"
GOOD = frozenset({Outcome.SUCCEEDED, Verb.REUSED, KEPT})
BAD = frozenset({Outcome.FAILED, Outcome.UNVERIFIED, STOPPED})
SIGNIFICANT = 6  # digits of a number with a fraction
SMALLEST, GREATEST = 1e-4, 1e15  # beyond these a number has an exponent
MOST_ROWS = 200  # of one table of the page; more cannot be read, and the page has a limit


def table(
    caption: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    more: str = "",
    right: Collection[str] = (),
) -> Markup:
    """Return a table whose first column names its rows.

    Args:
        caption: What the table shows; a screen reader reads it first.
        columns: The names of the columns.
        rows: The rows. Numbers stand at the right.
        more: Where the rows are that the page leaves out.
        right: The columns of figures with their unit, which stand at the right as well.
    """
    coming = iter(rows)
    shown = [list(row) for row in islice(coming, MOST_ROWS)]
    left_out = sum(1 for _ in coming)
    is_right = [
        name in right or (bool(shown) and all(is_number(row[i]) or row[i] is None for row in shown))
        for i, name in enumerate(columns)
    ]
    # A wide table scrolls by itself. Without a place in the tab order, a keyboard could not scroll it.
    head = [
        element("th", name, scope="col", class_="number" if at else None)
        for name, at in zip(columns, is_right, strict=True)
    ]
    body = [element("tr", _cells(row, is_right)) for row in shown]
    note = element("p", f"{left_out:,} more rows are left out. {more}", class_="soft") if left_out else None
    inner = element(
        "table", element("caption", caption), element("thead", element("tr", head)), element("tbody", body)
    )
    return Markup(scrolling(caption, inner) + (note or ""))


def scrolling(label: str, inner: Markup) -> Markup:
    """Return content that scrolls sideways by itself, with a mouse, by touch and with a keyboard."""
    return element("div", inner, class_="scroll", tabindex="0", role="group", aria_label=label)


def _cells(row: Sequence[object], right: Sequence[bool]) -> list[Markup]:
    first, *others = row
    numbers = ["number" if at else None for at in right]
    return [
        element("th", shown(first), scope="row", class_=numbers[0]),
        *(
            element("td", shown(cell), class_=number)
            for cell, number in zip(others, numbers[1:], strict=True)
        ),
    ]


def shown(value: object) -> object:
    """Return a value as the page shows it: numbers with separators, null as a dash."""
    if value is None:
        return "–"
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return number_text(value)
    return value


def number_text(value: float | Decimal, digits: int = SIGNIFICANT) -> str:
    """Return a number as every part of the page writes it: with separators, and without an exponent if it can be read.

    Args:
        value: The number.
        digits: How many significant digits a number with a fraction has. A whole number keeps all of its digits.
    """
    if isinstance(value, int):
        return f"{value:,}"
    number = float(value)
    if not math.isfinite(number) or number == 0:
        return f"{number:g}"
    if not SMALLEST <= abs(number) < GREATEST:
        return f"{number:.{digits}g}"
    after = max(digits - 1 - math.floor(math.log10(abs(number))), 0)
    text = f"{number:,.{after}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def is_number(value: object) -> bool:
    """Return whether the value is a number; a truth value is not."""
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def facts(pairs: Iterable[tuple[str, object]]) -> Markup:
    """Return facts with their names, as boxes next to each other."""
    return element(
        "dl",
        (element("div", element("dt", name), element("dd", value)) for name, value in pairs),
        class_="facts",
    )


def moment(at: datetime, *, day: datetime | None = None) -> Markup:
    """Return a time: local for the reader, and in UTC for programs.

    Args:
        at: The time.
        day: A time whose day and zone the reader knows: one of the same day is shown without both.
    """
    is_known = day is not None and at.astimezone().date() == day.astimezone().date()
    text = f"{at.astimezone():%H:%M:%S}" if is_known else local_time(at.isoformat())
    return element("time", text, datetime=at.isoformat(timespec="seconds"))


def moment_or_text(text: str) -> object:
    """Return the time that a text of the record names; the text itself if it names none, and a dash if it is empty."""
    with suppress(ValueError):
        return moment(datetime.fromisoformat(text))
    return text or None


def seconds_text(seconds: float | None) -> str:
    """Return a duration in words; a dash if it is not known."""
    return "–" if seconds is None else duration_text(seconds)


def coloured(outcome: str) -> Markup:
    """Return the word for how something ended, in its colour; the word alone says it too."""
    return element("span", outcome, class_=colour_of(outcome))


def colour_of(outcome: str) -> str:
    """Return the class of an outcome's colour: etltctl's outcomes, and the services' words for a status."""
    meaning = STATES.get(outcome)
    if outcome in GOOD or meaning is State.SUCCEEDED:
        return "good"
    return "bad" if outcome in BAD or meaning is State.FAILED else "odd"
