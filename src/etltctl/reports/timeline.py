"""The timeline of a run: its steps and their remote runs in the order of time, each with a bar."""

from __future__ import annotations

from datetime import datetime

from etltctl.reports.facts import RunFacts, StepFacts
from etltctl.reports.html import Markup, element, joined
from etltctl.reports.spans import Span
from etltctl.reports.tables import MOST_ROWS, colour_of, coloured, moment, scrolling, seconds_text

# One meaning a word, here and in docs/how-to/report-on-a-run.md: `run`, `runs watch` and `runs list` count the same.
CLOCKS = (
    "A run takes from its first event to its last, without the pauses between its tries. A step takes from its plan to "
    "its end, checks and publish included; its remote run takes from its start to the poll that saw its end."
)


def timeline(run: RunFacts) -> Markup:
    """Return the steps and their remote runs in the order of time, each with a bar."""
    spans = [span for step in run.steps for span in (*step.tries, *step.remote_runs)]
    if not spans:
        return element("p", "No step of this run was started.")
    began = min(span.began for span in spans)
    whole = max((max(span.ended for span in spans) - began).total_seconds(), 0.001)
    rows: list[Markup] = []
    for step in run.steps:
        labelled = [(span, _label(step, span, index)) for index, span in enumerate(step.tries)]
        labelled += [(span, _remote_label(span)) for span in step.remote_runs]
        # A remote run stands below the try that started it.
        in_time = sorted(labelled, key=lambda each: each[0].began)
        rows += [_bar(span, began, whole, label) for span, label in in_time]
        if not step.tries:
            cells = [
                element("th", step.step, scope="row"),
                element("td", coloured(step.outcome), class_="tight"),
                *(element("td", "–") for _ in range(3)),
            ]
            rows.append(element("tr", cells))
    left_out = len(rows) - MOST_ROWS
    note = element("p", f"{left_out:,} more rows are left out.", class_="soft") if left_out > 0 else None
    names = ("step or remote run", "outcome", "began", "took", "")
    heads = [element("th", name, scope="col") if name else element("td") for name in names]
    caption = "Steps and remote runs"
    inner = element(
        "table",
        element("caption", caption),
        element("thead", element("tr", heads)),
        element("tbody", rows[:MOST_ROWS]),
        class_="steps",
    )
    return joined([scrolling(caption, inner), note, element("p", CLOCKS, class_="soft")])


def _label(step: StepFacts, span: Span, index: int) -> object:
    again = f", try {index + 1}" if len(step.tries) > 1 else ""
    verb = f" ({step.verb})" if step.verb and span is step.tries[-1] else ""
    return f"{step.step}{again}{verb}"


def _remote_label(span: Span) -> object:
    return joined(
        [f"{span.service or 'remote run'} ", element("span", span.remote_id, class_="id"), f" {span.verb}"]
    )


def _bar(span: Span, began: datetime, whole: float, label: object) -> Markup:
    left = 100 * (span.began - began).total_seconds() / whole
    width = max(min(100 * span.seconds / whole, 100 - left), 0.3)
    colour = colour_of(span.outcome)
    # The figures stand in the row: the bar repeats them for the eye only.
    style = f"margin-left:{min(left, 99.7):.2f}%;width:{width:.2f}%"
    bar = element("span", style=style, class_=None if colour == "good" else colour)
    cells = [
        element("th", label, scope="row"),
        element("td", coloured(span.outcome), class_="tight"),
        element("td", moment(span.began, day=began), class_="tight"),
        element("td", seconds_text(span.seconds if span.is_timed else None), class_="tight"),
        element("td", bar, class_="track", aria_hidden="true"),
    ]
    return element("tr", cells, class_="remote" if span.remote_id else None)
