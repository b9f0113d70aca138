"""Every embedded service behind one WSGI application, and who of them answers a request."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from werkzeug.wrappers import Request, Response

from etltctl.local.cloudformation import CloudFormationApi
from etltctl.local.control_plane import Catalog, ControlPlane
from etltctl.local.events import EventHistory
from etltctl.local.glue import GlueRuns
from etltctl.local.identities import Identities
from etltctl.local.lakeformation import Guard, LakeFormationService
from etltctl.local.logs import GROUPS, GlueLogs
from etltctl.local.provisioning import provision
from etltctl.local.s3 import S3Api, S3Directory
from etltctl.local.spark import SparkPool
from etltctl.local.wire import CallerOperation, Operation, answer, operation_name, require_valid, unwritable

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

SCOPE = re.compile(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/")


class Application:
    """AWS, Airbyte and the samples of one state folder, reachable at `url`."""

    def __init__(self, state: Path, url: str) -> None:
        from etltctl.local.airbyte import AirbyteService
        from etltctl.local.athena import AthenaService
        from etltctl.local.samples import sample_app

        self._plane = ControlPlane(state / "server" / "aws.json")
        catalog = Catalog(self._plane)
        self._directory = S3Directory(state / "s3", state / "s3-meta")
        self._s3 = S3Api(self._directory)
        self._spark = SparkPool(state / "glue" / "spark", state / "s3", self._directory.buckets, url)
        self._glue = GlueRuns(state / "glue" / "runs", self._directory, self._find_job, self._spark)
        self._identities = Identities(self._find_principal)
        history = EventHistory(state / "cloudtrail" / "events.ndjson")
        self._governance = LakeFormationService(
            state, catalog, self._identities.is_principal, lambda: self._plane.catalog_changes
        )
        self._athena = AthenaService(state, self._directory, catalog, Guard(self._governance, history.record))
        self._airbyte = AirbyteService(state, self._directory, lambda: url, self._spark.warm)
        self._stacks = CloudFormationApi(url)
        logs = GlueLogs(self._glue.log_file, self._glue.run_ids)
        self._log_operations = logs.operations()
        self._operations: dict[str, Operation] = {
            "AWSGlue.UpdateTable": self._plane.update_table,
            "AWSGlue.CreateDatabase": self._create_database,
            "AWSGlue.CreateJob": partial(self._define_job, "CreateJob"),
            "AWSGlue.UpdateJob": partial(self._define_job, "UpdateJob"),
            "AmazonSSM.GetParameter": self._plane.get_parameter,
            **self._glue.operations(),
            **self._athena.operations(),
            **history.operations(),
        }
        self._of_caller: dict[str, CallerOperation] = {
            "AmazonAthena.StartQueryExecution": self._athena.start,
            **{f"/{name}": do for name, do in self._governance.operations().items()},
        }
        self._roles: set[str] = set()
        self._mounted: dict[str, WSGIApplication] = {
            "/airbyte/v1": self._airbyte.wsgi_app,
            "/sample": sample_app(lambda: self._airbyte.data_pack),
        }

    @property
    def airbyte_credentials(self) -> dict[str, str]:
        """What a client of the embedded Airbyte signs in with."""
        return {"client_id": self._airbyte.client_id, "client_secret": self._airbyte.client_secret}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Hands the request to the service it is for."""
        try:
            return self._responder(environ)(environ, start_response)
        except ConnectionError:
            raise  # the caller has gone
        except OSError as error:
            return unwritable(error)(environ, start_response)

    def set_up(self, stack: Mapping[str, Any]) -> dict[str, Any]:
        """Makes the stack exist; returns the connections' ids. Raises AwsError, OSError, KeyError or ValueError."""
        provision(stack, self._directory, self._call)
        self._roles |= {
            *stack.get("roles", ()),
            *(job["role"] for job in stack.get("jobs", ()) if job.get("role")),
        }
        ids = self._airbyte.configure(stack.get("connections", []), stack.get("data_pack"))
        if stack.get("warm"):
            self._spark.warm()
        return {"connections": ids, "airbyte": self.airbyte_credentials}

    def close(self) -> None:
        """Ends everything the services started."""
        self._glue.close()
        self._spark.close()
        self._airbyte.close()
        self._athena.close()
        self._plane.close()

    def _responder(self, environ: WSGIEnvironment) -> Callable[..., Iterable[bytes]]:
        path: str = environ["PATH_INFO"]
        for mount, app in self._mounted.items():
            if path == mount or path.startswith(f"{mount}/"):
                environ["PATH_INFO"] = path.removeprefix(mount)
                environ["SCRIPT_NAME"] = mount
                return app
        service = _service(environ)
        if service == "s3":
            return self._s3
        if service == "cloudformation":
            return self._stacks
        request = Request(environ)
        if service == "sts" and (told := self._identities.answer(request, _form(request))):
            return told
        if service == "iam":
            self._make_roles()
        operation = self._find_operation(request)
        return partial(_perform, operation, request) if operation else self._plane

    def _find_operation(self, request: Request) -> Operation | None:
        name = operation_name(request) or (
            request.path if _service(request.environ) == "lakeformation" else ""
        )
        if name in self._of_caller:
            return partial(self._of_caller[name], caller=self._identities.caller(request))
        if name in self._log_operations and any(group.encode() in _peek(request) for group in GROUPS):
            return self._log_operations[name]
        return self._operations.get(name)

    def _create_database(self, body: dict[str, Any]) -> dict[str, Any]:
        governed = {**body, "DatabaseInput": self._governance.open_new_tables(body.get("DatabaseInput", {}))}
        return self._plane.call("AWSGlue.CreateDatabase", governed)

    def _define_job(self, operation: str, body: dict[str, Any]) -> dict[str, Any]:
        """Refuses what is not valid: the control plane would keep it and could not read it back."""
        require_valid("glue", operation, body)
        return self._plane.call(f"AWSGlue.{operation}", body)

    def _find_principal(self, kind: str, name: str) -> str:
        self._make_roles()
        return self._plane.find_principal(kind, name)

    def _make_roles(self) -> None:
        """The roles of jobs and governance, made when somebody asks: loading IAM takes a quarter of a second."""
        while self._roles:
            self._plane.make_role(self._roles.pop())

    def _find_job(self, name: str) -> Mapping[str, Any]:
        job: dict[str, Any] = self._plane.call("AWSGlue.GetJob", {"JobName": name})["Job"]
        return job

    def _call(self, target: str, body: dict[str, Any]) -> dict[str, Any]:
        operation = self._operations.get(target)
        return operation(body) if operation else self._plane.call(target, body)


def _perform(
    operation: Operation, request: Request, environ: WSGIEnvironment, start_response: StartResponse
) -> Iterable[bytes]:
    response: Response = answer(operation, request)
    return response(environ, start_response)


def _service(environ: WSGIEnvironment) -> str:
    """The service a request is signed for; S3 if it is presigned or not signed, as public objects are read."""
    authorization = environ.get("HTTP_AUTHORIZATION", "")
    if scope := SCOPE.search(authorization):
        return scope[1]
    return "" if authorization or "HTTP_X_AMZ_TARGET" in environ else "s3"


def _form(request: Request) -> dict[str, str]:
    """The fields of a form, left for whoever answers."""
    return dict(parse_qsl(_peek(request).decode()))


def _peek(request: Request) -> bytes:
    """The body, left for whoever answers."""
    import io

    body = request.get_data(cache=True)
    request.environ["wsgi.input"] = io.BytesIO(body)
    return body
