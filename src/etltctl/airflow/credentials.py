"""What connections of Airflow give to a step: credentials of AWS, and the address and the application of Airbyte.

A worker and a triggerer ask Airflow for a connection when they need it. Only its id passes from one process to another.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from etltctl.errors import ConfigurationError, ServiceError

if TYPE_CHECKING:
    from etltctl.settings import Settings
    from etltctl.settings.environment import AwsAccess

LOG = logging.getLogger("airflow.task")
AMAZON = "apache-airflow-providers-amazon"
# Where Airbyte's public API gives tokens; the connection may spell the folders above it in several ways.
TOKEN_PATH = "applications/token"


def with_connections(settings: Settings, aws_conn_id: str, airbyte_conn_id: str) -> Settings:
    """Return the settings with what the connections say; an empty id leaves the settings as they are.

    Args:
        settings: The settings, as `load_settings` returns them.
        aws_conn_id: The id of a connection of the type `aws`.
        airbyte_conn_id: The id of a connection of the type `airbyte`.

    Raises:
        ConfigurationError: Airflow has no such connection, it lacks a value, or Airflow's package for AWS is missing.
        EtltctlError: STS refused the role of the connection.
    """
    values: dict[str, Any] = {}
    route: AwsAccess | None = None
    if airbyte_conn_id:
        values["airbyte"] = _airbyte_values(airbyte_conn_id)
    if aws_conn_id:
        route, region = _aws_access(aws_conn_id, settings.aws.region)
        values["aws"] = {"region": region} if region else {}
    return settings.overlaid(values, route) if values else settings


def _airbyte_values(conn_id: str) -> dict[str, str]:
    """Return the settings of `airbyte` that the connection has, in the fields where Airflow's provider keeps them."""
    connection = _connection(conn_id, "airbyte_conn_id")
    fields = {
        "url": ("host (Server URL)", connection.host),
        "client_id": ("login (Client ID)", connection.login),
        "client_secret": ("password (Client Secret)", connection.password),
    }
    lacking = [name for name, value in fields.values() if not value]
    if lacking:
        raise ConfigurationError(
            f"the Airflow connection {conn_id}, which airbyte_conn_id names, lacks {', '.join(lacking)}",
            hint="add it in Airflow's UI (Admin, Connections) or in the secrets backend that holds the connection",
        )
    if "://" not in connection.host:
        raise ConfigurationError(
            f"the host of the Airflow connection {conn_id} is not a URL: {connection.host}",
            hint="set it to https://api.airbyte.com/v1, or self-hosted to https://HOST/api/public/v1",
        )
    token_url = connection.schema or ""
    if token_url and not token_url.rstrip("/").endswith(TOKEN_PATH):
        raise ConfigurationError(
            f"the Airflow connection {conn_id} has the token URL {token_url}, but etltctl gets tokens from "
            f"{TOKEN_PATH} below the host only",
            hint=f"clear the token URL, or set a host that has {TOKEN_PATH}",
        )
    if connection.extra_dejson.get("proxies"):
        LOG.warning("etltctl does not use the proxies of the connection %s: set HTTPS_PROXY", conn_id)
    return {name: str(value) for name, (_, value) in fields.items()}


def _aws_access(conn_id: str, region: str | None) -> tuple[AwsAccess, str | None]:
    """Return the credentials of the connection, by Airflow's own rules, and the region that applies."""
    try:
        from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
    except ImportError as error:
        raise ConfigurationError(
            f"aws_conn_id is {conn_id}, but Airflow has no package for connections to AWS: {error}",
            hint=f"pip install {AMAZON}, or leave aws_conn_id out: then the SDK finds its credentials itself",
        ) from error
    from etltctl.aws import translated
    from etltctl.settings.environment import AwsAccess

    # First, because the hook takes an unknown id for an empty connection, and so for the worker's own credentials.
    _connection(conn_id, "aws_conn_id")
    hook = AwsBaseHook(aws_conn_id=conn_id)
    if region and not hook.conn_config.region_name:
        hook = AwsBaseHook(aws_conn_id=conn_id, region_name=region)  # STS needs one for the role, too
    with translated("sts", connection=conn_id):
        credentials = hook.get_session().get_credentials()
    if credentials is None:
        raise ConfigurationError(
            f"the Airflow connection {conn_id}, which aws_conn_id names, gives no credentials of AWS",
            hint="add an access key or a role to it, or give the worker credentials, such as an instance's role",
        )
    return AwsAccess(credentials, hook.conn_config.get_service_endpoint_url), hook.conn_config.region_name


def _connection(conn_id: str, argument: str) -> Any:
    """Return a connection of Airflow.

    Args:
        conn_id: Its id.
        argument: The argument that names it, for the error.

    Raises:
        ConfigurationError: Airflow has none with this id.
        ServiceError: Airflow, or the backend that keeps its secrets, failed.
    """
    from airflow.exceptions import AirflowNotFoundException

    try:
        from airflow.sdk import BaseHook
    except ImportError:
        from airflow.hooks.base import BaseHook
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as error:
        kind = argument.removesuffix("_conn_id")
        raise ConfigurationError(
            f"Airflow has no connection {conn_id}, which {argument} names",
            hint=f"add one of the type {kind} in Airflow's UI (Admin, Connections), in the secrets backend, or as the "
            f"variable AIRFLOW_CONN_{conn_id.upper()}",
        ) from error
    # Each secrets backend has its errors, and a task that stops its remote run must not end with one of them.
    except Exception as error:
        raise ServiceError(
            f"Airflow could not read the connection {conn_id}: {type(error).__name__}",
            hint=f"check its value where it is kept, then: airflow connections get {conn_id}",
        ) from error
