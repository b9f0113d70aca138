"""Violations in answers that etltctl did not write and cannot change, each with its reason."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Allowed:
    """Violations of one operation (`*` for all of a service) that are known, and why they stay."""

    service: str
    operation: str
    pattern: str
    reason: str


ALLOWED: tuple[Allowed, ...] = ()


def is_allowed(service: str, operation: str, violation: str) -> bool:
    """Return whether a violation is in the list."""
    return any(
        each.service == service
        and each.operation in ("*", operation)
        and re.search(each.pattern, violation) is not None
        for each in ALLOWED
    )
