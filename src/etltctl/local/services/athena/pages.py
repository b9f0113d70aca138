"""Pages of a list, as Athena's operations give them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from etltctl.local.kernel.json_protocol import AwsError


def page_of(member: str, items: Sequence[Any], body: Mapping[str, Any], most: int) -> dict[str, Any]:
    """Return one page of a list, and the token of the next page if there is one.

    Args:
        member: the name of the list in the answer.
        items: the whole list.
        body: the request, with MaxResults and NextToken.
        most: the count of items in a page without MaxResults, and the limit of MaxResults.

    Raises:
        AwsError: the token is not one that an earlier page had.
    """
    start = position(body.get("NextToken"), len(items))
    # Some models allow a MaxResults of 0, which a page of no progress must not come from.
    end = start + min(body.get("MaxResults") or most, most)
    # A token on the last page would make clients ask once more for nothing.
    token = {"NextToken": str(end)} if end < len(items) else {}
    return {member: list(items[start:end]), **token}


def position(token: str | None, end: int) -> int:
    """Return the place in a list that a token stands for; raise AwsError for a token of no page."""
    if token is None:
        return 0
    if not (token.isascii() and token.isdigit()) or int(token) > end:
        raise AwsError("InvalidRequestException", "Invalid NextToken")
    return int(token)
