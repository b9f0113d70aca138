"""The only maker of AWS clients: one session, one retry policy, and every SDK error in our words."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from threading import Lock
from typing import TYPE_CHECKING, Any

from etltctl import outage
from etltctl.answers import require_needed
from etltctl.denials import denial_of
from etltctl.errors import AccessError, ConfigurationError, EtltctlError, ServiceError, UnreachableError
from etltctl.proxies import is_loopback, is_proxied, require_usable
from etltctl.retrying import RetryPolicy

if TYPE_CHECKING:
    from etltctl.settings import Settings

# At DEBUG they print session tokens, the bodies of secrets, arguments of jobs and signed addresses.
TALKATIVE = ("boto3", "botocore", "s3transfer", "urllib3")
THROTTLED = frozenset(
    {"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown"}
)
# Every answer of AWS carries one of these; the header that notes an answer of something else is etltctl's own.
REQUEST_IDS = frozenset({"x-amzn-requestid", "x-amz-request-id", "x-amz-id-2"})
SET_PROFILE = "set aws.profile and aws.region in etltctl.toml, or AWS_PROFILE and AWS_REGION"
EMBEDDED_CONFIG = "/server/aws.config"  # in a state folder; `etltctl local env` exports its path
STRANGER = "x-etltctl-stranger"
NO_BUCKET = "check the bucket in `state` and `lake`; etltctl infra deploy makes the buckets of the settings"
WEB_PAGE, EMPTY, NOT_ITS_OWN = "with a web page", "with nothing", "with something that is not its own"
CHECK_ENDPOINT = (
    "another program answers in the service's place: check AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_{service}, "
    "aws.region, and the proxy"
)
# Operations whose success always tells something.
TELLING = re.compile(r"(Get|List|Describe|Search|Lookup|Start)")
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


@dataclass(frozen=True)
class Identity:
    """The caller: the account's 12 digits, the ARN of the user or of the assumed role's session, STS's user id."""

    account: str
    arn: str
    user_id: str = ""

    @property
    def is_root(self) -> bool:
        """Whether the caller is the account's root user, who may do everything. STS gives it the account's id."""
        return self.arn.endswith(":root") or self.user_id == self.account

    @property
    def is_federated(self) -> bool:
        """Whether the caller is a federated user, who has no policies in IAM."""
        return ":federated-user/" in self.arn

    @property
    def principal(self) -> str:
        """The user or role behind the session, as an ARN; the path of an assumed role is not told by STS."""
        found = re.fullmatch(r"(arn:[^:]+):sts::(\d+):assumed-role/([^/]+)/.+", self.arn)
        return f"{found[1]}:iam::{found[2]}:role/{found[3]}" if found else self.arn

    def arn_of(self, name: str) -> str:
        """The ARN that `role:NAME` or `user:NAME` stands for in this account; anything else is told as it is."""
        kind, _, rest = name.partition(":")
        if kind not in {"role", "user"}:
            return name
        partition = ":".join(self.arn.split(":")[:2])
        return f"{partition}:iam::{self.account}:{kind}/{rest}"


