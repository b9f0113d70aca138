"""AWS's Signature Version 4 as a server reads it: who signed a call, when, and whether the call is what was signed.

botocore's own signer signs the call again, with the secret that the server keeps; the two signatures must be equal.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, unquote_to_bytes

from etltctl.local.kernel.refusal_reasons import (
    EXPIRED_LINK,
    MALFORMED,
    MISSING,
    OLD_VERSION,
    SKEWED,
    UNSIGNED_HEADER,
    WRONG_SIGNATURE,
    RefusedError,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

ALGORITHM = "AWS4-HMAC-SHA256"
RAW_HEADERS = "etltctl.headers"  # (name, value) as received: WSGI leaves out headers whose name holds `_`
# S3's limits, used for all: a clock may be 15 minutes off, and a link lives for seven days at most.
SKEW_S = 900.0
LONGEST_LINK_S = 7 * 24 * 3600
TIME_FORMAT = "%Y%m%dT%H%M%SZ"
CREDENTIAL = re.compile(r"([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request")
PARAMETER = re.compile(r"(Credential|SignedHeaders|Signature)=([^,\s]+)")
MAY_BE_UNSIGNED = frozenset({"x-amz-user-agent"})
# Never percent-encoded (RFC 3986, section 2.3).
UNRESERVED = "-_.~"


@dataclass(frozen=True)
class Credential:
    """The scope of a signature: whose key, on which day, for which region and service."""

    access_key: str
    date: str
    region: str
    service: str


@dataclass(frozen=True)
class Signature:
    """A signature as its call carries it; `expires` is a presigned link's lifetime in seconds."""

    credential: Credential
    headers: tuple[str, ...]
    value: str
    timestamp: str
    token: str
    expires: float | None = None

    def check_time(self, now: float) -> None:
        """Refuse a call that was signed too long ago or ahead of time, or a link that has run out.

        Args:
            now: Seconds since 1970.

        Raises:
            RefusedError: The signature is not valid now.
        """
        signed = _seconds(self.timestamp)
        if not self.timestamp.startswith(self.credential.date):
            raise RefusedError(MALFORMED)
        if self.expires is not None:
            if not 0 < self.expires <= LONGEST_LINK_S:
                raise RefusedError(MALFORMED)
            if now > signed + self.expires:
                raise RefusedError(EXPIRED_LINK)
        elif now > signed + SKEW_S:
            raise RefusedError(SKEWED)
        if signed > now + SKEW_S:
            raise RefusedError(SKEWED)

    def check(self, environ: WSGIEnvironment, secret: str, content_hash: str) -> None:
        """Refuse a call that is not the one that was signed with the secret.

        Args:
            environ: The call.
            secret: The secret access key of `credential.access_key`.
            content_hash: The SHA-256 of the body in hexadecimal, or what stands for it.

        Raises:
            RefusedError: Another secret was used, or a part of the call was changed.
        """
        headers = headers_of(environ)
        # Such a header can change what a call does, a copy's source for instance, so it has to be signed.
        unsigned = {name for name in headers if name.startswith("x-amz-")} - set(self.headers)
        if unsigned - MAY_BE_UNSIGNED:
            raise RefusedError(UNSIGNED_HEADER)
        right = _sign(self, environ, headers, secret, content_hash)
        if not hmac.compare_digest(right.encode(), self.value.encode()):
            raise RefusedError(WRONG_SIGNATURE)


def read_credential(environ: WSGIEnvironment) -> Credential | None:
    """Return the scope that a call states; None if it states none. It proves nothing."""
    text = environ.get("HTTP_AUTHORIZATION", "")
    stated = (
        dict(PARAMETER.findall(text)).get("Credential") if text else _query(environ).get("X-Amz-Credential")
    )
    parts = CREDENTIAL.fullmatch(stated or "")
    return Credential(*parts.groups()) if parts else None


def read_signature(environ: WSGIEnvironment) -> Signature:
    """Return the signature of a call, from its header or, of a presigned link, from its query.

    Raises:
        RefusedError: The call is not signed, is signed by another method, or its signature lacks a part.
    """
    header = environ.get("HTTP_AUTHORIZATION", "")
    query = _query(environ)
    if not header and "X-Amz-Algorithm" in query:
        return _from_query(query, environ)
    if header.startswith("AWS ") or (not header and "AWSAccessKeyId" in query):
        raise RefusedError(OLD_VERSION)
    if not header:
        raise RefusedError(MISSING)
    if not header.startswith(f"{ALGORITHM} "):
        raise RefusedError(OLD_VERSION if header.startswith("AWS4-") else MISSING)
    parts = dict(PARAMETER.findall(header))
    timestamp = environ.get("HTTP_X_AMZ_DATE") or _iso(environ.get("HTTP_DATE", ""))
    return _signature(parts, environ, timestamp, environ.get("HTTP_X_AMZ_SECURITY_TOKEN", ""), None)


def headers_of(environ: WSGIEnvironment) -> dict[str, str]:
    """Return the call's headers by their names in lower case; several of one name are joined by commas."""
    headers: dict[str, str] = {}
    for name, value in environ.get(RAW_HEADERS) or _wsgi_headers(environ):
        key = name.lower()
        headers[key] = f"{headers[key]},{_text(value)}" if key in headers else _text(value)
    return headers


