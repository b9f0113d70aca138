"""The S3 REST API over a directory, as a WSGI application."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Mapping
from secrets import token_hex
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.services.s3.buckets import BucketOperations
from etltctl.local.services.s3.call import Call
from etltctl.local.services.s3.directory import S3Directory
from etltctl.local.services.s3.form_uploads import FORM, store_form
from etltctl.local.services.s3.listing import ACCOUNT_NUMBER, error_xml
from etltctl.local.services.s3.multipart import MultipartUploads
from etltctl.local.services.s3.objects import ObjectOperations
from etltctl.local.services.s3.operations import operation_of
from etltctl.local.services.s3.tagging import TaggingOperations

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

OWNERS = ("x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner")
NO_ROOM = {errno.ENOSPC, errno.EDQUOT}


class S3Api:
    """Path-style S3: `/bucket/key`. Every request is one of `operations.OPERATIONS`, or it is refused."""

    def __init__(self, directory: S3Directory) -> None:
        self._directory = directory
        self._operations: Mapping[str, Callable[[Call], Response]] = {
            **BucketOperations(directory).operations(),
            **ObjectOperations(directory).operations(),
            **TaggingOperations(directory).operations(),
            **MultipartUploads(directory).operations(),
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request; every error is S3's XML."""
        # Clients put both ids into their errors and logs, and some refuse an answer without them.
        request_id = token_hex(8).upper()
        try:
            response = self._answer(environ)
        except ConnectionError:
            raise  # the caller has gone
        except AwsError as error:
            response = _refusal(error, environ, request_id)
        except OSError as error:
            response = _refusal(_disk_error(error), environ, request_id)
        response.headers["x-amz-request-id"] = request_id
        response.headers["x-amz-id-2"] = request_id
        response.headers["Server"] = "etltctl"
        return response(environ, start_response)

    def _answer(self, environ: WSGIEnvironment) -> Response:
        call = Call.read(environ)
        if FORM in environ:  # the door has read it, for its signature is in its fields
            return store_form(environ[FORM], call, self._directory)
        operation = operation_of(call)
        # A client that names the owner wants to be refused where a bucket of that name is another account's.
        if any(call.header(name) not in {"", f"{ACCOUNT_NUMBER:012}"} for name in OWNERS):
            raise AwsError("AccessDenied", "The bucket is owned by a different account", 403)
        return self._operations[operation.name](call)


def _refusal(error: AwsError, environ: WSGIEnvironment, request_id: str) -> Response:
    resource = environ["PATH_INFO"].encode("latin-1", "replace").decode(errors="replace")
    body = error_xml(error.code, error.message, resource, request_id)
    return Response(body, error.status, content_type="application/xml")


def _disk_error(error: OSError) -> AwsError:
    """Say what the file system refused, in one of S3's codes and with a status that clients do not retry."""
    # No 500 and no 503: clients would send the whole body again, several times, to a disk that has no room.
    if error.errno in NO_ROOM:
        return AwsError("InsufficientStorage", "the disk of the embedded S3 is full; nothing was stored", 507)
    if error.errno == errno.ENAMETOOLONG:
        return AwsError("KeyTooLongError", "Your key is too long for this file system")
    return AwsError("AccessDenied", f"the embedded S3 cannot use its folder: {error.strerror or error}", 403)
