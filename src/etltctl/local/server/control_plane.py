"""The AWS services that only keep records (catalog, job definitions, workgroups, grants, secrets), played by moto."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from http import HTTPStatus
from importlib.metadata import version
from logging import getLogger
from pathlib import Path
from pickle import UnpicklingError
from threading import RLock, Thread, Timer
from typing import TYPE_CHECKING, Any, cast

from etltctl.local.kernel.accounts import ACCOUNT
from etltctl.local.kernel.api_models import IMPORTING_MOTO, READS, signed_for
from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.kernel.state_files import MISSHAPEN, LateWrites, read_json, set_aside
from etltctl.local.server.backend_data import KEPT_SERVICES, from_nodes, read_pickled, to_nodes
from etltctl.local.server.moto_answers import answer_of, moto_application
from etltctl.local.services.glue.open_formats import refuse_open_format

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MOTO_VERSION = "5.2.5"  # what is kept of its backends is private API: another version must not guess at it
SNAPSHOT_FORMAT = 2
OLD_SNAPSHOT = "moto.pickle"  # next to the snapshot, in the format before it
GLUE_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "glue.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
SERVICES = {"AWSGlue": "glue", "AmazonAthena": "athena", "AmazonSSM": "ssm", "Logs_20140328": "logs"}
# Of Canonical's parameters, moto has the images alone.
UBUNTU = ("/aws/service/canonical/ubuntu/", "ami-1e749f67")
# Batches come by the hundred, and a table's record is written after its partitions: these may be kept a little later.
BATCHES = frozenset({"BatchCreatePartition", "BatchUpdatePartition", "BatchDeletePartition"})
KEPT_WITHIN_S = 2.0

log = getLogger(__name__)


class ControlPlane:
    """moto as a WSGI application whose records outlive the process.

    Loading moto takes most of a second, so it happens in the background of the start. The first request waits for it.
    """

    def __init__(self, snapshot: Path) -> None:
        check_moto()
        self._snapshot = snapshot
        self._texts: dict[str, str] = {}
        self._late = LateWrites()
        self._lock = RLock()
        self.catalog_changes = 0  # lets Lake Formation read the catalog again only after a change
        self._app: WSGIApplication | None = None
        self._later: Timer | None = None
        Thread(target=self._loaded, daemon=True).start()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request. What it changed is on disk before the answer is, a batch's within two seconds.

        Raises:
            OSError: the disk does not take the change, and it was taken back.
        """
        operation = _operation(environ)
        with self._lock:
            application = self._loaded()
            if self._later is not None and operation not in BATCHES and not READS.match(operation):
                self._record("glue")  # so that taking this operation back takes no answered batch back
            response = answer_of(application, environ)
            if response.status_code == HTTPStatus.NOT_IMPLEMENTED:
                return response(environ, start_response)
            if not READS.match(operation):
                self.catalog_changes += signed_for(environ) == "glue"
            if operation in BATCHES and self._later is None:
                self._later = Timer(KEPT_WITHIN_S, self.close)
                self._later.daemon = True
                self._later.start()
            elif operation not in BATCHES and not READS.match(operation):
                self._keep(signed_for(environ))
        return response(environ, start_response)

    def close(self) -> None:
        """Keep what was to be kept a little later."""
        with self._lock:
            if self._later is not None:
                self._later.cancel()
                self._later = None
                if self._record("glue"):
                    self._late.write(self._snapshot, self._content())  # no caller waits for it

    def call(self, target: str, body: dict[str, Any]) -> dict[str, Any]:
        """Perform an operation such as `AWSGlue.GetTable` without a connection; raise AwsError."""
        from werkzeug.test import Client

        service = SERVICES[target.split(".")[0]]
        response = Client(self).post(
            "/",
            headers={
                "Host": f"{service}.us-east-1.amazonaws.com",
                "X-Amz-Target": target,
                "Content-Type": "application/x-amz-json-1.1",
                "Authorization": f"AWS4-HMAC-SHA256 Credential=etltctl/20000101/us-east-1/{service}/aws4_request",
            },
            data=json.dumps(body),
        )
        try:
            answer: dict[str, Any] = json.loads(response.get_data() or b"{}")
        except ValueError as error:
            reason = f"{target} cannot be answered: what is kept for it may be malformed"
            raise AwsError("InternalFailure", reason, 500) from error
        if response.status_code >= 400:
            message = answer.get("message") or answer.get("Message") or ""
            raise AwsError(
                answer.get("__type", "InternalFailure").split("#")[-1], message, response.status_code
            )
        return answer

    def find_principal(self, kind: str, name: str) -> str:
        """Return the ARN of IAM's `role` or `user` of this name; empty if there is none."""
        text = self._ask_iam(f"Get{kind.capitalize()}", **{f"{kind.capitalize()}Name": name})
        arn = re.search(r"<Arn>([^<]+)</Arn>", text)
        return arn[1] if arn else ""

    def find_access_key(self, access_key: str) -> tuple[str, str] | None:
        """Return the user's ARN and the secret of an active access key that IAM made; None if there is none."""
        self._loaded()
        with self._lock:
            for backend in _backends("iam").values():
                for user in backend.users.values():
                    for key in user.access_keys:
                        if key.access_key_id == access_key and key.status == "Active":
                            return str(user.arn), str(key.secret_access_key)
        return None

    def make_role(self, name: str) -> None:
        """Make an IAM role that Glue may take (a name, with its path if it has one), unless it is there."""
        path, _, bare = name.rpartition("/")
        where = {"Path": f"/{path}/"} if path else {}
        self._ask_iam("CreateRole", RoleName=bare, AssumeRolePolicyDocument=json.dumps(GLUE_TRUST), **where)

    def _ask_iam(self, action: str, **parameters: str) -> str:
        """IAM's answer, which is XML; empty for an error."""
        from werkzeug.test import Client

        scope = "Credential=etltctl/20000101/us-east-1/iam/aws4_request"
        response = Client(self).post(
            "/",
            headers={"Host": "iam.amazonaws.com", "Authorization": f"AWS4-HMAC-SHA256 {scope}"},
            data={"Action": action, "Version": "2010-05-08", **parameters},
        )
        return response.get_data(as_text=True) if response.status_code < 400 else ""

    def create_table(self, body: dict[str, Any]) -> dict[str, Any]:
        """Glue's CreateTable. The form in which Glue itself writes the metadata of Iceberg is refused."""
        refuse_open_format(body, "OpenTableFormatInput", "CreateTable")
        return self.call("AWSGlue.CreateTable", body)

    def update_table(self, body: dict[str, Any]) -> dict[str, Any]:
        """Glue's UpdateTable with its compare-and-swap, which moto leaves out."""
        refuse_open_format(body, "UpdateOpenTableFormatInput", "UpdateTable")
        expected = body.get("VersionId")
        name = {"DatabaseName": body.get("DatabaseName"), "Name": body.get("TableInput", {}).get("Name")}
        with self._lock:
            if expected is not None:
                current = self.call("AWSGlue.GetTable", name)["Table"].get("VersionId")
                if str(current) != str(expected):
                    raise AwsError(
                        "ConcurrentModificationException",
                        f"Update table failed: version {expected} was replaced by version {current}.",
                    )
            return self.call("AWSGlue.UpdateTable", body)

    def get_parameter(self, body: dict[str, Any]) -> dict[str, Any]:
        """SSM's GetParameter with the images that Canonical names."""
        prefix, image = UBUNTU
        name = str(body.get("Name", ""))
        if name.startswith(prefix):
            return {"Parameter": {"Name": name, "Type": "String", "Value": image, "Version": 1}}
        return self.call("AmazonSSM.GetParameter", body)

    def get_parameters(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return SSM's parameters without an empty list of wrong names: moto writes it, SSM's is never empty."""
        answer = self.call("AmazonSSM.GetParameters", body)
        return {name: value for name, value in answer.items() if name != "InvalidParameters" or value}

    def _loaded(self) -> WSGIApplication:
        with self._lock:
            if self._app is None:
                with IMPORTING_MOTO:
                    self._restore()
                    self._app = moto_application()
            return self._app

    def _keep(self, service: str) -> None:
        if service not in KEPT_SERVICES:
            return
        if service == "glue" and self._later is not None:
            self._later.cancel()
            self._later = None
        kept = dict(self._texts)
        if not self._record(service):
            return
        try:
            self._late.write_or_refuse(self._snapshot, self._content())
        except OSError:
            self._take_back(service, kept)
            raise

    def _record(self, service: str) -> bool:
        """Note the service's records as they are now; return whether they can be kept at all."""
        try:
            self._texts[service] = json.dumps(to_nodes(dict(_backends(service).items())))
        except (TypeError, ValueError) as error:
            log.warning("the records of %s are not kept: %s", service, error)
            return False
        return True

    def _take_back(self, service: str, kept: dict[str, str]) -> None:
        """Give the service the records that it had before an operation that is refused."""
        self._texts = kept
        regions = from_nodes(json.loads(kept[service])) if service in kept else {}
        backends = _backends(service)
        dict.clear(backends)
        dict.update(backends, regions)
        self._late.write(self._snapshot, self._content())  # a batch before it may not be on disk yet

    def _content(self) -> bytes:
        services = ", ".join(f"{json.dumps(name)}: {text}" for name, text in self._texts.items())
        return (
            f'{{"format": {SNAPSHOT_FORMAT}, "moto": "{MOTO_VERSION}", "services": {{{services}}}}}'.encode()
        )

    def _restore(self) -> None:
        restored = read_json(self._snapshot, _parse)
        old = self._snapshot.with_name(OLD_SNAPSHOT)
        if restored is None and old.exists():
            restored = _read_old(old)
        for service, regions in (restored or {}).items():
            dict.update(_backends(service), regions)
            self._texts[service] = json.dumps(to_nodes(regions))
        if old.exists():
            self._late.write_or_refuse(self._snapshot, self._content())
            old.unlink()


def check_moto() -> None:
    """Raise RuntimeError unless the one version of moto is installed whose insides are known here."""
    installed = version("moto")
    if installed != MOTO_VERSION:
        raise RuntimeError(f"the embedded server needs moto {MOTO_VERSION}, not {installed}")


def _parse(content: Any) -> dict[str, dict[str, Any]]:
    """Return the backends by service and region; raise ValueError for another format or version of moto."""
    if (content["format"], content["moto"]) != (SNAPSHOT_FORMAT, MOTO_VERSION):
        raise ValueError(f"written by moto {content['moto']}")
    restored = {name: from_nodes(nodes) for name, nodes in content["services"].items()}
    for service, regions in restored.items():
        kind = _backends(service).backend if service in KEPT_SERVICES else None  # type: ignore[attr-defined]
        if any(type(backend) is not kind for backend in regions.values()):
            raise ValueError(f"{service} is not kept so")
    return restored


def _read_old(path: Path) -> dict[str, dict[str, Any]] | None:
    """Return the backends of the pickled snapshot; None if the file was damaged and is now set aside."""
    try:
        return read_pickled(path, MOTO_VERSION)
    except (*MISSHAPEN, OSError, UnpicklingError, EOFError, ImportError) as error:
        set_aside(path, f"{type(error).__name__}: {error}")
        return None


def _backends(service: str) -> dict[str, Any]:
    with IMPORTING_MOTO:
        from moto import backends

    backends_of: dict[str, Any] = cast(Any, backends).get_backend(service)[
        ACCOUNT
    ]  # typed by literal names only
    return backends_of


def _operation(environ: WSGIEnvironment) -> str:
    """Return the operation's name: from the header, or the path of a service that speaks REST."""
    target: str = environ.get("HTTP_X_AMZ_TARGET", "")
    return target.rpartition(".")[2] or environ.get("PATH_INFO", "").lstrip("/")
