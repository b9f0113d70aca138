"""The operations that CloudFormation has on one type of resource, and the clients that they use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from etltctl.local.kernel.keys import Keys

Props = Mapping[str, Any]
Made = tuple[str, Mapping[str, Any]]  # physical id, attributes


class Clients:
    """Clients of the embedded services, which use the network as every other client does."""

    def __init__(self, url: str, keys: Keys) -> None:
        self._url = url
        self._keys = keys
        self._made: dict[str, Any] = {}
        self._lock = Lock()

    @cached_property
    def errors(self) -> tuple[type[Exception], ...]:
        """Return the errors that a call may raise; loaded late, because few servers ever create a stack."""
        from botocore.exceptions import BotoCoreError, ClientError

        return ClientError, BotoCoreError, KeyError

    def __call__(self, service: str) -> Any:
        """Return the client of a service."""
        import boto3
        from botocore.config import Config

        with self._lock:
            if service not in self._made:
                self._made[service] = boto3.client(
                    service,
                    endpoint_url=self._url,
                    region_name="us-east-1",
                    aws_access_key_id=self._keys.access_key_id,
                    aws_secret_access_key=self._keys.secret_access_key,
                    config=Config(retries={"total_max_attempts": 1}),
                )
            return self._made[service]

    def refusal(self, code: str, message: str, operation: str) -> Exception:
        """Return the error of a call that AWS refuses and the embedded service does not."""
        from botocore.exceptions import ClientError

        error: Exception = ClientError({"Error": {"Code": code, "Message": message}}, operation)
        return error

    def has_image(self, image: str) -> bool:
        """Return whether EC2 has the image."""
        try:
            return bool(self("ec2").describe_images(ImageIds=[image])["Images"])
        except self.errors:
            return False


@dataclass(frozen=True)
class Kind:
    """The operations that CloudFormation has on one type of resource.

    A change of a `fixed` property replaces the resource. `find` imports an existing resource. A type without `find` has
    an identifier that only its service assigns; CloudFormation does not import such a resource.
    """

    create: Callable[[Clients, Props], Made]
    delete: Callable[[Clients, str, Props], object]
    fixed: frozenset[str] = frozenset()
    update: Callable[[Clients, str, Props], Mapping[str, Any] | None] | None = None
    find: Callable[[Clients, Props], Made] | None = None
