"""One request to S3, with its parts read strictly."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import IO, TYPE_CHECKING
from urllib.parse import parse_qsl

from etltctl.local.kernel.bodies import framed
from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.services.s3.errors import invalid_argument

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Call:
    """Method, bucket, key, query parameters and headers; both may be empty, for the service and for a bucket."""

    environ: WSGIEnvironment
    method: str
    bucket: str
    key: str
    query: Mapping[str, str]

    @classmethod
    def read(cls, environ: WSGIEnvironment) -> Call:
        """Read a request of the path style: `/bucket/key`.

        Raises:
            AwsError: `InvalidURI` if the path or the query is not UTF-8.
        """
        try:
            # WSGI hands out the bytes of a path as one letter each.
            path = environ["PATH_INFO"].encode("latin-1").decode()
            query = parse_qsl(
                environ.get("QUERY_STRING", "").encode("latin-1").decode(),
                keep_blank_values=True,
                errors="strict",
                max_num_fields=100,
            )
        except ValueError as error:
            raise AwsError("InvalidURI", "Couldn't parse the specified URI.") from error
        # Only the first slash separates: `/bucket//a` is the key `/a`, which is not `a`.
        bucket, _, key = path.removeprefix("/").partition("/")
        if key and not bucket:
            raise AwsError("InvalidBucketName", "The specified bucket is not valid.")
        return cls(environ, environ["REQUEST_METHOD"], bucket, key, dict(query))

    @property
    def level(self) -> str:
        """What the request addresses: `service`, `bucket` or `object`."""
        return "object" if self.key else "bucket" if self.bucket else "service"

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """The headers by lower-case name; those that a presigned URL moved into its query are among them."""
        # A presigned URL signs its headers as parameters. Those that were really sent win.
        moved = {name.lower(): value for name, value in self.query.items() if is_moved(name)}
        sent = {
            name.removeprefix("HTTP_").replace("_", "-").lower(): value
            for name, value in self.environ.items()
            if name.startswith("HTTP_") or name in {"CONTENT_TYPE", "CONTENT_LENGTH"}
        }
        return {**moved, **sent}

    def header(self, name: str) -> str:
        """Return a header's value, or an empty string.

        Raises:
            AwsError: `InvalidArgument` if the value contains control characters.
        """
        value = self.headers.get(name, "")
        if CONTROL.search(value):
            raise invalid_argument(f"the header {name} contains control characters")
        return value

    def number(self, name: str, default: int, low: int, high: int) -> int:
        """Return a query parameter as a whole number between the bounds.

        Raises:
            AwsError: `InvalidArgument` for anything else.
        """
        text = self.query.get(name, "")
        if not text:
            return default
        # Digits of ASCII only: `int` also takes signs, spaces, underscores and the digits of other scripts.
        if not re.fullmatch(r"[0-9]{1,10}", text) or not low <= int(text) <= high:
            raise invalid_argument(f"Provided {name} not an integer or within integer range")
        return int(text)

    @property
    def body(self) -> IO[bytes]:
        """The body as it was sent, without HTTP chunks."""
        return framed(self.environ)


def is_moved(parameter: str) -> bool:
    """Return whether a query parameter is a header that a presigned URL carries in its query."""
    return parameter.lower().startswith("x-amz-")
