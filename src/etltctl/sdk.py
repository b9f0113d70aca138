"""Sessions of the AWS SDK that make their first client quickly."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any


def open_session(
    profile: str | None = None,
    region: str | None = None,
    credentials: tuple[str, str, str] | None = None,
    config_file: str | None = None,
    held: Any = None,
) -> Any:
    """Return a new session of botocore.

    boto3 would add resources, which etltctl does not use, and S3 transfers, which only a copy of a large file needs.
    They take as long to import as all of botocore's services.

    Args:
        profile: The profile's name; None for the one that the environment names.
        region: The region's name; None for the one of the environment or the profile.
        credentials: Access key, secret key and session token; None for the first that the SDK finds.
        config_file: The only file of the SDK's settings; the user's files and profile are left out. None for those
            that the environment names.
        held: Credentials of botocore that a caller hands over, in place of those that the SDK finds. They may renew
            themselves, unlike three texts. `credentials` come before them.

    Returns:
        A `botocore.session.Session`.

    Raises:
        botocore.exceptions.ProfileNotFound: No file of the SDK has the profile.
    """
    from botocore.session import Session

    # The SDK fails on a profile that the only file does not have, so no variable may name one.
    session = Session(None if config_file is None else {"profile": (None, None, None, None)})
    if config_file is not None:
        session.set_config_variable("config_file", config_file)
        session.set_config_variable("credentials_file", os.devnull)
    if profile is not None:
        session.set_config_variable("profile", profile)
    if region is not None:
        session.set_config_variable("region", region)
    if credentials is not None:
        session.set_credentials(*credentials)
    if held is not None:
        session.register_component("credential_provider", _Held(held))
    # The quick loader does not read descriptions in a data path that the user sets.
    if session.get_config_variable("data_path") is None:
        session.register_component("data_loader", _loader())
    return session


class _Held:
    """The credentials of a caller, in the place where botocore keeps the chain that looks for some."""

    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials

    def load_credentials(self) -> Any:
        """Return the credentials."""
        return self._credentials


class _Services:
    """The names of the services that the SDK describes, each looked up alone; listing them all reads 400 folders."""

    def __init__(self, loader: Any, type_name: str) -> None:
        self._loader, self._type_name = loader, type_name

    def __contains__(self, service: str) -> bool:
        from botocore.exceptions import DataNotFoundError

        try:
            return bool(self._loader.list_api_versions(service, self._type_name))
        except DataNotFoundError:
            return False

    def __iter__(self) -> Iterator[str]:
        return iter(self._loader.list_every_service(self._type_name))


def _loader() -> Any:
    """Return a loader of the SDK's service descriptions that reads only the folders of the services in use."""
    from botocore.loaders import Loader

    # botocore asks for the list only to check that a service's name is in it.
    class QuickLoader(Loader):  # type: ignore[misc]
        def list_every_service(self, type_name: str) -> Any:
            return super().list_available_services(type_name)

        def list_available_services(self, type_name: str) -> Any:
            return _Services(self, type_name)

    return QuickLoader()
