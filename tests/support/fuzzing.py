"""Malformed and random requests to the embedded server, generated from a seed."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache
from itertools import product
from random import Random
from typing import Any
from urllib.parse import quote, urlencode

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.loaders import Loader
from botocore.model import ServiceModel

HOST = "127.0.0.1"
SEGMENTS = (
    "lake", "k", "a", "", ".", "..", "%2F", "%2e%2e", "%00", "%ff", "n" * 300, "ü", "a b", "a+b", "%", "%zz", "\u2028",
    "etc", "passwd", "-", "~", "*", "lake.", "LAKE", "x" * 1100, "k.json", "k.json.d",
)  # fmt: skip
SUBRESOURCES = (
    "uploads", "uploadId", "partNumber", "tagging", "acl", "delete", "versions", "versionId", "policy", "location",
    "list-type", "prefix", "delimiter", "max-keys", "marker", "start-after", "continuation-token", "encoding-type",
    "retention", "torrent", "select", "x-id", "X-Amz-Date", "lifecycle", "versioning", "response-expires", "nonsense",
    "max-uploads", "key-marker", "fetch-owner", "encryption", "publicAccessBlock", "website", "max-buckets", "restore",
)  # fmt: skip
S3_HEADERS = (
    "Range", "If-Match", "If-None-Match", "If-Modified-Since", "x-amz-copy-source", "Content-MD5", "Content-Encoding",
    "x-amz-checksum-crc32", "x-amz-decoded-content-length", "x-amz-trailer", "x-amz-meta-a", "Cache-Control", "Expires",
    "x-amz-copy-source-range", "x-amz-metadata-directive", "x-amz-tagging", "x-amz-expected-bucket-owner", "Expect",
)  # fmt: skip
VALUES = (
    "", "0", "-1", "1", "2", "1000", "99999999999999999999", "x", "null", "true", "*", '"', "bytes=0-", "bytes=-1",
    "bytes=5-2", "aws-chunked", "lake/k", "/lake/k?versionId=null", "lake/../../etc/passwd", "\xff\xfe", "a=b&a=b", "/",
    "REPLACE", "Thu, 01 Jan 1970 00:00:00 GMT", "AAAAAA==", "100-continue", "url", "ü", "\x7f", "[]", "%00", "../",
)  # fmt: skip
DOCUMENTS = (
    b"", b"x", b"\x00\xff", b"<", b"<Delete><Object><Key>/etc/passwd</Key></Object></Delete>", b"<Delete/>",
    b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>",
    b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><Delete>&b;</Delete>',
    b'<?xml version="1.0" encoding="x"?><a/>',
    b"<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>", b"{}", b"[]", b"null", b'{"a":', b"[" * 2000,
    b"<CreateBucketConfiguration><LocationConstraint>x</LocationConstraint></CreateBucketConfiguration>",
    b"Action=&=&",
)  # fmt: skip
JSON_SERVICES = ("glue", "athena", "ssm", "secretsmanager", "logs", "cloudtrail", "lakeformation", "kms")
QUERY_SERVICES = ("iam", "sts", "cloudformation", "sns")
AIRBYTE = (
    "applications/token", "jobs", "jobs/1", "connections", "connections/x", "sources", "sources/x", "destinations",
    "destinations/x", "workspaces", "workspaces/x/definitions/declarative_sources", "health", "nonsense", "",
)  # fmt: skip
FIELDS = (
    "client_id", "client_secret", "connectionId", "jobType", "name", "workspaceId", "configuration", "sourceId",
    "destinationId", "status", "schedule", "configurations", "manifest", "definitionId", "prefix", "namespaceFormat",
)  # fmt: skip


QUERIES = tuple(product(SUBRESOURCES, VALUES))
HEADERS = tuple(product(S3_HEADERS, VALUES))


class Deck:
    """A deck that deals each card once, in random order, before it deals any card again.

    So a few thousand requests cover as much as tens of thousands with independent draws.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._left: dict[Sequence[Hashable], list[Any]] = {}

    def deal(self, cards: Sequence[Any]) -> Any:
        """Return the next card."""
        left = self._left.setdefault(cards, [])
        if not left:
            left += cards
            self._random.shuffle(left)
        return left.pop()


