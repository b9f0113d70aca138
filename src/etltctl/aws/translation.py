"""The errors of the AWS SDK as etltctl's errors, each with the next command."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from etltctl.aws.strangers import EMPTY, NOT_ITS_OWN, STRANGER, WEB_PAGE
from etltctl.denials import denial_of
from etltctl.errors import (
    AccessError,
    ConfigurationError,
    EtltctlError,
    Hint,
    NextStep,
    ServiceError,
    UnreachableError,
    command,
)

THROTTLED = frozenset(
    {"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown"}
)
# S3's answer to a HEAD has no body, so the SDK knows its status alone.
CODES_OF_HEAD = {"412": "PreconditionFailed"}
SET_PROFILE = "set aws.profile and aws.region in etltctl.toml, or AWS_PROFILE and AWS_REGION"
# Every profile that a profile names, such as its source_profile, must be in one of these files.
PROFILE_FILE = (
    "correct the profile in ~/.aws/config or ~/.aws/credentials (or the files that AWS_CONFIG_FILE and "
    "AWS_SHARED_CREDENTIALS_FILE name); aws configure list-profiles prints the profiles that are there"
)
SIGN_IN = "sign in again, then run the same command: aws sso login --profile PROFILE"
EMBEDDED_CONFIG = "/server/aws.config"  # in a state folder; `etltctl local env` exports its path
NO_BUCKET = NextStep(
    "check the bucket in `state` and `lake`; ",
    command("infra", "deploy"),
    " makes the buckets of the settings",
)
CHECK_ENDPOINT = (
    "another program answers in the service's place: check AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_{service}, "
    "aws.region, and the proxy"
)
DENIED = frozenset(
    {
        "AccessDenied", "AccessDeniedException", "UnauthorizedException",
        "UnauthorizedOperation",  # EC2's word
        "403",  # S3's refusal of a HEAD, which has no body to say more
    }
)  # fmt: skip
ACCESS_CODES = DENIED | {
    "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "InvalidAccessKeyId", "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}  # fmt: skip


@contextmanager
def translated(service: str, **facts: Any) -> Iterator[None]:
    """Turn whatever the SDK raises inside into etltctl's errors, with the SDK's as the cause."""
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        ConfigNotFound,
        ConfigParseError,
        CredentialRetrievalError,
        HTTPClientError,
        InvalidConfigError,
        NoCredentialsError,
        NoRegionError,
        PartialCredentialsError,
        ProfileNotFound,
        RefreshWithMFAUnsupportedError,
        SSOError,
        TokenRetrievalError,
        UnknownCredentialError,
    )
    from botocore.exceptions import ConnectionError as NoConnectionError
    from botocore.parsers import ResponseParserError

    try:
        yield
    except ClientError as error:
        raise _client_error(service, error, facts) from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        set_keys = "set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        raise AccessError(f"no AWS credentials to call {service}", hint=set_keys, **facts) from error
    except (NoRegionError, ProfileNotFound) as error:
        hint = _profile_hint() if isinstance(error, ProfileNotFound) else SET_PROFILE
        raise ConfigurationError(f"AWS client for {service}: {error}", hint=hint, **facts) from error
    except (ConfigNotFound, ConfigParseError, InvalidConfigError, UnknownCredentialError) as error:
        raise ConfigurationError(f"AWS client for {service}: {error}", hint=PROFILE_FILE, **facts) from error
    except (RefreshWithMFAUnsupportedError, SSOError, TokenRetrievalError) as error:
        raise AccessError(f"no AWS credentials to call {service}: {error}", hint=SIGN_IN, **facts) from error
    except CredentialRetrievalError as error:
        raise AccessError(
            f"no AWS credentials to call {service}: {error}", hint=PROFILE_FILE, **facts
        ) from error
    except (NoConnectionError, HTTPClientError) as error:  # no name, no route, no time; or no answer
        # botocore raises HTTPClientError once the request may have left, ConnectionError before that.
        is_open = isinstance(error, HTTPClientError)
        text = f"{service} did not answer: {error}"
        hint = "check the network, the proxy, aws.region, and AWS_ENDPOINT_URL if it is set"
        raise UnreachableError(
            text, code=type(error).__name__, is_open=is_open, hint=hint, **facts
        ) from error
    except ResponseParserError as error:
        kind = str(error) if str(error).startswith((WEB_PAGE, EMPTY)) else NOT_ITS_OWN
        raise _stranger_error(service, kind, facts, is_open=True) from error
    except BotoCoreError as error:
        raise ServiceError(f"{service}: {error}", code=type(error).__name__, **facts) from error


def _profile_hint() -> NextStep:
    """Return what to do about a profile that is not in the SDK's file of profiles."""
    file = os.environ.get("AWS_CONFIG_FILE", "")
    if file.endswith(EMBEDDED_CONFIG):
        return NextStep(
            f"this shell has AWS_CONFIG_FILE={file} from `",
            command("local", "env"),
            '`, which holds no profiles; open another shell, or: eval "$(',
            command("local", "env", "--unset"),
            ')"',
        )
    return NextStep(SET_PROFILE, f"; AWS_CONFIG_FILE={file} is read for profiles" if file else "")


def _stranger_error(service: str, kind: str, facts: dict[str, Any], *, is_open: bool) -> ServiceError:
    """Build the error for an answer of something that is not AWS; none of its text is repeated."""
    hint = CHECK_ENDPOINT.format(service=service.upper().replace("-", "_"))
    message = f"the endpoint of {service} answered {kind}, not with the API of {service}"
    return ServiceError(message, hint=hint, is_open=is_open, **facts)


def _client_error(service: str, error: Any, facts: dict[str, Any]) -> EtltctlError:
    metadata = error.response.get("ResponseMetadata", {})
    status = metadata.get("HTTPStatusCode", 0)
    if kind := metadata.get("HTTPHeaders", {}).get(STRANGER):
        return _stranger_error(
            service, f"{kind} (status {status})", facts, is_open=_may_have_happened(status)
        )
    code = error.response.get("Error", {}).get("Code", "")
    code = CODES_OF_HEAD.get(code, code)
    text = error.response.get("Error", {}).get("Message", "") or str(error)
    message = f"{service} {error.operation_name}: {text} ({code})"
    if code in DENIED:
        denial = denial_of(service, error.operation_name, text, facts)
        return AccessError(message, hint=denial.hint, **{**facts, **denial.facts})
    if code in ACCESS_CODES:
        return AccessError(message, hint="get valid credentials, then run it again", **facts)
    hint: Hint = NO_BUCKET if code == "NoSuchBucket" else ""
    return ServiceError(message, code=code, is_open=_may_have_happened(status), hint=hint, **facts)


def _may_have_happened(status: int) -> bool:
    """Return whether a call that failed with this status may still have taken effect."""
    # A 5xx may come from a load balancer that lost the answer; 501 says that nothing was done.
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.NOT_IMPLEMENTED
