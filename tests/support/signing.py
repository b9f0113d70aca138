"""Signatures for requests that no SDK would send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from support.served import Served

FRAMES = frozenset({"content-length", "transfer-encoding"})  # these headers may be wrong, and are not signed


class _UnsignedPayload(S3SigV4Auth):  # type: ignore[misc]
    """S3's signature without the body."""

    def payload(self, request: Any) -> str:
        return "UNSIGNED-PAYLOAD"


def signed(
    server: Served, line: str, headers: Mapping[str, str], body: bytes, service: str
) -> dict[str, str]:
    """Return the headers with a signature; `line` is the method and the path."""
    method, path = line.split(" ")
    kept = {name: value for name, value in headers.items() if name.lower() not in FRAMES}
    request = AWSRequest(method, f"http://127.0.0.1:{server.port}{path}", headers=kept, data=body)
    credentials = Credentials(server.keys.access_key_id, server.keys.secret_access_key)
    signer = _UnsignedPayload if service == "s3" else SigV4Auth
    signer(credentials, service, "us-east-1").add_auth(request)
    return {**headers, **dict(request.headers.items())}
