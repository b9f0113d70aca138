"""Errors of S3 that several of its operations raise."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from etltctl.local.kernel.json_protocol import AwsError


@contextmanager
def shape_of_a_folder(key: str) -> Iterator[None]:
    """Turn what the file system cannot do into S3's errors."""
    try:
        yield
    # Another program made a file or folder there after the way was cleared.
    except (NotADirectoryError, IsADirectoryError, FileExistsError) as error:
        message = f"the embedded S3 cannot hold {key} next to a key below or above it; nothing was changed"
        raise AwsError("InvalidArgument", message, 409) from error
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise AwsError("KeyTooLongError", "Your key is too long for this file system") from error
        raise


def unmet_condition() -> AwsError:
    """Build the error for a condition of a request that does not hold."""
    return AwsError(
        "PreconditionFailed", "At least one of the pre-conditions you specified did not hold", 412
    )


def no_such_key() -> AwsError:
    """Build the error for an object that is not there."""
    return AwsError("NoSuchKey", "The specified key does not exist.", 404)


def invalid_argument(message: str) -> AwsError:
    """Build the error for a parameter or header that has a wrong value."""
    return AwsError("InvalidArgument", message)


def invalid_request(message: str) -> AwsError:
    """Build the error for a request that contradicts itself."""
    return AwsError("InvalidRequest", message)


def malformed_xml() -> AwsError:
    """Build the error for a body that is not the XML that the operation takes."""
    return AwsError(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    )


def no_such_upload() -> AwsError:
    """Build the error for a multipart upload that is not there."""
    return AwsError("NoSuchUpload", "The specified multipart upload does not exist.", 404)


def invalid_part() -> AwsError:
    """Build the error for a part that an upload does not have."""
    return AwsError(
        "InvalidPart",
        "One or more of the specified parts could not be found. The part may not have been uploaded, or the "
        "specified entity tag may not match the part's entity tag.",
    )
