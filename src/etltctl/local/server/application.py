"""Every embedded service behind one WSGI application, and who of them answers a request."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from werkzeug.wrappers import Request, Response

from etltctl.local.kernel.accounts import OWNER
from etltctl.local.kernel.api_models import addressed, checked_input, signed_for
from etltctl.local.kernel.bodies import held
from etltctl.local.kernel.data_catalog import Catalog
from etltctl.local.kernel.json_protocol import (
    BEFORE_SERVICE,
    AwsError,
    CallerOperation,
    Operation,
    answer,
    operation_name,
    unwritable,
)
from etltctl.local.kernel.keys import Keys
from etltctl.local.kernel.refusals import MALFORMED, not_implemented, not_understood, refusal
from etltctl.local.server.control_plane import ControlPlane
from etltctl.local.server.door import SignedCalls
from etltctl.local.server.provisioning import provision
from etltctl.local.services.airbyte.wire import airbyte_refusal
from etltctl.local.services.cloudtrail.service import EventHistory
from etltctl.local.services.glue.catalog_reads import CatalogReads
from etltctl.local.services.glue.class_archive import installed_archive
from etltctl.local.services.glue.places import check_job
from etltctl.local.services.glue.service import GlueRuns
from etltctl.local.services.glue.spark import SparkPool
from etltctl.local.services.lakeformation.catalog_writes import CallerCatalog, CatalogWrites
from etltctl.local.services.lakeformation.enforcement import Guard
from etltctl.local.services.lakeformation.service import LakeFormationService
from etltctl.local.services.logs.service import TARGET as LOGS
from etltctl.local.services.logs.service import GlueLogs
from etltctl.local.services.s3.directory import S3Directory
from etltctl.local.services.s3.form_uploads import FORM
from etltctl.local.services.s3.service import S3Api
from etltctl.local.services.sts.service import Identities, UserKey

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    # Makes a service from the address of the embedded services and the keys for its own calls of them.
    MakeService = Callable[[str, Keys], WSGIApplication]

AIRBYTE, SAMPLE = "/airbyte/v1", "/sample"
NO_SERVICES: Mapping[str, MakeService] = MappingProxyType({})
NOT_PLAYED = frozenset({"cloudformation"})  # moto would make its own resources, which no service here knows


class Application:
    """AWS, Airbyte and the samples of one state folder, behind the server's door.

    Args:
        state: The folder of everything that the services keep.
        url: The address at which callers reach the services.
        keys: The keys that callers must have.
        further_services: Services to play as well, by the name that their calls are signed for. The project's tests
            add a CloudFormation here; no command of etltctl needs one.
    """

    def __init__(
        self, state: Path, url: str, keys: Keys, further_services: Mapping[str, MakeService] = NO_SERVICES
    ) -> None:
        from etltctl.local.samples import sample_app
        from etltctl.local.services.airbyte.service import AirbyteService
        from etltctl.local.services.athena.service import AthenaService

        self._plane = ControlPlane(state / "server" / "aws.json")
        catalog = Catalog(self._plane)
        self._directory = S3Directory(state / "s3", state / "s3-meta")
        self._s3 = S3Api(self._directory)
        # Other keys than the user's, so that records of calls keep the two apart.
        own = Keys.make()  # of the server's own calls and of its jobs: it ends with this process
        self._keys = keys
        self._spark = SparkPool(
            state / "glue" / "spark",
            state / "s3",
            self._directory.buckets,
            url,
            own.environ,
            installed_archive(),
        )
        self._glue = GlueRuns(state / "glue" / "runs", self._directory, self._find_job, self._spark)
        self._identities = Identities((keys, own), self._find_principal, self._find_access_key)
        history = EventHistory(state / "cloudtrail" / "events.ndjson")
        self._governance = LakeFormationService(
            state, catalog, self._identities.is_principal, lambda: self._plane.catalog_changes
        )
        self._writes = CatalogWrites(self._governance, catalog.get_partitions, self._call)
        guard = Guard(self._governance, history.record)
        reads = CatalogReads(self._plane.call, guard)
        self._of_others = {**self._writes.operations(), **reads.caller_operations()}
        self._athena = AthenaService(state, self._directory, catalog, guard, self._catalog_of)
        self._airbyte = AirbyteService(state, self._directory, lambda: url, sample_headers=keys.headers)
        self._further = {name: make(url, own) for name, make in further_services.items()}
        self._logs = GlueLogs(self._glue.log_file, self._glue.log_prefixes, self._plane.call)
        self._operations: dict[str, Operation] = {
            "AWSGlue.CreateTable": self._plane.create_table,
            "AWSGlue.UpdateTable": self._plane.update_table,
            "AWSGlue.CreateDatabase": self._create_database,
            "AWSGlue.CreateJob": self._create_job,
            "AWSGlue.UpdateJob": self._update_job,
            "AmazonSSM.GetParameter": self._plane.get_parameter,
            "AmazonSSM.GetParameters": self._plane.get_parameters,
            **self._glue.operations(),
            **reads.operations(),
            **self._athena.operations(),
            **history.operations(),
        }
        self._of_caller: dict[str, CallerOperation] = {
            **self._athena.caller_operations(),
            **{f"/{name}": do for name, do in self._governance.operations().items()},
        }
        self._roles: set[str] = set()
        self._mounted: dict[str, WSGIApplication] = {
            AIRBYTE: self._airbyte.wsgi_app,
            SAMPLE: self._of_owner(sample_app(lambda: self._airbyte.data_pack)),
        }
        self._signed = SignedCalls(self._answer, self._identities.secret, self._mounted)

    @property
    def airbyte_credentials(self) -> dict[str, str]:
        """What a client of the embedded Airbyte signs in with."""
        return {"client_id": self._airbyte.client_id, "client_secret": self._airbyte.client_secret}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Hand the request to the service it is for, if its caller has a key."""
        return self._signed(environ, start_response)

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer the request; what cannot be understood is refused in the service's protocol."""
        is_airbyte = environ["PATH_INFO"].startswith(f"{AIRBYTE}/")
        try:
            if check := environ.get(BEFORE_SERVICE):
                check()
            return self._responder(environ)(environ, start_response)
        except AwsError as error:
            refused = error
        except ConnectionError:
            raise  # the caller has gone
        except OSError as error:
            return unwritable(error)(environ, start_response)
        except MALFORMED as error:
            refused = not_understood(error)
        if is_airbyte:
            return airbyte_refusal(refused)(environ, start_response)
        return refusal(addressed(environ, b""), refused)(environ, start_response)

    def _of_owner(self, application: WSGIApplication) -> WSGIApplication:
        """Return the application, open to callers with the server's key only."""

        def answer_owner(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            if self._keys.opens(environ.get("HTTP_AUTHORIZATION", "")):
                return application(environ, start_response)
            return Response("the sample is read with the server's key", 401)(environ, start_response)

        return answer_owner

    def set_up(self, stack: Mapping[str, Any]) -> dict[str, Any]:
        """Make the stack exist; return the connections' ids. Raises AwsError, OSError, KeyError or ValueError."""
        # Buckets before connections: a sync that starts at once writes into one.
        provision(stack, self._directory, self._call)
        self._roles |= {
            *stack.get("roles", ()),
            *(job["role"] for job in stack.get("jobs", ()) if job.get("role")),
        }
        ids = self._airbyte.configure(stack.get("connections", []), stack.get("data_pack"))
        if bool(stack.get("class_archive", True)) is (self._spark.archive is None):
            self._spark.archive = installed_archive() if self._spark.archive is None else None
        if stack.get("warm"):
            self._spark.warm()
        return {"connections": ids, "airbyte": self.airbyte_credentials}

    def close(self) -> None:
        """End everything the services started."""
        # Runs end first, as long as the services that they call still answer.
        self._glue.close()
        self._spark.close()
        self._airbyte.close()
        self._athena.close()
        self._plane.close()

    def _responder(self, environ: WSGIEnvironment) -> Callable[..., Iterable[bytes]]:
        # A signed call goes to AWS's services even if its bucket has the name of a mount.
        path: str = environ["PATH_INFO"]
        service = signed_for(environ)
        for mount, app in self._mounted.items():
            if not service and (path == mount or path.startswith(f"{mount}/")):
                held(environ)
                environ["PATH_INFO"] = path.removeprefix(mount)
                environ["SCRIPT_NAME"] = mount
                return app
        if service == "s3" or FORM in environ:
            return self._s3
        self._check(environ)
        if service in self._further:
            return self._further[service]
        if service in NOT_PLAYED:
            raise not_implemented(addressed(environ, held(environ)))
        request = Request(environ)
        if service == "sts" and (response := self._identities.answer(request, _form(request))):
            return response
        # IAM's own listings must show the roles that are made late.
        if service == "iam":
            self._make_roles()
        operation = self._find_operation(request)
        return partial(_perform, operation, request) if operation else self._plane

    def _check(self, environ: WSGIEnvironment) -> None:
        """Read the body and check it where botocore's model says what it must be; raises AwsError."""
        body = held(environ)
        request = addressed(environ, body)
        if request.protocol == "json" or request.service == "lakeformation":
            checked_input(request, body)

    def _find_operation(self, request: Request) -> Operation | None:
        name = operation_name(request) or (
            request.path if signed_for(request.environ) == "lakeformation" else ""
        )
        # The owner made everything and is not checked, which also spares its calls the reading of grants.
        if name in self._of_others and (caller := self._identities.caller(request)) != OWNER:
            return partial(self._of_others[name], caller=caller)
        if name in self._of_caller:
            return partial(self._of_caller[name], caller=self._identities.caller(request))
        # moto keeps log groups too; the groups of job runs are answered from the runs' own files.
        of_logs = name.startswith(LOGS) and self._logs.find_operation(
            name, json.loads(_peek(request) or b"{}")
        )
        return of_logs or self._operations.get(name)

    def _create_database(self, body: dict[str, Any]) -> dict[str, Any]:
        governed = {**body, "DatabaseInput": self._governance.open_new_tables(body.get("DatabaseInput", {}))}
        return self._plane.call("AWSGlue.CreateDatabase", governed)

    def _create_job(self, body: dict[str, Any]) -> dict[str, Any]:
        check_job(body)
        return self._plane.call("AWSGlue.CreateJob", body)

    def _update_job(self, body: dict[str, Any]) -> dict[str, Any]:
        check_job(body.get("JobUpdate") or {})
        return self._plane.call("AWSGlue.UpdateJob", body)

    def _find_principal(self, kind: str, name: str) -> str:
        self._make_roles()
        return self._plane.find_principal(kind, name)

    def _find_access_key(self, access_key: str) -> UserKey | None:
        key = self._plane.find_access_key(access_key)
        return UserKey(*key) if key else None

    def _make_roles(self) -> None:
        """Make the roles of jobs and governance at the first call that needs them: loading IAM takes 0.25 s."""
        while self._roles:
            self._plane.make_role(self._roles.pop())

    def _find_job(self, name: str) -> Mapping[str, Any]:
        job: dict[str, Any] = self._plane.call("AWSGlue.GetJob", {"JobName": name})["Job"]
        return job

    def _catalog_of(self, caller: str) -> Catalog:
        """Return the catalog as the caller of a query changes it; the owner, who made everything, is not checked."""
        if caller == OWNER:
            return Catalog(self._plane)
        return CallerCatalog(self._plane, self._writes, caller)

    def _call(self, target: str, body: dict[str, Any]) -> dict[str, Any]:
        operation = self._operations.get(target)
        return operation(body) if operation else self._plane.call(target, body)


def _perform(
    operation: Operation, request: Request, environ: WSGIEnvironment, start_response: StartResponse
) -> Iterable[bytes]:
    response: Response = answer(operation, request)
    return response(environ, start_response)


def _form(request: Request) -> dict[str, str]:
    """Return the fields of a form, or of the query that stands for it; the body can still be read."""
    return dict(parse_qsl(_peek(request).decode(errors="replace")) or request.args.items())


def _peek(request: Request) -> bytes:
    """Return the body, which can still be read again."""
    return held(request.environ)
