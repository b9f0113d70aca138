"""One connection to the embedded server: how its request is read, and the line that is logged of it."""

from __future__ import annotations

from http import HTTPStatus
from logging import getLogger
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from werkzeug.serving import WSGIRequestHandler

from etltctl.local.kernel.bodies import Incoming
from etltctl.local.kernel.signatures import RAW_HEADERS, read_credential

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

log = getLogger("etltctl.local")


class Handler(WSGIRequestHandler):
    """Writes one line per request to the server's log, and does not wait to fill packets."""

    protocol_version = "HTTP/1.1"
    # Nagle's algorithm and delayed acknowledgements together cost 40 ms a small answer.
    disable_nagle_algorithm = True

    def setup(self) -> None:
        """Prepare the connection; reads from it return what is there."""
        super().setup()
        self.rfile = cast(Any, Incoming(self.rfile))

    def make_environ(self) -> WSGIEnvironment:
        """Return the request with its body still in HTTP chunks, if it has such: see `incoming`."""
        environ: WSGIEnvironment = super().make_environ()
        # werkzeug's own decoder of chunks would stand in between: see `bodies.ChunkedBody`.
        environ["wsgi.input"] = self.rfile
        environ[RAW_HEADERS] = self.headers.items()
        return environ

    def run_wsgi(self) -> None:
        """Answer one request; one whose address cannot be read is refused."""
        try:
            urlsplit(self.path)
        except ValueError:
            self.send_error(HTTPStatus.BAD_REQUEST, "Bad request address")
            return
        super().run_wsgi()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:  # noqa: ARG002 - werkzeug's own signature
        """Log one line: the call and its access key; of the query only the names, for values may be signatures."""
        sent = vars(self)  # a request line that is not one leaves no headers and no path
        headers = sent.get("headers") or {}
        path, _, query = sent.get("path", "-").partition("?")
        names = ",".join(part.partition("=")[0] for part in query.split("&"))
        caller = read_credential(
            {"HTTP_AUTHORIZATION": headers.get("Authorization", ""), "QUERY_STRING": query}
        )
        name = caller.access_key if caller else "-"
        target, method = headers.get("X-Amz-Target", "-"), sent.get("command") or "-"
        log.info("%s %s %s %s %s by %s", method, path, names or "-", target, code, name)

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002, ARG002 - werkzeug's own
        """Log werkzeug's message, without the request line that it quotes: a body may have taken its place."""
        if message.startswith("code "):
            args = tuple(arg.partition(" (")[0] if isinstance(arg, str) else arg for arg in args)
        log.warning(message, *args)
