"""The callers: the owner of the state folder, IAM's users by their access keys, and roles by STS's sessions."""

from __future__ import annotations

import hmac
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from xml.sax.saxutils import escape

from werkzeug.wrappers import Request, Response

from etltctl.local.kernel.accounts import ACCOUNT, EVERYBODY, OWNER
from etltctl.local.kernel.api_models import service_model
from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.kernel.keys import Keys
from etltctl.local.kernel.refusal_reasons import EXPIRED_TOKEN, UNKNOWN_KEY, WRONG_TOKEN, RefusedError
from etltctl.local.kernel.signatures import read_credential

NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
ACTIONS = ("AssumeRole", "GetCallerIdentity", "GetSessionToken")  # what of STS is answered here
# moto answers these with keys of AWS's documentation, which no door would let in.
REFUSED = ("AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "GetFederationToken")
SESSION_S = 3600
# Lake Formation takes these without looking them up: other directories and whole accounts.
NEVER_CHECKED = r"arn:aws:(identitystore|quicksight|organizations|iam::\d{12}:saml-provider/).*|\d{12}"


@dataclass(frozen=True)
class Session:
    """A session of a role or a user: its ARN, the session's name, its end in seconds since 1970, its credentials."""

    role: str
    name: str
    expires: float
    secret: str = field(repr=False)
    token: str = field(repr=False)

    @property
    def arn(self) -> str:
        """The ARN that STS names: a session of a user is the user itself."""
        if ":role/" not in self.role:
            return self.role
        return f"arn:aws:sts::{ACCOUNT}:assumed-role/{self.role.rpartition('/')[2]}/{self.name}"


@dataclass(frozen=True)
class UserKey:
    """An access key that IAM made: its user's ARN and its secret."""

    user: str
    secret: str = field(repr=False)


class Identities:
    """The callers that this server knows.

    Args:
        owners: The keys of the state folder's owner and of the server itself.
        find: Returns the ARN of IAM's role or user, by kind and name; empty if there is none.
        find_key: Returns an access key that IAM made, or None.
    """

    def __init__(
        self,
        owners: Sequence[Keys],
        find: Callable[[str, str], str],
        find_key: Callable[[str], UserKey | None],
    ) -> None:
        self._owners = {keys.access_key_id: keys.secret_access_key for keys in owners}
        self._find = find
        self._find_key = find_key
        self._sessions: dict[str, Session] = {}
        self._lock = Lock()

    def secret(self, access_key: str, token: str) -> str:
        """Return the secret that the caller with this access key signs with.

        Args:
            access_key: The key's id, from the call's signature.
            token: The session token of the call; empty without one.

        Raises:
            RefusedError: The key is not known, or the token is not the key's, or is no longer valid.
        """
        # Sessions first: their keys begin with ASIA and are nowhere in IAM.
        session = self._sessions.get(access_key)
        if session is not None:
            if not hmac.compare_digest(token.encode(), session.token.encode()):
                raise RefusedError(WRONG_TOKEN)
            if session.expires <= time.time():
                raise RefusedError(EXPIRED_TOKEN)
            return session.secret
        # A token belongs to a session: no other key may come with one.
        if token:
            raise RefusedError(WRONG_TOKEN)
        if access_key in self._owners:
            return self._owners[access_key]
        key = self._find_key(access_key)
        if key is None:
            raise RefusedError(UNKNOWN_KEY)
        return key.secret

    def caller(self, request: Request) -> str:
        """Return the principal behind a request: a session's role, a user of IAM, or the state folder's owner.

        Raises:
            AwsError: The access key was deleted while the request was under way.
        """
        # The role and not its session: Lake Formation grants to roles.
        session = self._session(request)
        if session:
            return session.role
        credential = read_credential(request.environ)
        if credential is None or credential.access_key in self._owners:
            return OWNER
        key = self._find_key(credential.access_key)
        if key is None:  # deleted since its signature was checked: its caller is not the owner
            raise AwsError(UNKNOWN_KEY.json, UNKNOWN_KEY.message, 403)
        return key.user

    def is_principal(self, name: str) -> bool:
        """Return whether an identifier names a principal."""
        if name in {EVERYBODY, OWNER} or re.fullmatch(NEVER_CHECKED, name):
            return True
        match = re.fullmatch(r"arn:aws:iam::\d{12}:(role|user)/(?:.*/)?([^/]+)", name)
        return bool(match) and self._find(match[1], match[2]) == name  # type: ignore[index]

    def answer(self, request: Request, form: Mapping[str, str]) -> Response | None:
        """STS's answer to the form, or None for an action that is not modelled here."""
        action = form.get("Action", "")
        if action == "GetCallerIdentity":
            session = self._session(request)
            arn = session.arn if session else self.caller(request)
            # STS names the root user by the account's id. The folder's owner may do everything, as the root user may.
            user_id = ACCOUNT if arn == OWNER else "AIDA"
            return _xml(action, {"Arn": arn, "UserId": user_id, "Account": ACCOUNT})
        if action in ("AssumeRole", "GetSessionToken"):
            _check(action, form)
        if action == "AssumeRole":
            return self._assume(form, self.caller(request))
        if action == "GetSessionToken":
            return _xml(action, {"Credentials": self._begin(self.caller(request), "", form)[1]})
        if action in REFUSED:
            text = f"the embedded server does not model sts {action}; nothing was changed"
            raise AwsError("NotImplementedException", text, 501)
        return None

    def _assume(self, form: Mapping[str, str], caller: str) -> Response:
        role, name = form["RoleArn"], form["RoleSessionName"]
        if ":role/" not in role or not self.is_principal(role):
            # AWS says no more than the first sentence: it hides which roles there are.
            text = f"User: {caller} is not authorized to perform: sts:AssumeRole on resource: {role}"
            text += " because the account has no such role"
            return _error("AccessDenied", text, 403)
        session, credentials = self._begin(role, name, form)
        user = {"AssumedRoleId": f"AROA:{name}", "Arn": session.arn}
        return _xml("AssumeRole", {"Credentials": credentials, "AssumedRoleUser": user})

    def _begin(self, principal: str, name: str, form: Mapping[str, str]) -> tuple[Session, Mapping[str, str]]:
        """Return a new session of a role or user, and its credentials as STS answers them."""
        seconds = int(form.get("DurationSeconds") or SESSION_S)
        key, expires = f"ASIA{secrets.token_hex(8).upper()}", time.time() + seconds
        session = Session(principal, name, expires, secrets.token_hex(20), secrets.token_hex(32))
        with self._lock:
            self._sessions[key] = session
        until = datetime.fromtimestamp(expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return session, {
            "AccessKeyId": key,
            "SecretAccessKey": session.secret,
            "SessionToken": session.token,
            "Expiration": until,
        }

    def _session(self, request: Request) -> Session | None:
        credential = read_credential(request.environ)
        return self._sessions.get(credential.access_key) if credential else None


def _check(action: str, form: Mapping[str, str]) -> None:
    """Check the fields of a form by the model of the operation.

    Raises:
        AwsError: A field is missing, is not a number, or is out of its limits.
    """
    shape = service_model("sts").operation_model(action).input_shape
    for name, member in shape.members.items():
        value, place = form.get(name), f"{name[:1].lower()}{name[1:]}"
        if value is None:
            if name in shape.required_members:
                raise _invalid(
                    f"Value null at '{place}' failed to satisfy constraint: Member must not be null"
                )
        elif member.type_name == "integer" and not re.fullmatch(r"-?[0-9]{1,18}", value):
            raise _invalid(f"Value '{value[:64]}' at '{place}' is not a number")
        else:
            size, what = (int(value), "value") if member.type_name == "integer" else (len(value), "length")
            _check_limits(size, f"Value '{value[:64]}' at '{place}'", what, member.metadata)


def _check_limits(size: int, about: str, what: str, limits: Mapping[str, int]) -> None:
    rule = f"{about} failed to satisfy constraint: Member must have {what}"
    if size < limits.get("min", size):
        raise _invalid(f"{rule} greater than or equal to {limits['min']}")
    if size > limits.get("max", size):
        raise _invalid(f"{rule} less than or equal to {limits['max']}")


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationError", f"1 validation error detected: {message}")


def _xml(action: str, result: Mapping[str, str | Mapping[str, str]]) -> Response:
    body = f"<{action}Result>{_members(result)}</{action}Result>"
    metadata = f"<ResponseMetadata><RequestId>{secrets.token_hex(8)}</RequestId></ResponseMetadata>"
    text = f'<{action}Response xmlns="{NAMESPACE}">{body}{metadata}</{action}Response>'
    return Response(text, 200, content_type="text/xml")


def _members(result: Mapping[str, str | Mapping[str, str]]) -> str:
    return "".join(
        f"<{name}>{escape(value) if isinstance(value, str) else _members(value)}</{name}>"
        for name, value in result.items()
    )


def _error(code: str, message: str, status: int) -> Response:
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    return Response(
        f'<ErrorResponse xmlns="{NAMESPACE}">{error}</ErrorResponse>', status, content_type="text/xml"
    )
