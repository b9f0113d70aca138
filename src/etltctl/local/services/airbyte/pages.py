"""Pages of a list, cut as Airbyte's public API cuts them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from etltctl.local.services.airbyte.wire import Request, bad_request

DEFAULT_LIMIT, MAX_LIMIT = 20, 100


def page_of(answers: Sequence[dict[str, Any]], request: Request, kept: Sequence[str]) -> dict[str, Any]:
    """Cut one page. Its links are whole addresses, so that a client can follow them.

    `next` is empty only after an empty page, as in Airbyte: one page too many is the rule.
    """
    limit = _number(request.query, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
    offset = _number(request.query, "offset", 0, 0, 2**31)
    page = answers[offset : offset + limit]
    filters = [(name, value) for name in kept for value in request.parameters.get(name, ())]

    def link(start: int) -> str:
        return f"{request.url}{request.path}?{urlencode([*filters, ('limit', limit), ('offset', start)])}"

    previous = link(max(0, offset - limit)) if offset else ""
    return {"previous": previous, "next": link(offset + limit) if page else "", "data": page}


def _number(query: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = query.get(name, str(default))
    if not re.fullmatch(r"\d{1,10}", text) or not least <= int(text) <= most:
        raise bad_request(f"{name} must be a number from {least} to {most}")
    return int(text)
