"""The check of every call to the embedded server, and of its answer, against the service's own model.

The models are not etltctl's: botocore's for AWS, the published client's for Airbyte. It is a development mode
(setting `local.witness`), in which a violation turns the answer into a refusal, so that its command or test fails.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Response

from etltctl.local.kernel.json_protocol import BEFORE_SERVICE, AwsError
from etltctl.local.kernel.signatures import read_credential
from etltctl.local.services.airbyte.wire import airbyte_refusal
from etltctl.local.witness.airbyte import check_airbyte, has_sdk
from etltctl.local.witness.aws import Checked, check_aws, check_change
from etltctl.local.witness.messages import Answer, Request, read_answer, read_request

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

AIRBYTE = "/airbyte/v1"
IDENTIFIER = re.compile(r"/(\d+|[0-9a-f]{8}-[0-9a-f-]{27})(?=/|$)")
LOG = logging.getLogger(__name__)
CODE = "WitnessViolation"  # no SDK sends a call again for it

ALWAYS = ("service", "operation", "violations")  # the parts of a line that are never left out

# Words an error as the service of a call does.
WordRefusal = Callable[["WSGIEnvironment", AwsError], Response]


@dataclass(frozen=True)
class Seen:
    """One call as it stands in the witness's file; `resource` is S3's bucket and key, as `BUCKET/KEY`."""

    service: str
    operation: str
    violations: tuple[str, ...]
    caller: str = ""
    status: int = 0
    resource: str = ""
    unread: tuple[str, ...] = ()
    unchecked: str = ""


@dataclass
class _Change:
    """A change under way, which is refused before a service carries it out if it contradicts the model.

    `wrong` is the verdict on a change that was refused.
    """

    request: Request
    wrong: Checked | None = None

    def require_right(self) -> None:
        """Raise AwsError if the change contradicts the model."""
        checked = _guarded(self.request, lambda: check_change(self.request))
        if checked.violations:
            self.wrong = checked
            raise _violation(checked)


class Witness:
    """An application whose calls and answers are checked while `is_on`, each recorded as a line of `file`."""

    def __init__(self, application: WSGIApplication, file: Path, word_refusal: WordRefusal) -> None:
        self._application = application
        self._file = file
        self._word_refusal = word_refusal
        self._lock = Lock()
        self._unread: set[str] = set()
        self.is_on = False

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer the call as the application does, or with the violations in it.

        A change to AWS is checked before a service carries it out, after its signature was: see `check_change`. S3 and
        Airbyte refuse many wrong calls in their own words, which must come first; those calls are checked afterwards.
        """
        if not self.is_on or not _is_of_service(environ):
            return self._application(environ, start_response)
        # A copy, because services change the environment (mounts move the path) and the refusal needs it as it came.
        before = dict(environ)
        request = read_request(environ)
        change = _Change(request)
        if not request.is_airbyte:
            environ[BEFORE_SERVICE] = change.require_right
        # The answer is held back until it is checked: a head that was sent cannot become a refusal.
        response = Response.from_app(self._application, environ)
        answer = read_answer(response, request)
        checked = change.wrong or _guarded(request, lambda: _check(request, answer))
        self._record(request, answer.status, checked)
        # A refusal stays as it is; its error code is recorded, and the caller learns the service's own reason.
        if answer.is_refusal or not checked.violations:
            return response(environ, start_response)
        response.close()
        error = _violation(checked)
        refused = airbyte_refusal(error) if request.is_airbyte else self._word_refusal(before, error)
        return refused(environ, start_response)

    def _record(self, request: Request, status: int, checked: Checked) -> None:
        resource = request.path.removeprefix("/") if request.is_s3 else ""
        with self._lock:
            # Each pattern once a file: there are hundreds of calls with the same ones.
            unread = tuple(sorted(set(checked.unread) - self._unread))
            self._unread.update(unread)
            seen = Seen(
                checked.service,
                checked.operation,
                checked.violations,
                request.caller,
                status,
                resource,
                unread,
                checked.unchecked,
            )
            line = {name: value for name, value in asdict(seen).items() if value or name in ALWAYS}
            # A full disk, or a state folder that was removed, is for the services to report.
            with suppress(OSError), self._file.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(line) + "\n")


def read_seen(file: Path) -> list[Seen]:
    """Return every call that a witness's file holds, in their order; none without a file."""
    if not file.exists():
        return []
    return [_seen(json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]


def _seen(line: dict[str, Any]) -> Seen:
    lists: dict[str, Any] = {name: tuple(line[name]) for name in ("violations", "unread") if name in line}
    return Seen(**{**line, **lists})


def _is_of_service(environ: WSGIEnvironment) -> bool:
    """Return whether a call is to a service, by its signature or its path, and not to the server itself."""
    return read_credential(environ) is not None or environ["PATH_INFO"].startswith(f"{AIRBYTE}/")


def _violation(checked: Checked) -> AwsError:
    return AwsError(CODE, f"{checked.service} {checked.operation}: {'; '.join(checked.violations)}"[:2000])


def _guarded(request: Request, check: Callable[[], Checked]) -> Checked:
    """Return the verdict of a check. A check that fails is recorded and leaves the call as it is."""
    try:
        return check()
    except Exception as error:  # the mistake is the witness's: the caller must get the server's answer
        LOG.warning("a call could not be checked", exc_info=error)
        service = "airbyte" if request.is_airbyte else request.addressed.service
        operation = _airbyte_operation(request) if request.is_airbyte else request.addressed.operation
        reason = f"the check failed: {type(error).__name__}: {error}"
        return Checked(service, operation, unchecked=reason[:500])


def _airbyte_operation(request: Request) -> str:
    return f"{request.method} {IDENTIFIER.sub('/{id}', request.path.removeprefix(AIRBYTE))}"


def _check(request: Request, answer: Answer) -> Checked:
    return _check_airbyte(request, answer) if request.is_airbyte else check_aws(request, answer)


def _check_airbyte(request: Request, answer: Answer) -> Checked:
    """Return the verdict on a call to Airbyte's API."""
    path, operation = request.path.removeprefix(AIRBYTE), _airbyte_operation(request)
    if not has_sdk():
        return Checked(
            "airbyte", operation, unchecked="Airbyte's SDK, the package airbyte-api, is not installed"
        )
    sent, answered = _parsed(request.body), _parsed(answer.body)
    where = f"{path}?{request.query}" if request.query else path
    violations = check_airbyte(request.method, where, sent, answer.status, answered)
    return Checked("airbyte", operation, tuple(violations))


def _parsed(body: bytes | None) -> Any:
    try:
        return json.loads(body or b"null")
    except ValueError:
        return None
