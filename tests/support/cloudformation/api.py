"""CloudFormation's query protocol: a request is a form, its answer is XML."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from werkzeug.wrappers import Request, Response

from etltctl.local.kernel.json_protocol import AwsError
from support.cloudformation.changes import changes_between
from support.cloudformation.execution import Execution
from support.cloudformation.kind import Clients
from support.cloudformation.kinds import KINDS
from support.cloudformation.records import ChangeSet, Stack
from support.cloudformation.templates import (
    IMAGE,
    MOST_BYTES,
    MOST_BYTES_IN_S3,
    checked_parameters,
    in_order,
    invalid,
    parse,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from etltctl.local.kernel.keys import Keys

NAMESPACE = "http://cloudformation.amazonaws.com/doc/2010-05-15/"
NO_CHANGES = (
    "The submitted information didn't contain changes. Submit different information to create a change set."
)
Form = Mapping[str, str]


class CloudFormationApi:
    """The stacks of the embedded account, kept in memory until the server ends."""

    def __init__(self, url: str, keys: Keys) -> None:
        self._clients = Clients(url, keys)
        self._stacks: list[Stack] = []
        self._lock = Lock()
        self._operations: Mapping[str, Callable[[Form], dict[str, Any]]] = {
            "CreateChangeSet": self._create_change_set,
            "DescribeChangeSet": self._describe_change_set,
            "DeleteChangeSet": self._delete_change_set,
            "ExecuteChangeSet": self._execute_change_set,
            "DescribeStacks": self._describe_stacks,
            "DescribeStackEvents": self._describe_events,
            "ListStackResources": self._list_resources,
            "GetTemplate": self._get_template,
            "DeleteStack": self._delete_stack,
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request; every error is CloudFormation's XML."""
        form = Request(environ).form.to_dict()
        action = form.get("Action", "")
        try:
            if action not in self._operations:
                raise AwsError("InvalidAction", f"the embedded CloudFormation does not know {action}")
            with self._lock:
                result = _xml(self._operations[action](form))
            body = f'<{action}Response xmlns="{NAMESPACE}"><{action}Result>{result}</{action}Result></{action}Response>'
            response = Response(body, content_type="text/xml")
        except AwsError as error:
            details = _xml({"Error": {"Type": "Sender", "Code": error.code, "Message": error.message}})
            body = f'<ErrorResponse xmlns="{NAMESPACE}">{details}</ErrorResponse>'
            response = Response(body, error.status, content_type="text/xml")
        return response(environ, start_response)

    # change sets

    def _create_change_set(self, form: Form) -> dict[str, Any]:
        name, is_new = form["StackName"], form.get("ChangeSetType") == "CREATE"
        body, most = self._template_of(form)
        template = parse(body, most)
        in_order(template["Resources"])
        parameters = {
            entry["ParameterKey"]: entry["ParameterValue"] for entry in _members(form, "Parameters")
        }
        values = checked_parameters(template, parameters)
        stack = self._stack_for_change_set(name, is_new)
        change_set = ChangeSet(form["ChangeSetName"], form.get("ClientToken", ""), body, template, values)
        before = stack.change_sets.get(change_set.name)
        if before is not None and (not change_set.token or before.token != change_set.token):
            raise AwsError("AlreadyExistsException", f"ChangeSet {change_set.name} cannot be created")
        if before is None:
            self._fill(change_set, stack)
            stack.change_sets[change_set.name] = change_set
        return {"Id": f"{stack.id}/{change_set.name}", "StackId": stack.id}

    def _template_of(self, form: Form) -> tuple[str, int]:
        """Return the template that a request holds or points to, and the most bytes that it may have."""
        url = form.get("TemplateURL", "")
        if not url:
            return form["TemplateBody"], MOST_BYTES
        bucket, _, key = urlsplit(url).path.lstrip("/").partition("/")
        try:
            body = self._clients("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        except self._clients.errors as error:
            raise invalid(f"S3 error: Access Denied for {url}") from error
        return body.decode(), MOST_BYTES_IN_S3

    def _stack_for_change_set(self, name: str, is_new: bool) -> Stack:
        stack = self._find(name)
        if is_new:
            if stack is not None and stack.status != "REVIEW_IN_PROGRESS":
                raise invalid(
                    f"Stack [{name}] already exists and cannot be created again with the changeSet."
                )
            if stack is None:
                stack = Stack.new(name)
                stack.record("REVIEW_IN_PROGRESS", "", reason="User Initiated")
                self._stacks.append(stack)
            return stack
        if stack is None:
            raise invalid(f"Stack [{name}] does not exist")
        if not stack.status.endswith("_COMPLETE") or stack.status == "ROLLBACK_COMPLETE":
            raise invalid(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")
        return stack

    def _fill(self, change_set: ChangeSet, stack: Stack) -> None:
        declared = change_set.template.get("Parameters", {})
        images = {
            name: change_set.parameters[name] for name, facts in declared.items() if facts["Type"] == IMAGE
        }
        for name, image in images.items():
            if not self._clients.has_image(image):
                change_set.status, change_set.execution = "FAILED", "UNAVAILABLE"
                change_set.reason = (
                    f"Parameter validation failed: parameter value {image} for parameter name {name} "
                    "does not exist. Rollback requested by user."
                )
                return
        change_set.changes = changes_between(
            stack, change_set.template, change_set.parameters, self._is_there
        )
        if not change_set.changes and stack.body:
            change_set.status, change_set.execution, change_set.reason = "FAILED", "UNAVAILABLE", NO_CHANGES

    def _is_there(self, type_name: str, properties: Mapping[str, Any]) -> bool:
        find = KINDS[type_name].find
        if find is None:
            return False
        try:
            find(self._clients, properties)
        except self._clients.errors:
            return False
        return True

    def _describe_change_set(self, form: Form) -> dict[str, Any]:
        stack, change_set = self._change_set(form)
        return {
            "ChangeSetName": change_set.name,
            "StackName": stack.name,
            "StackId": stack.id,
            "Status": change_set.status,
            "StatusReason": change_set.reason,
            "ExecutionStatus": change_set.execution,
            "Changes": [change.as_dict() for change in change_set.changes],
        }

    def _delete_change_set(self, form: Form) -> dict[str, Any]:
        stack = self._require(form["StackName"])
        stack.change_sets.pop(form["ChangeSetName"], None)
        return {}

    def _execute_change_set(self, form: Form) -> dict[str, Any]:
        token = form.get("ClientRequestToken", "")
        stack = self._require(form["StackName"])
        if token and token in stack.tokens:
            return {}
        stack, change_set = self._change_set(form)
        if change_set.execution != "AVAILABLE":
            raise AwsError(
                "InvalidChangeSetStatus",
                f"ChangeSet [{change_set.name}] cannot be executed in its current status",
            )
        stack.tokens.add(token)
        stack.change_sets.clear()  # every other change set is obsolete now, and this one is soon
        Thread(
            target=Execution(stack, self._clients, token).carry_out, args=(change_set,), daemon=True
        ).start()
        return {}

    # stacks

    def _describe_stacks(self, form: Form) -> dict[str, Any]:
        if "StackName" in form:
            return {"Stacks": [_described(self._require(form["StackName"], may_be_gone=True))]}
        return {"Stacks": [_described(stack) for stack in self._stacks if stack.status != "DELETE_COMPLETE"]}

    def _describe_events(self, form: Form) -> dict[str, Any]:
        return {"StackEvents": self._require(form["StackName"], may_be_gone=True).events}

    def _list_resources(self, form: Form) -> dict[str, Any]:
        stack = self._require(form["StackName"])
        summaries = [
            {
                "LogicalResourceId": one.logical_id,
                "PhysicalResourceId": one.physical_id,
                "ResourceType": one.type,
                "ResourceStatus": one.status,
                "LastUpdatedTimestamp": stack.created,
            }
            for one in stack.resources.values()
        ]
        return {"StackResourceSummaries": summaries}

    def _get_template(self, form: Form) -> dict[str, Any]:
        return {"TemplateBody": self._require(form["StackName"]).body}

    def _delete_stack(self, form: Form) -> dict[str, Any]:
        stack, token = self._find(form["StackName"]), form.get("ClientRequestToken", "")
        if stack is None or stack.status == "DELETE_COMPLETE" or (token and token in stack.tokens):
            return {}
        stack.tokens.add(token)
        Thread(target=Execution(stack, self._clients, token).delete, daemon=True).start()
        return {}

    def _find(self, name: str) -> Stack | None:
        """Return the stack with the id, or the stack of the name that is not deleted."""
        return next(
            (
                stack
                for stack in self._stacks
                if stack.id == name or (stack.name == name and stack.status != "DELETE_COMPLETE")
            ),
            None,
        )

    def _require(self, name: str, *, may_be_gone: bool = False) -> Stack:
        stack = self._find(name)
        if stack is None or (stack.status == "DELETE_COMPLETE" and not may_be_gone):
            raise invalid(f"Stack with id {name} does not exist")
        return stack

    def _change_set(self, form: Form) -> tuple[Stack, ChangeSet]:
        stack = self._require(form["StackName"])
        change_set = stack.change_sets.get(form["ChangeSetName"])
        if change_set is None:
            message = f"ChangeSet [{form['ChangeSetName']}] does not exist"
            raise AwsError("ChangeSetNotFound", message, 404)
        return stack, change_set


def _described(stack: Stack) -> dict[str, Any]:
    return {
        "StackName": stack.name,
        "StackId": stack.id,
        "StackStatus": stack.status,
        "CreationTime": stack.created,
        "Parameters": [{"ParameterKey": k, "ParameterValue": v} for k, v in stack.parameters.items()],
        "Outputs": [{"OutputKey": k, "OutputValue": v} for k, v in stack.outputs.items()],
    }


def _members(form: Form, name: str) -> list[dict[str, str]]:
    """Return the entries of a list in the form: `Parameters.member.1.ParameterKey` and so on."""
    members: dict[int, dict[str, str]] = {}
    for key, value in form.items():
        if match := re.fullmatch(rf"{name}\.member\.(\d+)\.(\w+)", key):
            members.setdefault(int(match[1]), {})[match[2]] = value
    return [members[number] for number in sorted(members)]


def _xml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "".join(f"<{name}>{_xml(item)}</{name}>" for name, item in value.items())
    if isinstance(value, list):
        return "".join(f"<member>{_xml(item)}</member>" for item in value)
    return escape(str(value))
