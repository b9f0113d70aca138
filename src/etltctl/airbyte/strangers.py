"""Answers that are not Airbyte's own: what came in its place, and what to check."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import httpx

CHECK_URL = "check airbyte.url: https://api.airbyte.com/v1, or https://HOST/api/public/v1 when self-hosted"
CHECK_PROXY = f"another program answers in Airbyte's place, such as a proxy or a load balancer; {CHECK_URL}"
WEB_PAGE, EMPTY, TEXT = "a web page", "an empty body", "text that is not JSON"
LIST = "a JSON list"
LONGEST_TEXT = 200


def stranger(response: httpx.Response) -> str:
    """Return what came in place of a JSON object, in words; empty if the body is an object that holds a value.

    An object without fields is not a stranger's: the caller that needs a field of it says which one is missing.
    """
    if response.has_redirect_location:
        target = urlsplit(response.headers["Location"])
        return (
            f"a redirect to {target.scheme}://{host_of(target.geturl())}" if target.netloc else "a redirect"
        )
    start = response.content[:1000].lstrip().lower()
    if not start:
        return EMPTY
    if start.startswith(b"<"):
        return WEB_PAGE if b"<!doctype html" in start or b"<html" in start else TEXT
    try:
        body = response.json()
    except (ValueError, RecursionError):
        return TEXT
    if not isinstance(body, dict):
        return LIST if isinstance(body, list) else "JSON that is not an object"
    is_null = body and all(value is None for value in body.values())
    return "an object of nothing but nulls" if is_null else ""


def excerpt(response: httpx.Response) -> str:
    """Return what the answer's text says, in one line; nothing of HTML or XML."""
    is_shown = stranger(response) == TEXT and not response.text.lstrip().startswith("<")
    return f": {' '.join(response.text[:LONGEST_TEXT].split())}" if is_shown else ""


def host_of(url: str) -> str:
    """Return the host and port of a URL, without credentials."""
    return urlsplit(url).netloc.rpartition("@")[2] or url


def without_credentials(url: str) -> str:
    """Return a URL as an error may show it: people put a user and a password into it."""
    return re.sub(r"(?<=//)[^/@]*@", "", url)
