"""The policy of a browser's upload: which fields its form may have, and how large its file may be."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from etltctl.local.kernel.bodies import MAX_BODY_BYTES
from etltctl.local.kernel.json_protocol import AwsError

BYTES = re.compile(r"[0-9]{1,18}")


def check_policy(
    text: str, values: Mapping[str, str], free: frozenset[str], now: datetime
) -> tuple[int, int]:
    """Check the fields of a form against its policy.

    Args:
        text: The policy as the form holds it: JSON in Base64.
        values: The fields by their names in lower case, with the bucket and the key as they are stored.
        free: Fields that no condition need name.
        now: The time in UTC.

    Returns:
        The least and the greatest size of the file in bytes.

    Raises:
        AwsError: `InvalidPolicyDocument` (400), or `AccessDenied` (403) if a condition does not hold.
    """
    expiration, conditions = _policy_of(text)
    if now >= expiration:
        raise _against_policy("Policy expired.")
    least, most = 0, MAX_BODY_BYTES
    named = set()
    for condition in conditions:
        operator, name, value = _condition_of(condition)
        if operator == "content-length-range":
            # Every condition must hold, so of two ranges what is in both.
            least, most = max(least, int(name)), min(most, int(value))
            continue
        named.add(name)
        text = values.get(name, "")
        if not (text == value if operator == "eq" else text.startswith(value)):
            raise _against_policy(f"Policy Condition failed: {json.dumps(condition)}")
    # A field that the policy does not name could store what its author never allowed.
    extra = sorted(n for n in values.keys() - named - free if not n.startswith("x-ignore-"))
    if extra:
        raise _against_policy(f"Extra input fields: {', '.join(extra)}")
    return least, most


def _policy_of(text: str) -> tuple[datetime, Sequence[Any]]:
    try:
        policy = json.loads(b64decode(text, validate=True))
        moment = datetime.fromisoformat(policy["expiration"].removesuffix("Z") + "+00:00")
        conditions = policy["conditions"]
        if not policy["expiration"].endswith("Z") or "T" not in policy["expiration"]:
            raise ValueError(policy["expiration"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _invalid_policy("its expiration, its conditions or its form is wrong") from error
    if not isinstance(conditions, list) or not conditions:
        raise _invalid_policy("it has no conditions")
    return moment, conditions


def _condition_of(condition: Any) -> tuple[str, str, str]:
    """Return operator, field and value of a condition; fields in lower case, as S3 compares them."""
    if isinstance(condition, dict) and len(condition) == 1:
        ((name, value),) = condition.items()
        condition = ["eq", f"${name}", value]
    if not isinstance(condition, list) or len(condition) != 3:
        raise _invalid_policy(f"the condition {json.dumps(condition)} is not one")
    operator, name, value = str(condition[0]).lower(), condition[1], condition[2]
    if operator == "content-length-range":
        if not all(BYTES.fullmatch(str(bound)) for bound in (name, value)):
            raise _invalid_policy("content-length-range takes two whole numbers")
        return operator, str(name), str(value)
    if operator not in {"eq", "starts-with"} or not str(name).startswith("$"):
        raise _invalid_policy(f"the condition {json.dumps(condition)} is not one")
    return operator, str(name)[1:].lower(), str(value)


def _invalid_policy(reason: str) -> AwsError:
    return AwsError("InvalidPolicyDocument", f"Invalid Policy: {reason}; nothing was stored")


def _against_policy(reason: str) -> AwsError:
    return AwsError("AccessDenied", f"Invalid according to Policy: {reason}", 403)