@dataclass
class Aws:
    """Clients of one account and region; `AWS_ENDPOINT_URL` and its kin are honoured by botocore itself."""

    profile: str | None = None
    region: str | None = None
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    credentials: tuple[str, str, str] | None = field(default=None, repr=False)  # key, secret, session token
    _clients: dict[tuple[str, bool], Any] = field(default_factory=dict, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    @classmethod
    def from_settings(cls, settings: Settings) -> Aws:
        """The account and region that the settings name."""
        return cls(profile=settings.aws.profile, region=settings.aws.region)

    @property
    def region_name(self) -> str | None:
        """The region that is meant, wherever it is set."""
        return self.region or self._session.get_config_variable("region")

    def client(self, service: str) -> Any:
        """A client whose calls may be repeated: reads, and writes that are the same when done twice."""
        return self._client(service, starts=False)

    def start_client(self, service: str) -> Any:
        """A client that sends every call once, for calls that start paid work."""
        return self._client(service, starts=True)

    def identity(self, *, once: bool = False) -> Identity:
        """Return the caller, as STS knows it.

        Args:
            once: Whether to send the call only once, for a caller that can do without the answer.
        """
        with translated("sts"):
            answer = self._client("sts", starts=once).get_caller_identity()
        return Identity(answer["Account"], answer["Arn"], answer.get("UserId", ""))

    def assuming(self, role: str) -> Aws:
        """The same account and region as the role (an ARN), with credentials that STS gives for an hour.

        Raises AccessError if STS does not let the caller assume it.
        """
        with translated("sts", role=role):
            answer = self.client("sts").assume_role(RoleArn=role, RoleSessionName="etltctl")
        given = answer["Credentials"]
        credentials = (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        return Aws(region=self.region_name, policy=self.policy, credentials=credentials)

    def fetch_secret(self, reference: str) -> str:
        """The value behind `ssm:/path` or `secretsmanager:id#key`; without `#key` the whole secret."""
        kind, _, place = reference.partition(":")
        if kind == "ssm":
            with translated("ssm", secret=reference):
                answer = self.client("ssm").get_parameter(Name=place, WithDecryption=True)
            return str(answer["Parameter"]["Value"])
        name, _, key = place.partition("#")
        with translated("secretsmanager", secret=reference):
            text = self.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"]
        if not key:
            return str(text)
        try:
            return str(json.loads(text)[key])
        except (KeyError, TypeError, ValueError) as error:
            hint = "the part after # names a key of the secret's JSON object"
            raise ConfigurationError(f"secret {name} has no key {key}", hint=hint) from error

    def reveal(self, reference: str, setting: str) -> str:
        """The value behind a secret's reference; `setting` is named if there is none."""
        from etltctl.settings import resolve_secret

        return resolve_secret(reference, setting=setting, fetch=self.fetch_secret)

    def _client(self, service: str, *, starts: bool) -> Any:
        with self._lock, translated(service):
            if (service, starts) not in self._clients:
                self._clients[service, starts] = self._made(service, starts=starts)
            return self._clients[service, starts]

    def _made(self, service: str, *, starts: bool) -> Any:
        from botocore.config import Config

        retries = self.policy.botocore_starts() if starts else self.policy.botocore_reads()
        client = self._without_proxy(service, Config(retries=retries, connect_timeout=10, read_timeout=60))
        client.meta.events.register("before-send", _wait_for_service)
        client.meta.events.register("before-parse", _note_stranger)
        client.meta.events.register("before-parse", _require_own)
        client.meta.events.register("after-call", _require_understood)
        return client

    def _without_proxy(self, service: str, config: Any) -> Any:
        """Make a client; one of a service on this machine takes no proxy of the environment.

        Raises:
            ConfigurationError: The environment names a SOCKS proxy, which botocore cannot use.
        """
        from botocore.config import Config

        client = self._session.create_client(service, config=config)
        address = client.meta.endpoint_url
        if is_loopback(address) and is_proxied(address):  # a second client takes as long as the first
            return self._session.create_client(service, config=config.merge(Config(proxies={})))
        require_usable(address, "")
        return client

    @cached_property
    def _session(self) -> Any:
        from etltctl.sdk import open_session

        keep_quiet(*TALKATIVE)
        return open_session(self.profile or None, self.region, self.credentials)


def _wait_for_service(request: Any, **_: Any) -> None:
    outage.wait(request.url)


def _note_stranger(operation_model: Any, response_dict: dict[str, Any], **_: Any) -> None:
    """Recognise a failure that no AWS service sent.

    A passing fault (5xx) is noted in a header and left to botocore, which asks again: a load balancer in front of
    a real service sends web pages too.
    """
    from botocore.parsers import ResponseParserError

    status, body = response_dict["status_code"], response_dict["body"]
    if status < HTTPStatus.BAD_REQUEST or operation_model.http["method"] == "HEAD":
        return
    kind = _kind_of_answer(body)
    has_id = bool({name.lower() for name in response_dict["headers"]} & REQUEST_IDS)
    if kind != WEB_PAGE and (has_id or _is_own(operation_model, body)):
        return
    if status < HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.TOO_MANY_REQUESTS:
        raise ResponseParserError(f"{kind} (status {status})")
    response_dict["headers"][STRANGER] = kind


def _is_own(operation_model: Any, body: bytes) -> bool:
    """Return whether a body begins as those of the service do."""
    start = body.lstrip()[:100].lower()
    if "json" in operation_model.service_model.resolved_protocol:
        return start.startswith(b"{")
    return start.startswith(b"<") and b"html" not in start


def _kind_of_answer(body: bytes) -> str:
    start = body.lstrip()[:100].lower()
    if start.startswith(b"<!doctype html") or b"<html" in start:
        return WEB_PAGE
    return NOT_ITS_OWN if start else EMPTY


def _require_own(operation_model: Any, response_dict: dict[str, Any], **_: Any) -> None:
    """Refuses a success whose body no service would send, such as the page of a proxy that asks for a login."""
    from botocore.parsers import ResponseParserError

    if response_dict["status_code"] >= HTTPStatus.MULTIPLE_CHOICES or not _tells_something(operation_model):
        return
    body = response_dict["body"]
    if body.strip() and not _is_own(operation_model, body):
        raise ResponseParserError(_kind_of_answer(body))


def _require_understood(http_response: Any, parsed: dict[str, Any], model: Any, **_: Any) -> None:
    """Refuses the success of a question that holds nothing of what was asked for."""
    from botocore.parsers import ResponseParserError

    if http_response.status_code >= HTTPStatus.MULTIPLE_CHOICES or not _tells_something(model):
        return
    is_empty = TELLING.match(model.name) and parsed.keys() <= {"ResponseMetadata"}
    if is_empty and not _may_be_empty(model, http_response.content):
        raise ResponseParserError(f"{model.name} is not answered so")
    require_needed(model.service_model.service_name, model.name, parsed)


def _may_be_empty(operation: Any, body: bytes) -> bool:
    """Return whether a body that holds no value can be the service's: it may write its optional members as null."""
    if body == b"{}":
        return True
    try:
        members = json.loads(body)
    except (ValueError, RecursionError):
        return False
    if not isinstance(members, dict) or any(value is not None for value in members.values()):
        return False
    shape = operation.output_shape
    return members.keys() <= shape.members.keys() and not shape.required_members


def _tells_something(operation: Any) -> bool:
    """Whether the operation's answer has a body that is read at once."""
    shape = operation.output_shape
    return shape is not None and bool(shape.members) and not operation.has_streaming_output


def keep_quiet(*loggers: str, least: int = logging.INFO) -> None:
    """Lets these say nothing below `least`, whatever the process logs otherwise: they would tell secrets."""
    for name in loggers:
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.getEffectiveLevel(), least))