def _from_query(query: Mapping[str, str], environ: WSGIEnvironment) -> Signature:
    if query["X-Amz-Algorithm"] != ALGORITHM:
        raise RefusedError(OLD_VERSION)
    parts = {name: query.get(f"X-Amz-{name}", "") for name in ("Credential", "SignedHeaders", "Signature")}
    try:
        expires = float(query.get("X-Amz-Expires", ""))
    except ValueError as error:
        raise RefusedError(MALFORMED) from error
    return _signature(
        parts, environ, query.get("X-Amz-Date", ""), query.get("X-Amz-Security-Token", ""), expires
    )


def _signature(
    parts: Mapping[str, str], environ: WSGIEnvironment, timestamp: str, token: str, expires: float | None
) -> Signature:
    credential = read_credential(environ)
    names = tuple(name for name in parts.get("SignedHeaders", "").lower().split(";") if name)
    if credential is None or "host" not in names or not parts.get("Signature"):
        raise RefusedError(MALFORMED)
    return Signature(credential, names, parts["Signature"], timestamp, token, expires)


def _sign(
    stated: Signature, environ: WSGIEnvironment, headers: Mapping[str, str], secret: str, content_hash: str
) -> str:
    """Return the signature that the call has if its caller has the secret."""
    from botocore.awsrequest import AWSRequest

    scope = stated.credential
    path, _, query = _target(environ).partition("?")
    if scope.service == "s3":  # S3 alone signs the path as it is; clients differ in what they encode of it
        path = quote(unquote_to_bytes(path), safe=f"/{UNRESERVED}")
    request = AWSRequest(environ["REQUEST_METHOD"], f"http://{headers.get('host', '')}{path}")
    request.context.update(
        timestamp=stated.timestamp,
        query=query,
        signed={name: headers[name] for name in stated.headers if name in headers},
    )
    request.headers["X-Amz-Content-SHA256"] = content_hash
    signer = _signer(secret, scope.date, scope.region, scope.service)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    return str(signer.signature(text, request))


@lru_cache(maxsize=64)
def _signer(secret: str, date: str, region: str, service: str) -> Any:  # noqa: ARG001 - a day's key is kept a day
    from botocore.credentials import Credentials

    return _signer_class(service == "s3")(Credentials("", secret), service, region)


@cache
def _signer_class(is_s3: bool) -> Any:
    """Return botocore's signer, which signs what the caller signed instead of what botocore would."""
    from botocore.auth import S3SigV4Auth, SigV4Auth
    from botocore.compat import HTTPHeaders

    base: Any = S3SigV4Auth if is_s3 else SigV4Auth

    class Signer(base):  # type: ignore[misc]
        def headers_to_sign(self, request: Any) -> Any:
            headers = HTTPHeaders()
            for name, value in request.context["signed"].items():
                headers[name] = value
            return headers

        def canonical_query_string(self, request: Any) -> str:
            return _canonical_query(request.context["query"])

    return Signer


def _canonical_query(query: str) -> str:
    """Return the query in Amazon's order and encoding, without the signature itself."""
    pairs = (
        (_encoded(name), _encoded(value))
        for name, value in parse_qsl(query, keep_blank_values=True, errors="surrogateescape")
        if name != "X-Amz-Signature"
    )
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _encoded(text: str) -> str:
    return quote(text, safe=UNRESERVED, errors="surrogateescape")


def _query(environ: WSGIEnvironment) -> dict[str, str]:
    return dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))


def _target(environ: WSGIEnvironment) -> str:
    """Return path and query as they came; `PATH_INFO` is decoded and cannot be encoded back with certainty."""
    target = str(environ.get("RAW_URI", ""))
    if target.startswith("/"):
        return target
    if "://" in target:
        rest = target.partition("://")[2]
        return f"/{rest.partition('/')[2]}"
    return f"{quote(environ['PATH_INFO'].encode('latin-1'))}?{environ.get('QUERY_STRING', '')}"


def _wsgi_headers(environ: WSGIEnvironment) -> Iterable[tuple[str, str]]:
    for name, value in environ.items():
        if name.startswith("HTTP_") or (name in {"CONTENT_TYPE", "CONTENT_LENGTH"} and value):
            yield name.removeprefix("HTTP_").replace("_", "-"), str(value)


def _text(value: str) -> str:
    """Return a header's value as its sender wrote it, where that was UTF-8."""
    try:
        return value.encode("latin-1").decode()
    except (UnicodeEncodeError, UnicodeDecodeError):
        return value


def _iso(date: str) -> str:
    """Return a `Date` header in the form of `X-Amz-Date`; empty if it is not a date."""
    if re.fullmatch(r"\d{8}T\d{6}Z", date):
        return date
    try:
        return parsedate_to_datetime(date).astimezone(UTC).strftime(TIME_FORMAT)
    except (TypeError, ValueError):
        return ""


def _seconds(timestamp: str) -> float:
    try:
        return datetime.strptime(timestamp, TIME_FORMAT).replace(tzinfo=UTC).timestamp()
    except ValueError as error:
        raise RefusedError(MALFORMED) from error
