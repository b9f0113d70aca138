"""The only maker of AWS clients: one session and one retry policy for an account and region."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

from etltctl import outage
from etltctl.aws.identity import Identity
from etltctl.aws.strangers import note_stranger, require_own, require_understood
from etltctl.aws.translation import translated
from etltctl.errors import ConfigurationError
from etltctl.proxies import is_loopback, is_proxied, require_usable
from etltctl.retrying import RetryPolicy

if TYPE_CHECKING:
    from etltctl.settings import Settings
    from etltctl.settings.environment import AwsRoute

# At DEBUG they print session tokens, the bodies of secrets, arguments of jobs and signed addresses.
TALKATIVE = ("boto3", "botocore", "s3transfer", "urllib3")
CONNECT_S, READ_S = 10, 60
BRIEF_CONNECT_S, BRIEF_READ_S = 2, 3
CONNECTIONS = 32  # kept open: so many parts of large files are copied at once


class _Use(Enum):
    """What the calls of a client are for: it decides how often and for how long they are sent."""

    READ = auto()
    START = auto()
    BRIEF = auto()


@dataclass
class Aws:
    """Clients of one account and region.

    botocore itself follows `AWS_ENDPOINT_URL` and `AWS_ENDPOINT_URL_SERVICE`. With an `AwsEndpoint` no variable and no
    profile of the user leads a client elsewhere. With an `AwsAccess` the credentials are those of the caller.
    """

    profile: str | None = None
    region: str | None = None
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    credentials: tuple[str, str, str] | None = field(default=None, repr=False)  # key, secret, session token
    route: AwsRoute | None = None
    profile_place: str = ""  # where the settings name the profile
    _clients: dict[tuple[str, _Use], Any] = field(default_factory=dict, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    @classmethod
    def from_settings(cls, settings: Settings, policy: RetryPolicy | None = None) -> Aws:
        """Return the clients of the account and region that the settings name.

        Args:
            settings: The settings.
            policy: How calls are retried; None for the usual way.
        """
        aws = settings.aws
        place = settings.place_of("aws", "profile") if aws.profile else ""
        return cls(
            aws.profile,
            aws.region,
            policy or RetryPolicy(),
            route=settings.route,
            profile_place=place,
        )

    @property
    def region_name(self) -> str | None:
        """The region that is meant, wherever it is set."""
        return self.region or self._session.get_config_variable("region")

    def client(self, service: str) -> Any:
        """Return a client whose calls may be repeated: reads, and writes that are the same when done twice."""
        return self._client(service, _Use.READ)

    def start_client(self, service: str) -> Any:
        """Return a client that sends every call once, for calls that start paid work."""
        return self._client(service, _Use.START)

    def brief_client(self, service: str) -> Any:
        """Return a client that sends every call once and waits 5 s at most, for answers that a run can do without."""
        return self._client(service, _Use.BRIEF)

    def identity(self, *, once: bool = False, brief: bool = False) -> Identity:
        """Return the caller, as STS knows it.

        Args:
            once: Whether to send the call only once, for a caller that can do without the answer.
            brief: Whether to send it once and to wait 5 s at most.
        """
        use = _Use.BRIEF if brief else _Use.START if once else _Use.READ
        with translated("sts"):
            answer = self._client("sts", use).get_caller_identity()
        return Identity(answer["Account"], answer["Arn"], answer.get("UserId", ""))

    def assuming(self, role: str) -> Aws:
        """Return the same account and region as the role (an ARN), with credentials that STS gives for an hour.

        Raises:
            AccessError: STS does not let the caller assume it.
        """
        with translated("sts", role=role):
            answer = self.client("sts").assume_role(RoleArn=role, RoleSessionName="etltctl")
        answered = answer["Credentials"]
        credentials = (answered["AccessKeyId"], answered["SecretAccessKey"], answered["SessionToken"])
        return Aws(None, self.region_name, self.policy, credentials, self.route)

    def fetch_secret(self, reference: str) -> str:
        """Return the value behind `ssm:/path` or `secretsmanager:id#key`; without `#key` the whole secret."""
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
        """Return the value behind a secret's reference; an error names `setting`."""
        from etltctl.settings import resolve_secret

        return resolve_secret(reference, setting=setting, fetch=self.fetch_secret)

    def _client(self, service: str, use: _Use) -> Any:
        # botocore's sessions are not safe for threads while they make a client; the clients themselves are.
        # The SDK reads the profile when it makes a client, so this is where a wrong one comes to light.
        with self._lock, translated(service, **self._named_profile()):
            if (service, use) not in self._clients:
                self._clients[service, use] = self._made(service, use)
            return self._clients[service, use]

    def _named_profile(self) -> dict[str, str]:
        """Return the profile with the place that names it, for an error about it; nothing without a profile."""
        if not self.profile or self.route is not None:
            return {}
        # As `settings/layers.py` names the places; a name of a variable follows `env `.
        place = {"sample lake": "the sample lake", "flag": "a flag"}.get(
            self.profile_place, self.profile_place.replace("env ", "the variable ")
        )
        return {"profile": f"{self.profile}, named by {place}" if place else self.profile}

    def _made(self, service: str, use: _Use) -> Any:
        from botocore.config import Config

        retries = self.policy.botocore_reads() if use is _Use.READ else self.policy.botocore_starts()
        connect, read = (BRIEF_CONNECT_S, BRIEF_READ_S) if use is _Use.BRIEF else (CONNECT_S, READ_S)
        config = Config(
            retries=retries, connect_timeout=connect, read_timeout=read, max_pool_connections=CONNECTIONS
        )
        client = self._without_proxy(service, config)
        client.meta.events.register("before-send", _wait_for_service)
        # The order counts: a failure of another program is noted before a parser sees its text.
        client.meta.events.register("before-parse", note_stranger)
        client.meta.events.register("before-parse", require_own)
        client.meta.events.register("after-call", require_understood)
        return client

    def _without_proxy(self, service: str, config: Any) -> Any:
        """Make a client; one of a service on this machine takes no proxy of the environment.

        Raises:
            ConfigurationError: The environment names a SOCKS proxy, which botocore cannot use.
        """
        from botocore.config import Config

        url = self.route.url_of(service) if self.route else None
        direct = config.merge(Config(proxies={}))
        if url is not None and is_loopback(url):
            return self._session.create_client(service, config=direct, endpoint_url=url)
        client = self._session.create_client(service, config=config, endpoint_url=url)
        address = client.meta.endpoint_url
        # Only the made client knows its address: a variable or the profile's file may name it.
        if is_loopback(address) and is_proxied(address):  # a second client takes as long as the first
            return self._session.create_client(service, config=direct, endpoint_url=url)
        require_usable(address, "")
        return client

    @cached_property
    def _session(self) -> Any:
        from etltctl.sdk import open_session

        keep_quiet(*TALKATIVE)
        # A route leaves out the user's profile and credentials, which may be those of a real account.
        options = self.route.session_options() if self.route else {"profile": self.profile or None}
        # The credentials of a role that was assumed are nearer than those that assumed it.
        if self.credentials is not None:
            options = {**options, "credentials": self.credentials}
        return open_session(region=self.region, **options)


def _wait_for_service(request: Any, **_: Any) -> None:
    outage.wait(request.url)


def keep_quiet(*loggers: str, least: int = logging.INFO) -> None:
    """Lets these say nothing below `least`, whatever the process logs otherwise: they would tell secrets."""
    for name in loggers:
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.getEffectiveLevel(), least))