@contextmanager
def translated(service: str, **facts: Any) -> Iterator[None]:
    """Turns whatever the SDK raises inside into our errors, with the SDK's as its cause."""
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        HTTPClientError,
        NoCredentialsError,
        NoRegionError,
        PartialCredentialsError,
        ProfileNotFound,
    )
    from botocore.exceptions import ConnectionError as NoConnectionError
    from botocore.parsers import ResponseParserError

    try:
        yield
    except ClientError as error:
        raise _client_error(service, error, facts) from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        hint = "set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        raise AccessError(f"no AWS credentials to call {service}", hint=hint, **facts) from error
    except (NoRegionError, ProfileNotFound) as error:
        hint = _profile_hint() if isinstance(error, ProfileNotFound) else SET_PROFILE
        raise ConfigurationError(f"AWS client for {service}: {error}", hint=hint, **facts) from error
    except (NoConnectionError, HTTPClientError) as error:  # no name, no route, no time; or no answer
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


def _profile_hint() -> str:
    """Return what to do about a profile that is not in the SDK's file of profiles."""
    file = os.environ.get("AWS_CONFIG_FILE", "")
    if file.endswith(EMBEDDED_CONFIG):
        return (
            f"this shell has AWS_CONFIG_FILE={file} from `etltctl local env`, which holds no profiles; open another "
            'shell, or: eval "$(etltctl local env --unset)"'
        )
    return f"{SET_PROFILE}; AWS_CONFIG_FILE={file} is read for profiles" if file else SET_PROFILE


def _stranger_error(service: str, kind: str, facts: dict[str, Any], *, is_open: bool) -> ServiceError:
    """Build the error for an answer of something that is not AWS; none of its text is repeated."""
    hint = CHECK_ENDPOINT.format(service=service.upper().replace("-", "_"))
    message = f"the endpoint of {service} answered {kind}, not with the API of {service}"
    return ServiceError(message, hint=hint, is_open=is_open, **facts)


def _client_error(service: str, error: Any, facts: dict[str, Any]) -> EtltctlError:
    told = error.response.get("ResponseMetadata", {})
    status = told.get("HTTPStatusCode", 0)
    if kind := told.get("HTTPHeaders", {}).get(STRANGER):
        return _stranger_error(
            service, f"{kind} (status {status})", facts, is_open=_may_have_happened(status)
        )
    code = error.response.get("Error", {}).get("Code", "")
    text = error.response.get("Error", {}).get("Message", "") or str(error)
    message = f"{service} {error.operation_name}: {text} ({code})"
    if code in DENIED:
        denial = denial_of(service, error.operation_name, text, facts)
        return AccessError(message, hint=denial.hint, **{**facts, **denial.facts})
    if code in ACCESS_CODES:
        return AccessError(message, hint="get valid credentials, then run it again", **facts)
    hint = NO_BUCKET if code == "NoSuchBucket" else ""
    return ServiceError(message, code=code, is_open=_may_have_happened(status), hint=hint, **facts)


def _may_have_happened(status: int) -> bool:
    """Return whether a call that failed with this status may still have taken effect."""
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.NOT_IMPLEMENTED
