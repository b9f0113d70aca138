"""Uploads of browsers: an HTML form whose signed policy says what may be stored.

The fields come before the file, so the file is never held: its pieces are checked while they are written.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData
from werkzeug.wrappers import Response

from etltctl.local.kernel.bodies import READ_BYTES, framed
from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.kernel.refusal_reasons import MALFORMED, MISSING, WRONG_SIGNATURE, RefusedError
from etltctl.local.kernel.signatures import ALGORITHM, CREDENTIAL
from etltctl.local.services.s3.call import CONTROL, Call
from etltctl.local.services.s3.checksums import Verified
from etltctl.local.services.s3.described import checksums_sent, description_of
from etltctl.local.services.s3.directory import S3Directory
from etltctl.local.services.s3.errors import invalid_argument
from etltctl.local.services.s3.form_policy import check_policy
from etltctl.local.services.s3.listing import xml
from etltctl.local.services.s3.operations import operation_of
from etltctl.local.services.s3.payload import parsed
from etltctl.local.services.s3.tagging import tags_of_document

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

FORM = "etltctl.form"  # a form whose signature holds, in the environment of its request
FORM_TYPE = "multipart/form-data"
MAX_FIELDS_BYTES = 20 * 1024  # S3's limit of all fields before the file
# Fields that no condition of the policy need name: they carry the proof or the content.
FREE = frozenset({"policy", "signature", "awsaccesskeyid", "x-amz-signature", "file"})
PROOF = frozenset({"x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-security-token"})
ANSWERS = {"200": 200, "201": 201}  # any other success_action_status counts as 204


@dataclass(frozen=True)
class Form:
    """A form: its fields by their names in lower case, the name of its file, and the file's bytes as they come."""

    fields: Mapping[str, str]
    filename: str
    content: Iterator[bytes]

    def check_signature(self, find_secret: Callable[[str, str], str]) -> None:
        """Check that the policy was signed with a key of this server.

        Args:
            find_secret: Returns the secret of an access key and session token, or raises RefusedError.

        Raises:
            RefusedError: The form is not signed, or the key or the signature is wrong.
            AwsError: `InvalidArgument`, the form has a policy and lacks a field of its signature.
        """
        if "policy" not in self.fields:
            raise RefusedError(MISSING)  # only buckets that are open to everyone take such a form
        policy = self.fields["policy"]
        is_v4 = "x-amz-algorithm" in self.fields or "x-amz-signature" in self.fields
        access_key = self._field("x-amz-credential" if is_v4 else "awsaccesskeyid").partition("/")[0]
        stated = self._field("x-amz-signature" if is_v4 else "signature")
        secret = find_secret(access_key, self.fields.get("x-amz-security-token", ""))
        signature = self._sign_v4(secret, policy) if is_v4 else _sign_v2(secret, policy)
        if not hmac.compare_digest(signature.encode(), stated.encode()):
            raise RefusedError(WRONG_SIGNATURE)

    def _field(self, name: str) -> str:
        if not self.fields.get(name):
            message = f"Bucket POST must contain a field named '{name}'. Nothing was stored."
            raise invalid_argument(message)
        return self.fields[name]

    def _sign_v4(self, secret: str, policy: str) -> str:
        scope = CREDENTIAL.fullmatch(self._field("x-amz-credential"))
        if scope is None or self.fields.get("x-amz-algorithm") != ALGORITHM:
            raise RefusedError(MALFORMED)
        # Signature Version 4 derives the key from day, region and service, in this order.
        key = f"AWS4{secret}".encode()
        for part in (*scope.groups()[1:], "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        return hmac.digest(key, policy.encode(), "sha256").hex()

    @property
    def key(self) -> str:
        """The key of the object; `${filename}` in it stands for the name of the file."""
        return self._field("key").replace("${filename}", self.filename)


def is_form(environ: WSGIEnvironment) -> bool:
    """Return whether a request is a browser's form; forms carry no signature in their headers or query."""
    kind: str = environ.get("CONTENT_TYPE", "")
    return environ["REQUEST_METHOD"] == "POST" and kind.lower().startswith(FORM_TYPE)


def read_form(environ: WSGIEnvironment) -> Form:
    """Read a form up to its file.

    Raises:
        AwsError: The form has no file, or its fields are malformed or too long.
    """
    boundary = parse_options_header(environ.get("CONTENT_TYPE", ""))[1].get("boundary", "")
    events = _events(environ, boundary)
    fields: dict[str, str] = {}
    size = 0
    for event in events:
        if not isinstance(event, Field | File):
            continue
        # The field's name decides what is the file: some clients give every field a file's name.
        name = (event.name or "").lower()
        if name == "file":
            return Form(fields, getattr(event, "filename", "") or "", _data(events))
        # Names and boundaries count: the form is read before it is known who sent it.
        size += len(boundary) + len(name)
        value = b""
        for piece in _data(events):
            value += piece
            if size + len(value) > MAX_FIELDS_BYTES:
                raise _too_large()
        if (size := size + len(value)) > MAX_FIELDS_BYTES:  # also of fields that are empty
            raise _too_large()
        fields[name] = value.decode(errors="replace")
    message = "POST requires exactly one file upload per request."
    raise AwsError("IncorrectNumberOfFilesInPostRequest", message)


def store_form(form: Form, call: Call, directory: S3Directory) -> Response:
    """Store the file of a form.

    Args:
        form: A form whose signature holds.
        call: The request.
        directory: Where the object belongs.

    Raises:
        AwsError: The policy does not allow it, or the bytes are not those that a checksum announces.
    """
    if call.level != "bucket" or call.query:
        raise AwsError("MethodNotAllowed", "The specified method is not allowed against this resource.", 405)
    values = {**form.fields, "bucket": call.bucket, "key": form.key}
    low, high = check_policy(form.fields["policy"], values, FREE, datetime.now(UTC))
    upload = _as_put(form, call)
    operation_of(upload)  # refuses a field that PutObject does not model
    verified, size = Verified(upload.headers), 0
    with directory.scratch_file() as (path, stream):
        for piece in form.content:
            # A form does not state the size of its file, so it is counted while it comes in.
            if (size := size + len(piece)) > high:
                raise AwsError("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
            verified.update(piece)
            stream.write(piece)
        stream.close()
        if size < low:
            raise AwsError("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
        verified.check({})
        described = description_of(upload, verified.checksums)
        if tagging := form.fields.get("tagging"):
            described = replace(described, tags=tags_of_document(parsed(tagging.encode())))
        info = directory.adopt_file(call.bucket, upload.key, path, etag=verified.etag, description=described)
    response = _answer(form, call.bucket, info.key, info.etag)
    response.headers["ETag"] = f'"{info.etag}"'
    response.headers.update(checksums_sent(verified.checksums))
    return response


def _as_put(form: Form, call: Call) -> Call:
    """Return the PutObject that stores the same; what its headers are there, are fields in a form."""
    headers = {
        name: value for name, value in form.fields.items() if name not in FREE | PROOF | {"key", "tagging"}
    }
    if "acl" in headers:
        headers["x-amz-acl"] = headers.pop("acl")
    environ = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    return Call(environ, "PUT", call.bucket, form.key, {})


def _answer(form: Form, bucket: str, key: str, etag: str) -> Response:
    redirect = form.fields.get("success_action_redirect") or form.fields.get("redirect", "")
    # It becomes a header: one that cannot be a header is ignored, as S3 ignores one that is not a URL.
    is_header = redirect.isascii() and not CONTROL.search(redirect)
    if is_header and redirect.startswith(("http://", "https://")):
        query = urlencode({"bucket": bucket, "key": key, "etag": f'"{etag}"'})
        return Response(
            status=303, headers={"Location": f"{redirect}{'&' if '?' in redirect else '?'}{query}"}
        )
    location = f"/{bucket}/{quote(key)}"
    status = ANSWERS.get(form.fields.get("success_action_status", ""), 204)
    if status != 201:
        return Response(status=status, headers={"Location": location})
    nodes = [("Location", location), ("Bucket", bucket), ("Key", key), ("ETag", f'"{etag}"')]
    return Response(xml("PostResponse", nodes), 201, {"Location": location}, content_type="application/xml")


def _events(environ: WSGIEnvironment, boundary: str) -> Iterator[Any]:
    # The limit bounds what the decoder holds back; bytes of the file go on as they come.
    stream = framed(environ)
    decoder = MultipartDecoder(boundary.encode("latin-1", "replace"), max_form_memory_size=4 * READ_BYTES)
    try:
        while True:
            event = decoder.next_event()
            if isinstance(event, NeedData):
                # An empty piece is the end of the body, which werkzeug's decoder takes as None.
                decoder.receive_data(stream.read(READ_BYTES) or None)
                continue
            yield event
            if isinstance(event, Epilogue):
                return
    except (ValueError, RequestEntityTooLarge) as error:
        message = "The body of your POST request is not well-formed multipart/form-data."
        raise AwsError("MalformedPOSTRequest", message) from error


def _too_large() -> AwsError:
    message = "Your POST request fields preceding the upload file were too large."
    return AwsError("MaxPostPreDataLengthExceeded", message)


def _data(events: Iterator[Any]) -> Iterator[bytes]:
    for event in events:
        if not isinstance(event, Data):
            return
        yield event.data
        if not event.more_data:
            return


def _sign_v2(secret: str, policy: str) -> str:
    """Return the signature of the older version, which boto3 makes for forms by default."""
    return b64encode(hmac.new(secret.encode(), policy.encode(), hashlib.sha1).digest()).decode()
