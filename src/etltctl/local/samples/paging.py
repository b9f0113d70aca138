"""Pages as the F1 API cuts them: by innermost rows, so a race on a page boundary appears on both pages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

Record = dict[str, Any]
Row = tuple[tuple[Record, ...], Record]  # the heads it stands under, outermost first, and the row itself


def innermost_rows(
    items: Iterable[Record], names: Sequence[str], heads: tuple[Record, ...] = ()
) -> Iterator[Row]:
    """Every row below the lists called `names`, each list inside the one before it; no names: the items."""
    if not names:
        yield from ((heads, item) for item in items)
        return
    name, deeper = names[0], names[1:]
    for item in items:
        head = {key: value for key, value in item.items() if key != name}
        yield from innermost_rows(item[name], deeper, (*heads, head))


def regroup(rows: Iterable[Row], names: Sequence[str]) -> list[Record]:
    """The rows back under their heads, which are repeated here although another page has shown them."""
    listing: list[Record] = []
    shown: list[Record] = []
    for heads, row in rows:
        target = listing
        for depth, head in enumerate(heads):
            if depth >= len(shown) or shown[depth] is not head:
                del shown[depth:]
                shown.append(head)
                target.append({**head, names[depth]: []})
            target = target[-1][names[depth]]
        target.append(row)
    return listing
