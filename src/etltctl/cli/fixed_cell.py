"""A column of a live table on a terminal, whose width never changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.progress import ProgressColumn, Task
from rich.table import Column
from rich.text import Text

# The subject of a line, such as a step, and the time by the table's clock → what fills the cell.
Render = Callable[[Any, float], Text]


class FixedCell(ProgressColumn):
    """A column of fixed width, so that no line is ever wrapped: Rich would leave copies of a wrapped line behind."""

    def __init__(self, render: Render, width: int, justify: str = "left") -> None:
        """Keep what fills the column."""
        right = justify == "right"
        super().__init__(
            Column(width=width, no_wrap=True, overflow="ellipsis", justify="right" if right else "left")
        )
        self._render = render

    def render(self, task: Task) -> Text:
        """Return what fills the cell of a line now."""
        return self._render(task.fields["subject"], task.get_time())