class Fuzz:
    """A stream of requests; `token` is for Airbyte, `credentials` for AWS, `key` for the server itself."""

    def __init__(self, seed: int, credentials: Any, port: int, token: str, key: str, outside: str) -> None:
        self.random = Random(seed)
        self.deal = Deck(self.random).deal
        self._credentials = credentials
        self._port = port
        self._token = token
        self._key = key
        self._segments = (*SEGMENTS, outside, quote(outside, safe=""))
        self.kinds: dict[str, tuple[int, Callable[[], bytes]]] = {
            "s3": (1800, self.s3),
            "raw": (1200, self.raw),
            "airbyte": (500, self.airbyte),
            "own": (400, self.own),
            "json": (len(_operations(JSON_SERVICES)), self.json),
            "query": (len(_operations(QUERY_SERVICES)), self.query),
        }

    # damage to bytes and framing

    def raw(self) -> bytes:
        """Return a request with damaged bytes or a wrong length."""
        pick = self.random
        line = self.deal(
            ("GET /lake/k HTTP/1.1", "PUT /lake/raw HTTP/1.1", "POST / HTTP/1.1", "GET /_etltctl/health HTTP/1.0",
             "POST /airbyte/v1/jobs HTTP/1.1", "GET http://127.0.0.1/lake HTTP/1.1", "GET //[ HTTP/1.1", "X", "",
             "OPTIONS * HTTP/1.1", "GET /sample/ergast/f1/2024/results/?limit=x HTTP/1.1", "DELETE /lake/k HTTP/9.9")
        )  # fmt: skip
        headers = [f"Host: {pick.choice((HOST, 'localhost:1', 'example.org', ''))}"]
        frames = ("Content-Length: 5", "Content-Length: 99999", "Content-Length: -1", "Content-Length: 1,2")
        chunked = (
            "Transfer-Encoding: chunked",
            "Transfer-Encoding: gzip",
            "Transfer-Encoding: chunked, chunked",
        )
        headers += pick.sample(
            (*frames, *chunked, "Connection: keep-alive", "Expect: 100-continue"), pick.randint(0, 2)
        )
        headers += [": ".join(self.deal(HEADERS))] * pick.randint(0, 2)
        sizes = ("5", "0", "ffffff", "ffffffffffffffff", "-5", "zz", "40000000;x", "", "1" * 200)
        body = b"".join(f"{self.deal(sizes)}\r\nhello\r\n".encode() for _ in range(pick.randint(0, 3)))
        data = bytearray("\r\n".join([line, *headers, "", ""]).encode("latin-1", "replace") + body)
        for _ in range(pick.choice((0, 0, 1, 3))):
            place = pick.randrange(len(data))
            data[place : place + pick.randint(0, 4)] = pick.randbytes(pick.randint(0, 4))
        return bytes(data[: pick.randint(1, len(data))] if pick.random() < 0.2 else data)

    def request(
        self, method: str, path: str, body: bytes, headers: dict[str, str], service: str = ""
    ) -> bytes:
        """Return one request as bytes, signed for the service if one is named."""
        headers = {name: value for name, value in headers.items() if not set("\r\n\0") & set(value)}
        if service:
            request = AWSRequest(method, f"http://{HOST}:{self._port}{path}", headers=headers, data=body)
            signer = S3SigV4Auth if service == "s3" else SigV4Auth
            signer(self._credentials, service, "us-east-1").add_auth(request)
            headers = dict(request.headers.items())
        length = "" if self.random.random() < 0.05 else f"Content-Length: {len(body)}\r\n"
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"{method} {path} HTTP/1.1\r\nHost: {HOST}:{self._port}\r\n{length}{lines}\r\n"
        cut = body[: self.random.randint(0, len(body))] if self.random.random() < 0.05 else body
        return head.encode("utf-8", "replace") + cut

    # services

    def s3(self) -> bytes:
        """Return a request to S3 with any method, key, sub-resources and headers."""
        pick = self.random
        method = pick.choice(("GET", "GET", "HEAD", "PUT", "PUT", "PUT", "DELETE", "POST"))
        segments = ["lake"] if pick.random() < 0.8 else [self.deal(self._segments)]
        segments += [
            self.deal((*self._segments, *"kkkabcdef")) for _ in range(pick.choice((0, 1, 1, 1, 2, 3)))
        ]
        count = pick.choice((1, 1, 2)) if method == "POST" else pick.choice((0, 0, 1, 2))
        query = [self.deal(QUERIES) for _ in range(count)]
        path = quote("/" + "/".join(segments), safe="/%~-._*") + (f"?{urlencode(query)}" if query else "")
        headers = dict(self.deal(HEADERS) for _ in range(pick.choice((0, 0, 1, 2))))
        return self.request(method, path, self.deal(DOCUMENTS), _latin(headers), "s3")

    def json(self) -> bytes:
        """Return an operation of a JSON service with an input of roughly the right shape."""
        pick = self.random
        service, name = self.deal(_operations(JSON_SERVICES))
        model = _model(service)
        shape = model.operation_model(name).input_shape
        body = json.dumps(self.value(shape, 0) if shape else {}).encode()
        body = self.deal(DOCUMENTS) if pick.random() < 0.1 else body
        path = f"/{name}" if service == "lakeformation" else "/"
        headers = {"Content-Type": "application/x-amz-json-1.1"}
        if service != "lakeformation":
            headers["X-Amz-Target"] = f"{model.metadata['targetPrefix']}.{name}"
        return self.request("POST", path, body, headers, model.signing_name)

    def query(self) -> bytes:
        """Return an operation of a service that takes forms."""
        pick = self.random
        service, name = self.deal(_operations(QUERY_SERVICES))
        model = _model(service)
        shape = model.operation_model(name).input_shape
        fields = {"Action": name, "Version": model.api_version}
        for member in shape.members if shape else ():
            if pick.random() < 0.7:
                fields[pick.choice((member, f"{member}.member.1"))] = pick.choice((*VALUES, "lake", "role"))
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        return self.request("POST", "/", urlencode(fields).encode(), headers, model.signing_name)

    def airbyte(self) -> bytes:
        """Return a call of Airbyte's API with a token and random fields."""
        pick = self.random
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        body = json.dumps({pick.choice(FIELDS): self.anything(0) for _ in range(pick.randint(0, 4))}).encode()
        body = self.deal(DOCUMENTS) if pick.random() < 0.2 else body
        method = self.deal(("GET", "POST", "POST", "PATCH", "PUT", "DELETE"))
        query = (
            f"?{urlencode([(pick.choice(('limit', 'offset', 'workspaceIds', 'x')), pick.choice(VALUES))])}"
        )
        path = f"/airbyte/v1/{self.deal(AIRBYTE)}{query if pick.random() < 0.3 else ''}"
        return self.request(method, path, body, headers)

    def own(self) -> bytes:
        """Return a request to the server itself, but none that stops the server or sets a fault that holds answers."""
        pick = self.random
        name = self.deal(("health", "keep", "faults", "stack", "nonsense", "", "..", "health/x"))
        names = (
            "keep",
            "call",
            "buckets",
            "jobs",
            "workgroup",
            "connections",
            "roles",
            "data_pack",
            "databases",
        )
        body = json.dumps({pick.choice(names): self.anything(0) for _ in range(pick.randint(0, 3))}).encode()
        body = self.deal(DOCUMENTS) if pick.random() < 0.2 else body
        return self.request(
            pick.choice(("GET", "POST", "PUT")), f"/_etltctl/{name}", body, {"Authorization": self._key}
        )

    # values

    def anything(self, depth: int) -> Any:
        """Return any JSON value."""
        pick = self.random
        if depth < 3 and pick.random() < 0.3:
            if pick.random() < 0.5:
                return [self.anything(depth + 1) for _ in range(pick.randint(0, 2))]
            return {pick.choice(FIELDS): self.anything(depth + 1) for _ in range(pick.randint(0, 3))}
        return pick.choice((*VALUES, None, True, 0, -1, 1.5, 10**30, "s3://lake//etc/", "s3://lake/../x"))

    def value(self, shape: Any, depth: int) -> Any:
        """Return a value of roughly this shape: sometimes another type, sometimes with members missing."""
        pick = self.random
        if depth > 4 or pick.random() < 0.04:
            return self.anything(2)
        if shape.type_name == "structure":
            return {
                name: self.value(member, depth + 1)
                for name, member in shape.members.items()
                if pick.random() < (0.95 if name in shape.required_members else 0.3)
            }
        if shape.type_name == "list":
            return [self.value(shape.member, depth + 1) for _ in range(pick.randint(0, 2))]
        if shape.type_name == "map":
            return {pick.choice(("a", "b", "")): self.value(shape.value, depth + 1)}
        if getattr(shape, "enum", None):
            return pick.choice(shape.enum)
        if shape.type_name == "boolean":
            return pick.random() < 0.5
        if shape.type_name in {"integer", "long", "double", "float", "timestamp"}:
            return pick.choice((0, 1, 5, -1, 10**12))
        return pick.choice(
            ("a", "job", "gold", "db", "s3://lake/x/", "select 1", "arn:aws:s3:::lake", *VALUES)
        )


@lru_cache
def _model(service: str) -> ServiceModel:
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


@lru_cache
def _operations(services: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Return every operation of these services."""
    return tuple((service, name) for service in services for name in _model(service).operation_names)


def _latin(headers: dict[str, str]) -> dict[str, str]:
    return {name: value.strip() for name, value in headers.items()}
