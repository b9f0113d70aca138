"""Errors of a source that cannot be reached, by its cause: each names the source, the cause and the next command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etltctl.airbyte.strangers import host_of
from etltctl.causes import UNKNOWN
from etltctl.errors import (
    AccessError,
    ConfigurationError,
    EtltctlError,
    ExitCode,
    NextStep,
    ServiceError,
    UnreachableError,
    command,
)
from etltctl.settings.secrets import REFERENCES

if TYPE_CHECKING:
    from etltctl.causes import Cause
    from etltctl.settings import Settings

UNANSWERED = "S106"  # the source does not answer


def connector_error(source: str, reason: str, cause: Cause, settings: Settings) -> EtltctlError:
    """Build the error for a connector that failed while it listed its streams.

    Args:
        source: The name of the source.
        reason: The connector's own words.
        cause: What the words mean.
        settings: The settings.
    """
    error_class, what = _kind_of(cause)
    check = command("source", "check", source)
    message = f"source {source} {what}: {reason}"
    is_known = cause.code != UNKNOWN.code
    facts = {
        "cause": f"{cause.code} {cause.title}" if is_known else "",
        "setting": _setting(source, cause, settings),
    }
    if settings.environment.reads_sources_here:
        hint = NextStep("nothing was changed; correct the source, then: ", check)
    else:
        # The configuration is Airbyte's copy of the settings.
        hint = NextStep(
            "nothing was changed; correct the source in the settings, then: ",
            command("connections", "apply"),
            " and ",
            check,
        )
    return error_class(message, hint=hint, **facts)


def no_discovery(source: str, url: str) -> ServiceError:
    """Build the error for an Airbyte whose API cannot list the streams of a source.

    Args:
        source: The name of the source.
        url: The base of the API.
    """
    return ServiceError(
        f"Airbyte at {host_of(url)} has no call GET /streams, by which etltctl lists the streams of {source}: "
        "its version is too old",
        hint=NextStep(
            "upgrade Airbyte, or test the source in its pages; whether etltctl may use Airbyte: ",
            command("doctor", "airbyte"),
        ),
    )


def _kind_of(cause: Cause) -> tuple[type[EtltctlError], str]:
    """Return the class of the error for a cause, and what the source did."""
    if cause.exit_code is ExitCode.ACCESS:
        return AccessError, "refused its credentials"
    if cause.code == UNANSWERED:
        return UnreachableError, "cannot be reached"
    is_settings = cause.exit_code is ExitCode.CONFIGURATION
    return (ConfigurationError if is_settings else ServiceError), "could not be read by its connector"


def _setting(source: str, cause: Cause, settings: Settings) -> str:
    """Return the settings from which refused credentials come, as far as these are references."""
    if cause.exit_code is not ExitCode.ACCESS or not settings.environment.reads_sources_here:
        return ""
    secrets = settings.environment.secrets_of_sync(source, settings.sources[source], settings.airbyte)
    return ", ".join(
        f"{setting} = {reference}"
        for setting, reference in secrets.items()
        if isinstance(reference, str) and reference.startswith(REFERENCES)
    )
