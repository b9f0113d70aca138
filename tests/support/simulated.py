"""IAM's policy simulation in front of the account: moto evaluates the policies that the account has recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from moto.iam.access_control import IAMPolicy, PermissionResult

Answer = Callable[[bytes], bytes | None]
OPEN = '<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">'


@dataclass(frozen=True)
class Simulation:
    """A simulator that answers SimulatePrincipalPolicy as IAM does, for roles of the account.

    Like IAM it compares resources literally: a resource wider than the policy's is not allowed.
    """

    iam: Any
    # Each entry holds principal, action, resource, and whether it is allowed.
    simulated: list[tuple[str, str, str, bool]] = field(default_factory=list)

    def __call__(self, body: bytes) -> bytes | None:
        """Return the answer to a simulation; None for any other request."""
        if b"SimulatePrincipalPolicy" not in body:
            return None
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        principal = form["PolicySourceArn"]
        policies = self.policies(principal.rpartition("/")[2])
        actions = [value for name, value in form.items() if name.startswith("ActionNames.member.")]
        resources = [value for name, value in form.items() if name.startswith("ResourceArns.member.")]
        results = "".join(self._result(principal, action, resources, policies) for action in actions)
        answer = f"<IsTruncated>false</IsTruncated><EvaluationResults>{results}</EvaluationResults>"
        result = f"<SimulatePrincipalPolicyResult>{answer}</SimulatePrincipalPolicyResult>"
        return f"{OPEN}{result}</SimulatePrincipalPolicyResponse>".encode()

    def _result(self, principal: str, action: str, resources: list[str], policies: list[IAMPolicy]) -> str:
        """Return the result of an action: the strictest decision of all resources, and that of each."""
        specific, decisions = "", set()
        for resource in resources:
            permitted = {policy.is_action_permitted(action, resource) for policy in policies}
            is_allowed = permitted == {PermissionResult.PERMITTED}
            self.simulated.append((principal, action, resource, is_allowed))
            decisions.add(decision := "allowed" if is_allowed else "implicitDeny")
            specific += (
                f"<member><EvalResourceName>{resource}</EvalResourceName>"
                f"<EvalResourceDecision>{decision}</EvalResourceDecision></member>"
            )
        return (
            f"<member><EvalActionName>{action}</EvalActionName><EvalResourceName>{resources[0]}</EvalResourceName>"
            f"<EvalDecision>{max(decisions)}</EvalDecision>"
            f"<ResourceSpecificResults>{specific}</ResourceSpecificResults></member>"
        )

    def policies(self, role: str) -> list[IAMPolicy]:
        """Return the role's inline policies."""
        names = self.iam.list_role_policies(RoleName=role)["PolicyNames"]
        documents = [self.iam.get_role_policy(RoleName=role, PolicyName=name) for name in names]
        return [IAMPolicy(json.dumps(document["PolicyDocument"])) for document in documents]
