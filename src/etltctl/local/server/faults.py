"""Faults on demand: answers that are late, lost, refused or untrue, so that clients are tested over the wire.

`POST /_etltctl/faults` takes a list of rules and replaces those before; `GET` tells how often each was met. A rule
names the `call` it is for (`StartJobRun`, `POST /jobs`, `PUT`: AWS operations by name, others by method and path;
`*` matches anything), lets `skip` such calls pass, is met `times` times (0: always) and does one thing:

- `refuse`: `{"status": 400, "body": {...}}` is answered and nothing done; a body that is text is sent as XML.
- `lose`: the call takes effect, and the connection is closed without an answer.
- `delay`: the call takes effect after so many seconds.
- `hold`: `before` or `after` its effect the call hangs until the rules are replaced.
- `change`: `{"rowsSynced": 7}` replaces values in the answer, wherever the keys stand.
"""

from __future__ import annotations

import fnmatch
import json
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from werkzeug.wrappers import Response

from etltctl.local.kernel.bodies import held
from etltctl.local.kernel.json_protocol import AwsError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ACTIONS = frozenset({"refuse", "lose", "delay", "hold", "change"})
GOOD: Mapping[str, Callable[[Any], bool]] = {
    "call": lambda value: isinstance(value, str),
    "skip": lambda value: type(value) is int and value >= 0,
    "times": lambda value: type(value) is int and value >= 0,
    "refuse": lambda value: (
        isinstance(value, dict)
        and type(value.get("status")) is int
        and 200 <= value["status"] <= 599
        and isinstance(value.get("body", {}), dict | str)
    ),
    "lose": lambda value: value is True,
    "delay": lambda value: type(value) in (int, float) and 0 <= value <= LONGEST_DELAY_S,
    "hold": lambda value: value in ("before", "after"),
    "change": lambda value: isinstance(value, dict),
}
LONGEST_DELAY_S = 3600.0
MAY_SAY = ACTIONS | {"call", "skip", "times"}


@dataclass
class Rule:
    """One fault, and how often it was met."""

    asked: Mapping[str, Any]
    seen: int = 0
    met: int = 0
    over: Event = field(default_factory=Event)

    def __post_init__(self) -> None:
        """Raises ValueError for a rule that says nothing or too much."""
        unknown = sorted(set(self.asked) - MAY_SAY)
        actions = ACTIONS & set(self.asked)
        if unknown or "call" not in self.asked or len(actions) != 1:
            raise ValueError(
                f"a fault needs `call` and one of {', '.join(sorted(ACTIONS))}, not {dict(self.asked)}"
            )
        wrong = sorted(name for name, value in self.asked.items() if not GOOD[name](value))
        if wrong:
            raise ValueError(
                f"a fault cannot have {', '.join(f'{name}={self.asked[name]!r}' for name in wrong)}"
            )

    def takes(self, call: str) -> bool:
        """Whether this call meets the rule, now that it was seen."""
        if not fnmatch.fnmatchcase(call, self.asked["call"]):
            return False
        self.seen += 1
        times = self.asked.get("times", 1)
        if self.seen <= self.asked.get("skip", 0) or (times and self.met >= times):
            return False
        self.met += 1
        return True


class Faults:
    """The rules in force, before the application that answers."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application
        self._rules: list[Rule] = []
        self._lock = Lock()

    def replace(self, rules: Iterable[Mapping[str, Any]]) -> None:
        """Puts these rules in force and lets go what the old ones held; raises ValueError for one that is none."""
        if not isinstance(rules, list):
            raise ValueError("faults are a list of rules")
        made = [Rule(dict(rule)) for rule in rules]
        with self._lock:
            for rule in self._rules:
                rule.over.set()
            self._rules = made

    def told(self) -> list[dict[str, Any]]:
        """Every rule with how often it was met."""
        with self._lock:
            return [{**rule.asked, "met": rule.met} for rule in self._rules]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers the call, with the fault it meets."""
        rule = self._rule_for(environ) if self._rules else None
        if rule is None:
            return self._application(environ, start_response)
        asked = rule.asked
        if "refuse" in asked:
            return _refusal(asked["refuse"], environ)(environ, start_response)
        if "delay" in asked:
            time.sleep(asked["delay"])
            return self._application(environ, start_response)
        if asked.get("hold") == "before":
            rule.over.wait()
            return _hang_up(environ)
        answer = Response.from_app(self._application, environ)
        if "change" in asked:
            answer.set_data(json.dumps(_changed(json.loads(answer.get_data()), asked["change"])))
            return answer(environ, start_response)
        answer.get_data()  # what is answered piece by piece takes effect as it is read
        if "hold" in asked:
            rule.over.wait()
        return _hang_up(environ)

    def _rule_for(self, environ: WSGIEnvironment) -> Rule | None:
        call = call_name(environ)
        with self._lock:
            return next((rule for rule in self._rules if rule.takes(call)), None)


def _hang_up(environ: WSGIEnvironment) -> NoReturn:
    with suppress(OSError):
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError("no answer, on purpose")


def call_name(environ: WSGIEnvironment) -> str:
    """What a rule calls this request: the AWS operation, or method and path."""
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        return str(target).rpartition(".")[2]
    if action := _form_action(environ):
        return action
    return f"{environ['REQUEST_METHOD']} {environ['PATH_INFO'].removeprefix('/airbyte/v1')}"


def _refusal(asked: Mapping[str, Any], environ: WSGIEnvironment) -> Response:
    """The answer as the rule words it; an AWS error (`__type`, `message`) in the protocol of the service."""
    body = asked.get("body", {})
    is_json = bool(environ.get("HTTP_X_AMZ_TARGET")) or environ["PATH_INFO"].startswith("/airbyte/")
    if not isinstance(body, str) and (is_json or "__type" not in body):
        return Response(json.dumps(body), asked["status"], content_type="application/json")
    if isinstance(body, str):
        return Response(body, asked["status"], content_type="text/xml")
    error = f"<Error><Code>{escape(body['__type'])}</Code><Message>{escape(body.get('message', ''))}</Message></Error>"
    text = f"<ErrorResponse>{error}</ErrorResponse>" if _form_action(environ) else error
    return Response(text, asked["status"], content_type="text/xml")


def _form_action(environ: WSGIEnvironment) -> str:
    """The operation of services that speak AWS's query protocol, such as IAM; the body is left to be read again."""
    if not environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        return ""
    try:
        body = held(environ)
    except AwsError:  # the service refuses it
        return ""
    return str(parse_qs(body.decode(errors="replace")).get("Action", [""])[0])


def _changed(value: Any, changes: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        return {key: changes.get(key, _changed(inner, changes)) for key, inner in value.items()}
    return [_changed(inner, changes) for inner in value] if isinstance(value, list) else value
