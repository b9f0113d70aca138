"""The server as a process: it serves the application and its own calls, and ends when no command uses it."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from logging import getLogger
from pathlib import Path
from threading import Lock, Thread, Timer
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from etltctl.local.kernel.bodies import held
from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.kernel.keys import CHALLENGE, keep_keys
from etltctl.local.kernel.processes import descendants, send
from etltctl.local.kernel.refusals import MALFORMED, not_understood, plain_refusal
from etltctl.local.kernel.state_files import damages, write_atomically
from etltctl.local.kernel.state_folder import file_identity
from etltctl.local.server.application import NO_SERVICES, Application
from etltctl.local.server.door import worded
from etltctl.local.server.faults import Faults
from etltctl.local.server.handler import Handler
from etltctl.local.server.lifetime import LEASE_LOOK_S, Lifetime
from etltctl.local.witness import Witness

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from etltctl.local.server.application import MakeService

IDLE_LOOK_S = 0.5
WELCOME_SITES = frozenset({"none", "same-origin"})
NOT_FOR_PAGES = (("X-Content-Type-Options", "nosniff"), ("Cross-Origin-Resource-Policy", "same-origin"))
CLOSE_LIMIT_S = 20.0

log = getLogger("etltctl.local")


class ServerProcess:
    """The application with its own requests (`/_etltctl/…`) before it."""

    def __init__(
        self,
        state: Path,
        listener: socket.socket,
        kept: bool,
        build: str = "",
        is_witnessed: bool = False,
        further_services: Mapping[str, MakeService] = NO_SERVICES,
    ) -> None:
        self.port: int = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.lifetime = Lifetime(kept)
        self._state = state
        self._build = build
        self._claimed = file_identity(state / "server" / "serving")
        self._reported_damages = 0
        self._began = datetime.now(UTC).timestamp()
        self._file = state / "server" / "endpoint.json"
        self._keys = keep_keys(state)
        self._application = Application(state, self.url, self._keys, further_services)
        # Within the faults: what a rule answers is wrong on purpose.
        self._witness = Witness(self._application, state / "server" / "witness.jsonl", worded)
        self._witness.is_on = is_witnessed
        self._faults = Faults(self._witness)
        self._setting_up = Lock()
        self._wsgi = make_server(
            "127.0.0.1",
            self.port,
            self,
            threaded=True,
            request_handler=Handler,
            fd=listener.fileno(),
        )

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer programs that address this machine by its own name, and no web page, whatever it names."""

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            return start_response(status, [*headers, *NOT_FOR_PAGES], *more)

        # The owner of a web page can lead a name to 127.0.0.1 (DNS rebinding); the Host header shows that name.
        is_local = environ.get("HTTP_HOST", "").partition(":")[0] in {"127.0.0.1", "localhost"}
        is_of_page = environ.get("HTTP_SEC_FETCH_SITE", "none") not in WELCOME_SITES
        if not is_local or is_of_page or "HTTP_ORIGIN" in environ:
            return _json({"message": "only programs on this machine are served"}, 403)(environ, start)
        if environ["PATH_INFO"].startswith("/_etltctl/"):
            return self._answer_own(environ)(environ, start)
        self.lifetime.touch()
        return self._faults(environ, start)

    def serve(self) -> None:
        """Serve until its lifetime ends, then end what it started."""
        # The socket listens already: a command that connects before the thread runs is only queued.
        Thread(target=self._wsgi.serve_forever, args=(0.05,), daemon=True).start()
        self._describe()
        self._await_end()
        # A JVM or a query that hangs must not keep the state folder's lock for ever.
        last_resort = Timer(CLOSE_LIMIT_S, _leave)
        last_resort.daemon = True
        last_resort.start()
        # First, so that no new command finds a server that is ending.
        self._file.unlink(missing_ok=True)
        # Commands learn why their calls will fail before the first of them does.
        self.lifetime.wait_for_leases(2 * LEASE_LOOK_S)
        self._faults.replace([])
        self._wsgi.shutdown()
        self._application.close()

    def _await_end(self) -> None:
        """Wait for the end of the lifetime; leave at once if the state folder is gone while no command uses it."""
        while not self.lifetime.ending.wait(IDLE_LOOK_S):
            if self.lifetime.idle_s is None:
                continue
            # The folder was removed, and perhaps made again with another server: this one may write nothing there.
            if self._claimed != file_identity(self._state / "server" / "serving"):
                _abandon()
            self.lifetime.end_if_due()

    def _describe(self) -> None:
        description = {
            **self._health(),
            "url": self.url,
            "port": self.port,
            "folder": file_identity(self._state),
            **self._application.airbyte_credentials,
        }
        write_atomically(self._file, json.dumps(description).encode())

    def _health(self) -> dict[str, Any]:
        return {
            "status": "ok",
            "version": version("etltctl"),
            "pid": os.getpid(),
            "kept": self.lifetime.kept,
            "build": self._build,
            "began": self._began,
        }

    def _end(self) -> dict[str, Any]:
        """Return when the server ends if no command uses it before; null while one does, or while it is kept."""
        left_s = self.lifetime.left_s
        ends_at = None if left_s is None else datetime.now(UTC) + timedelta(seconds=left_s)
        return {"ends_at": ends_at and ends_at.isoformat(timespec="seconds")}

    def _answer_own(self, environ: WSGIEnvironment) -> Response:
        """Answer a request to the server itself; one that cannot be understood is refused."""
        try:
            held(environ)
            return self._own(Request(environ))
        except AwsError as error:
            return plain_refusal(error)
        except (HTTPException, *MALFORMED) as error:
            return plain_refusal(not_understood(error))

    def _own(self, request: Request) -> Response:
        """Answer one of the server's own calls; without its key only that it is up."""
        name = request.path.removeprefix("/_etltctl/")
        if not self._keys.opens(request.headers.get("Authorization", "")):
            if (request.method, name) == ("GET", "health"):
                return self._prove(request.headers.get(CHALLENGE, ""))
            return _json({"message": f"{request.path} needs the server's key (Authorization: Bearer …)"}, 401)
        match request.method, name:
            case "GET", "health":
                return _json({**self._health(), **self._end()})
            case "GET", "lease":
                return Response(
                    self.lifetime.hold(request.environ["werkzeug.socket"]), direct_passthrough=True
                )
            case "POST", "keep" | "retire" | "shutdown":
                return self._set_lifetime(name, request)
            case "GET", "faults":
                return _json(self._faults.described())
            case "POST", "faults":
                return self._set_faults(request)
            case "POST", "stack":
                return self._set_up(request)
        return _json({"message": f"nothing at {request.path}"}, 404)

    def _set_lifetime(self, name: str, request: Request) -> Response:
        """Keep the server up, or end it: at once, or only if no command uses it and it is not kept."""
        if name == "retire":
            return _json({"ending": self.lifetime.retire()})
        if name == "shutdown":
            Timer(0.05, self.lifetime.ending.set).start()  # after the answer is out
            return _json({"status": "ending"})
        self.lifetime.keep(bool(request.get_json(force=True)["keep"]))
        self._describe()
        return _json(self._health())

    def _prove(self, challenge: str) -> Response:
        """Say that the server is up and, to a challenge, what only a holder of its key can answer."""
        return _json({"status": "ok", "proof": self._keys.proof(challenge, self.port) if challenge else ""})

    def _set_faults(self, request: Request) -> Response:
        try:
            self._faults.replace(request.get_json(force=True))
        except (ValueError, TypeError) as error:
            return _json({"message": str(error)}, 400)
        return _json(self._faults.described())

    def _new_damages(self) -> list[str]:
        """Return the files set aside since the last call, so that one command reports each damage."""
        every = [str(damage) for damage in damages(self._state)]
        unreported, self._reported_damages = every[self._reported_damages :], len(every)
        return unreported

    def _set_up(self, request: Request) -> Response:
        try:
            with self._setting_up:
                stack = request.get_json(force=True)
                answer = self._application.set_up(stack)
                self._witness.is_on = bool(stack.get("witness", self._witness.is_on))
                if "linger_s" in stack:
                    self.lifetime.linger(float(stack["linger_s"]))
                return _json({**answer, "damages": self._new_damages()})
        except (AwsError, OSError, ValueError) as error:
            return _json({"message": str(error)}, 400)
        except KeyError as error:
            return _json({"message": f"the stack's description lacks {error}"}, 400)


def _leave() -> None:
    """End this process and all it started, because closing them in good order takes too long."""
    log.error("the server does not end within %.0f s: it and what it started are killed", CLOSE_LIMIT_S)
    send(descendants(os.getpid()), signal.SIGKILL)
    os._exit(1)


def _abandon() -> None:
    """End at once and write nothing: the state folder is gone, and another one may be in its place by now."""
    send(descendants(os.getpid()), signal.SIGKILL)
    os._exit(0)


def _json(body: Any, status: int = 200) -> Response:
    return Response(json.dumps(body), status, content_type="application/json")
