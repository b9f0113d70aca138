"""Who calls: STS gives a role's credentials, and the access key of a request leads back to the role."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from xml.sax.saxutils import escape

from werkzeug.wrappers import Request, Response

from etltctl.local.control_plane import ACCOUNT
from etltctl.local.lakeformation.store import EVERYBODY, OWNER

NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
KEY = re.compile(r"Credential=([^/]+)/")
ACTIONS = ("AssumeRole", "GetCallerIdentity")  # what of STS is answered here
NEVER_CHECKED = r"arn:aws:(identitystore|quicksight|organizations|iam::\d{12}:saml-provider/).*|\d{12}"


@dataclass(frozen=True)
class Session:
    """A role that was assumed: its ARN, the session's name, and until when, in seconds since 1970."""

    role: str
    name: str
    expires: float

    @property
    def arn(self) -> str:
        """The session's own ARN."""
        return f"arn:aws:sts::{ACCOUNT}:assumed-role/{self.role.rpartition('/')[2]}/{self.name}"


class Identities:
    """The sessions of this server; `find` asks IAM for the ARN of a role or user, by kind and name."""

    def __init__(self, find: Callable[[str, str], str]) -> None:
        self._find = find
        self._sessions: dict[str, Session] = {}
        self._lock = Lock()

    def caller(self, request: Request) -> str:
        """The principal behind a request: the role of a session's key, else whoever uses this machine."""
        session = self._session(request)
        return session.role if session else OWNER

    def is_principal(self, name: str) -> bool:
        """Whether an identifier names somebody."""
        if name in {EVERYBODY, OWNER} or re.fullmatch(NEVER_CHECKED, name):
            return True
        found = re.fullmatch(r"arn:aws:iam::\d{12}:(role|user)/(?:.*/)?([^/]+)", name)
        return bool(found) and self._find(found[1], found[2]) == name  # type: ignore[index]

    def answer(self, request: Request, form: Mapping[str, str]) -> Response | None:
        """STS's answer to the form, or None for an action that is not modelled here."""
        action = form.get("Action", "")
        if action == "GetCallerIdentity":
            session = self._session(request)
            return _xml(
                action, {"Arn": session.arn if session else OWNER, "UserId": "AIDA", "Account": ACCOUNT}
            )
        if action == "AssumeRole":
            return self._assume(form["RoleArn"], form["RoleSessionName"], self.caller(request))
        return None

    def _assume(self, role: str, name: str, caller: str) -> Response:
        if ":role/" not in role or not self.is_principal(role):
            text = f"User: {caller} is not authorized to perform: sts:AssumeRole on resource: {role}"
            return _error("AccessDenied", text, 403)
        key, expires = f"ASIA{secrets.token_hex(8).upper()}", time.time() + 3600
        session = Session(role, name, expires)
        with self._lock:
            self._sessions[key] = session
        until = datetime.fromtimestamp(expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        secret, token = secrets.token_hex(20), secrets.token_hex(32)
        given = {"AccessKeyId": key, "SecretAccessKey": secret, "SessionToken": token, "Expiration": until}
        user = {"AssumedRoleId": f"AROA:{name}", "Arn": session.arn}
        return _xml("AssumeRole", {"Credentials": given, "AssumedRoleUser": user})

    def _session(self, request: Request) -> Session | None:
        key = KEY.search(request.headers.get("Authorization", ""))
        with self._lock:
            found = self._sessions.get(key[1]) if key else None
        return found if found and found.expires > time.time() else None


def _xml(action: str, result: Mapping[str, str | Mapping[str, str]]) -> Response:
    body = f"<{action}Result>{_members(result)}</{action}Result>"
    told = f"<ResponseMetadata><RequestId>{secrets.token_hex(8)}</RequestId></ResponseMetadata>"
    text = f'<{action}Response xmlns="{NAMESPACE}">{body}{told}</{action}Response>'
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
