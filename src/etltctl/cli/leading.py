"""Variables of a shell that lead AWS calls to this machine, as `etltctl local env` sets them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlsplit

from etltctl.proxies import is_loopback
from etltctl.settings.environments import PREFIX

ENDPOINT = "AWS_ENDPOINT_URL"
# All that `etltctl local env` sets but NO_PROXY, which may hold hosts of the user's own.
LOCAL_VARIABLES = re.compile(
    r"AWS_ENDPOINT_URL(_\w+)?|AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|REGION|DEFAULT_REGION|CONFIG_FILE"
    rf"|SHARED_CREDENTIALS_FILE)|({PREFIX}AIRBYTE__|AIRBYTE_)(URL|CLIENT_ID|CLIENT_SECRET)"
    rf"|{PREFIX}SOURCES__\w+__CONNECTION_ID"
)


def loopback_endpoints(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the host and port of this machine by the variable that leads AWS calls there.

    Args:
        environ: The environment's variables.

    Returns:
        Such as {"AWS_ENDPOINT_URL": "127.0.0.1:4566"}; empty if AWS calls leave this machine.
    """
    # The SDK's own switch: with it the variables lead nowhere.
    if environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return {}
    names = sorted(name for name in environ if name == ENDPOINT or name.startswith(f"{ENDPOINT}_"))
    places = {}
    for name in names:
        with suppress(ValueError):  # not a URL: the SDK says so when it makes a client
            if is_loopback(environ[name]):
                # Without a user and password, which an address may hold and a warning must not show.
                places[name] = urlsplit(environ[name]).netloc.rpartition("@")[2]
    return places


def variables_to_unset(environ: Mapping[str, str]) -> list[str]:
    """Return the variables that `etltctl local env` has set in this environment; none if it did not."""
    if not loopback_endpoints(environ):
        return []
    return sorted(name for name in environ if LOCAL_VARIABLES.fullmatch(name))
