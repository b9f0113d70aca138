"""What differs between an environment on AWS and one that the embedded server serves, each fact by its meaning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from etltctl.settings.toml_tables import leaves

if TYPE_CHECKING:
    from etltctl.settings.section import Section
    from etltctl.settings.services import Airbyte


@dataclass(frozen=True)
class AwsEndpoint:
    """Another address of AWS's API and its access key, for clients that follow nothing else of the process."""

    url: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    config_file: str  # the SDK's settings there, in place of the user's

    def url_of(self, service: str) -> str:  # noqa: ARG002 - one server for all of them
        """Return the URL of a service."""
        return self.url

    def session_options(self) -> dict[str, Any]:
        """Return the arguments of `sdk.open_session` with which clients take this route."""
        credentials = (self.access_key_id, self.secret_access_key, "")
        return {"credentials": credentials, "config_file": self.config_file}


@dataclass(frozen=True)
class AwsAccess:
    """Credentials of AWS that a caller hands over, in place of those that the SDK finds in the process.

    Attributes:
        credentials: Credentials of botocore. They may renew themselves while a run goes on.
        url_of: Returns the URL of a service by its name; None where AWS's own or a variable's applies.
    """

    credentials: Any = field(repr=False)
    url_of: Callable[[str], str | None]

    def session_options(self) -> dict[str, Any]:
        """Return the arguments of `sdk.open_session` with which clients take this route."""
        return {"held": self.credentials}


AwsRoute = AwsEndpoint | AwsAccess


@dataclass(frozen=True)
class Environment:
    """The facts of an environment that other code decides by.

    Attributes:
        has_stack: Whether a CloudFormation stack provisions it.
        has_global_buckets: Whether the names of its buckets have to be unique in all of AWS.
        reads_sources_here: Whether a sync reads its source on this machine, and so needs the source's own secrets.
        runs_jobs_here: Whether the Python of this machine runs the scripts of the jobs.
        makes_roles: Whether it makes the roles that governance names; an account has its roles from elsewhere.
        bills: Whether its services bill for what they do. `values.is_billed` says it of a name on record.
    """

    has_stack: bool
    has_global_buckets: bool
    reads_sources_here: bool
    runs_jobs_here: bool
    makes_roles: bool
    bills: bool

    def secrets_of_sync(self, name: str, source: Section, api: Airbyte) -> dict[str, object]:
        """Return the secrets without which a sync of the source fails: each reference by its dotted key.

        Args:
            name: The name of the source in the settings.
            source: Its settings.
            api: The settings of Airbyte's API.
        """
        if self.reads_sources_here:
            values = source.model_dump()
            of_connector = values.pop("config", {})
            return {
                **{f"sources.{name}.{key}": values[key] for key in values if key != "connection_id"},
                **{
                    f"sources.{name}.config.{'.'.join(path)}": each
                    for path, each in leaves(of_connector, in_lists=True)
                },
            }
        # Airbyte itself keeps the secrets of the source, and etltctl needs those of Airbyte's API.
        return {"airbyte.client_id": api.client_id, "airbyte.client_secret": api.client_secret}


EMBEDDED = Environment(
    has_stack=False,
    has_global_buckets=False,
    reads_sources_here=True,
    runs_jobs_here=True,
    makes_roles=True,
    bills=False,
)
ON_AWS = Environment(
    has_stack=True,
    has_global_buckets=True,
    reads_sources_here=False,
    runs_jobs_here=False,
    makes_roles=False,
    bills=True,
)
