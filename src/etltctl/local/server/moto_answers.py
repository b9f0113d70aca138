"""Answers of moto; where it has none that an SDK can read, a refusal in the service's own protocol."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from logging import getLogger
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Response

from etltctl.local.kernel.api_models import addressed
from etltctl.local.kernel.bodies import held
from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.kernel.refusals import is_page, not_implemented, refusal
from etltctl.local.kernel.signatures import read_credential

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

# Paths at which moto answers any caller, signed or not. One of them empties every service.
NOT_SERVICES = ("/moto-api", "/latest/", "/favicon.ico")

# Services whose records are those of the one lake: whichever region a caller's profile names, they are in this one.
# moto keeps records by region, so a caller from another region would meet an empty catalog and believe it.
REGION = "us-east-1"
OF_ONE_REGION = frozenset({"athena", "glue", "logs"})

log = getLogger("etltctl.local")


class _RefusedError(Exception):
    """A failure inside moto; without an error, moto lacks the operation."""

    def __init__(self, error: AwsError | None) -> None:
        super().__init__()
        self.error = error


def moto_application() -> WSGIApplication:
    """Return moto with all its services; the first call of a service loads it."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    dispatcher: Any = DomainDispatcherApplication(partial(_backend_app, create_backend_app))
    # moto reads its own folder twice for every request, which is a quarter of the request's work.
    dispatcher.get_backend_for_host = lru_cache(dispatcher.get_backend_for_host)
    application: WSGIApplication = dispatcher
    return application


def answer_of(moto: WSGIApplication, environ: WSGIEnvironment) -> Response:
    """Return the answer to one request."""
    request = addressed(environ, held(environ))
    if environ["PATH_INFO"].startswith(NOT_SERVICES):
        return refusal(request, not_implemented(request))
    try:
        response = Response.from_app(moto, _in_one_region(environ), buffered=True)
    except _RefusedError as refused:
        return refusal(request, refused.error or not_implemented(request))
    except (AttributeError, ImportError, LookupError, TypeError, ValueError) as error:
        log.warning("moto does not serve %s: %r", request.service, error)
        return refusal(request, not_implemented(request))
    return refusal(request, not_implemented(request)) if is_page(response, environ) else response


def _in_one_region(environ: WSGIEnvironment) -> WSGIEnvironment:
    """Return the request as if it were signed for the lake's region: moto reads the region from the signature."""
    credential = read_credential(environ)
    if credential is None or credential.service not in OF_ONE_REGION or credential.region == REGION:
        return environ
    scope = f"/{credential.region}/{credential.service}/"
    header = environ.get("HTTP_AUTHORIZATION", "").replace(scope, f"/{REGION}/{credential.service}/", 1)
    return {**environ, "HTTP_AUTHORIZATION": header}


def _backend_app(create: Callable[[Any], Any], service: Any) -> Any:
    """Return moto's application of a service, whose failures come out as _RefusedError instead of as web pages."""
    from botocore.model import OperationNotFoundError
    from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

    def on_error(error: Exception) -> Any:
        if type(error) in {NotFound, MethodNotAllowed} or isinstance(
            error, NotImplementedError | OperationNotFoundError
        ):
            raise _RefusedError(None) from error
        if isinstance(error, HTTPException):
            return error
        log.warning("moto cannot answer this request to %s", service, exc_info=error)
        message = f"the embedded server cannot answer this request: {type(error).__name__} in moto ({error})"
        raise _RefusedError(AwsError("ValidationException", message[:500])) from error

    app = create(service)
    app.register_error_handler(Exception, on_error)
    return app
