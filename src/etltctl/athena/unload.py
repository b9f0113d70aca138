"""The text of Athena's UNLOAD, which writes the rows of a query as Parquet files."""

from __future__ import annotations

import re
from collections.abc import Sequence

from etltctl.values import quoted_name, quoted_text


def unload_sql(query: str, location: str, partitioned_by: Sequence[str] = ()) -> str:
    """Return the statement that writes the rows of the query below a location.

    The query begins on the first line of the statement: a line in an error of Athena is a line of the query.

    Args:
        query: The query. With partitions, their columns are its last ones.
        location: The folder of the files, which must be empty: Athena refuses any other.
        partitioned_by: The columns that become folders.
    """
    options = ["format = 'PARQUET'", "compression = 'SNAPPY'"]
    if partitioned_by:
        options.append(f"partitioned_by = ARRAY[{', '.join(map(quoted_text, partitioned_by))}]")
    # The bracket stands on a separate line, because the query may end in a comment.
    return f"UNLOAD ({query}\n) TO {quoted_text(location)} WITH ({', '.join(options)})"


def placed_in_query(message: str, statement: str, query: str) -> str:
    """Return an error with its columns counted in the query, and not in the statement around it.

    Only the first line of the query has something in front of it: `UNLOAD (`, for example.

    Args:
        message: What Athena says of the statement, with places such as `line 1:27`.
        statement: The statement that was sent.
        query: The query, as the statement holds it.
    """
    before = statement.partition(query)[0]
    if query not in statement or "\n" in before:
        return message

    def place(match: re.Match[str]) -> str:
        column = int(match[1]) - len(before)
        # A place in front of the query is of the statement, which etltctl wrote.
        return f"line 1:{column}" if column > 0 else match[0]

    return re.sub(r"\bline 1:(\d+)", place, message)


def reordered(query: str, columns: Sequence[str], last: Sequence[str]) -> str:
    """Return the query with some of its columns as the last ones, because UNLOAD takes partitions from the end.

    Args:
        query: The query.
        columns: All its columns.
        last: Those that shall come last, in this order.
    """
    names = [*(column for column in columns if column not in last), *last]
    return f"SELECT {', '.join(map(quoted_name, names))} FROM ({query}\n)"
