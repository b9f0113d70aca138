"""The columns of a query's result, and the Python values of the texts that Athena returns in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

_NUMBERS: dict[str, Callable[[str], int | float]] = {
    **dict.fromkeys(("tinyint", "smallint", "integer", "int", "bigint"), int),
    **dict.fromkeys(("double", "float", "real"), float),
}


@dataclass(frozen=True)
class Column:
    """A column of a query's result: its name and Athena's type for it, such as `varchar` or `decimal`.

    Attributes:
        precision: The digits of a decimal; Athena gives them next to its type.
        scale: The digits of a decimal behind its point.
    """

    name: str
    type: str
    precision: int = 0
    scale: int = 0

    def value(self, text: str | None) -> Any:
        """Return the Python value of one of the column's texts. None stands for null."""
        if text is None:
            return None
        if self.type == "boolean":
            return text == "true"
        # A decimal keeps every digit that Athena returned. A double would drop some.
        python = Decimal if self.type.startswith("decimal") else _NUMBERS.get(self.type, str)
        return python(text)


def cells_of(row: Mapping[str, Any], columns: int) -> tuple[str | None, ...]:
    """Return the texts of a row. Hive's statements, such as DESCRIBE, return one: padded cells, joined by tabs."""
    texts = tuple(cell.get("VarCharValue") for cell in row["Data"])
    if len(texts) != 1 or columns == 1 or texts[0] is None:
        return texts
    cells = [cell.strip() for cell in texts[0].split("\t", columns - 1)]
    return (*cells, *("" for _ in range(columns - len(cells))))
