"""The AWS account: caller, clock, services, stack, permissions and buckets."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

from etltctl.cloudformation import CloudFormation
from etltctl.diagnosis.findings import Finding, fail, failed, ok, shortened, skip, unseen, warn
from etltctl.diagnosis.probe import Probe
from etltctl.errors import (
    AccessError,
    ConfigurationError,
    EtltctlError,
    ExitCode,
    NextStep,
    ServiceError,
    UnreachableError,
    command,
)
from etltctl.infrastructure.change_set import way_out
from etltctl.infrastructure.names import Names
from etltctl.infrastructure.roles import job_statements
from etltctl.inspection import GREETINGS
from etltctl.permissions import OPERATOR
from etltctl.values import S3Location

# AWS refuses a signature that is more than five minutes off (Signature Version 4).
REFUSED_SKEW_S, ADVISED_SKEW_S = 300.0, 60.0

NOT_SIMULATED = (
    "NotImplementedException"  # of an endpoint that has no policy simulation, as it enforces no policies
)
READ, WRITE = "s3:GetObject", "s3:PutObject"
SUBJECTS = {"Read": "reads", "Write": "writes", "List": "lists"}


def check_caller(probe: Probe) -> Iterator[Finding]:
    """Report the caller and the region."""
    caller = probe.caller
    yield ok("caller", f"{caller.arn}, account {caller.account}")
    region = probe.settings.aws.region or probe.aws.client("glue").meta.region_name
    yield ok("region", str(region))


def check_clock(probe: Probe) -> Iterator[Finding]:
    """Compare this machine's clock with that of AWS."""
    # The middle of the request is compared: the answer was stamped somewhere between its start and its end.
    before = probe.now()
    theirs = probe.inspection.their_time()
    if theirs is None:
        yield skip("clock", "no answer of AWS has its time")
        return
    skew = (before + probe.now()) / 2 - theirs.timestamp() - 0.5  # the header has whole seconds
    evidence = f"this machine's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} AWS's"
    fix = "set the clock, or let the system keep it: timedatectl set-ntp true"
    if abs(skew) >= REFUSED_SKEW_S:
        yield fail(
            "clock",
            f"{evidence}; AWS refuses calls if it is more than five minutes off",
            fix,
            ExitCode.ACCESS,
        )
    elif abs(skew) >= ADVISED_SKEW_S:
        yield warn("clock", evidence, fix)
    else:
        yield ok("clock", evidence)


def check_reach(probe: Probe) -> Iterator[Finding]:
    """Check that each service answers, and report its URL."""
    for service in GREETINGS:
        try:
            # The address is made without a call, so it is known even if the service does not answer.
            url = probe.inspection.url(service)
        except ConfigurationError as error:  # no profile, no region: no address either
            yield skip("services", f"no address to call: {shortened(error.message)}")
            return
        started = time.perf_counter()
        try:
            probe.inspection.greet(service)
        except UnreachableError as error:
            fix = "check the network and the proxy, then AWS_ENDPOINT_URL and aws.region: the address comes from them"
            yield fail(service, f"{url}: {shortened(error.message)}", fix, ExitCode.FAILED)
        # A refusal proves that the service was reached, which is all that this check asks.
        except (AccessError, ServiceError) as error:
            yield ok(service, f"{url} answers, but refuses the call: {shortened(error.message)}")
        else:
            yield ok(service, f"{url} answers in {1000 * (time.perf_counter() - started):.0f} ms")


def check_buckets(probe: Probe) -> Iterator[Finding]:
    """Check every bucket that the settings name."""
    for bucket, setting in _buckets(probe).items():
        try:
            region = probe.inspection.bucket_region(bucket)
        except AccessError as error:
            # Only a deployment writes scripts; the role that runs pipelines sees no more of them than its bundle.
            yield unseen(bucket, error) if setting == "lake.scripts" else failed(bucket, error)
            continue
        except EtltctlError as error:
            yield failed(bucket, error)
            continue
        here = probe.aws.client("s3").meta.region_name
        if region is None:
            fix = NextStep(probe.provision_command, f" makes it; or name another in {setting}")
            yield fail(bucket, f"there is no such bucket ({setting})", fix)
        elif region and here and region != here:
            fix = NextStep(
                "put the lake and aws.region into one region: Glue and Athena read across regions at a price"
            )
            yield warn(bucket, f"is in {region}, but jobs and queries run in {here}", fix)
        else:
            yield ok(bucket, f"{setting}, {region or 'its region is not known'}")


def check_stack(probe: Probe) -> Iterator[Finding]:
    """Check whether the last change of the environment's CloudFormation stack went through."""
    if not probe.settings.environment.has_stack:
        return
    name = probe.settings.stack_name
    subject = f"stack {name}"
    try:
        stack = CloudFormation(probe.aws).find(name)
    except AccessError as error:
        yield unseen(subject, error)
        return
    except ServiceError as error:
        yield skip(subject, f"its state is not known: {shortened(error.message)}")
        return
    if stack is None:
        yield skip(subject, f"there is no such stack: {command('infra', 'deploy')} would make one")
    elif remedy := way_out(stack):
        evidence = f"it is in {stack.status}: {remedy}"
        yield fail(
            subject, evidence, NextStep(command("infra", "plan"), " says what failed first"), ExitCode.BLOCKED
        )
    # Such a stack can be updated, so nothing is broken, but what runs is not what the settings say.
    elif stack.status.endswith("ROLLBACK_COMPLETE"):
        evidence = f"its last update was rolled back ({stack.status}), so it is older than the settings"
        yield warn(subject, evidence, NextStep(command("infra", "plan"), " shows what is left to deploy"))
    else:
        yield ok(subject, stack.status)


def check_roles(probe: Probe) -> Iterator[Finding]:
    """Check that the roles of the Glue jobs exist and that Glue may take them."""
    for role in _roles(probe):
        try:
            definition = probe.inspection.role(role.rpartition("/")[2])
        except AccessError as error:
            yield unseen(f"role {role}", error)
            continue
        if definition is None:
            fix = NextStep(
                probe.provision_command, " makes it; or name the role your jobs have in glue.jobs.NAME.role"
            )
            yield fail(f"role {role}", "there is no such role", fix)
        # The trust policy may name the service in a text or in a list; a search in its JSON finds both.
        elif "glue.amazonaws.com" not in json.dumps(_trust(definition)):
            fix = NextStep(
                "let the role's trust policy allow sts:AssumeRole to the service glue.amazonaws.com"
            )
            yield fail(f"role {role}", "Glue may not assume this role", fix, ExitCode.ACCESS)
        else:
            yield ok(f"role {role}", f"{definition['Arn']}; Glue may assume it")


def check_caller_permissions(probe: Probe) -> Iterator[Finding]:
    """Check what the caller may do, by IAM's simulation."""
    settings, account = probe.settings, probe.caller.account
    region = settings.aws.region or probe.aws.client("glue").meta.region_name
    at = f"{region}:{account}"
    jobs = [f"arn:aws:glue:{at}:job/{settings.glue.names.at_glue(name)}" for name in settings.glue.jobs]
    databases = settings.athena.databases.values()
    catalog = [
        f"arn:aws:glue:{at}:catalog",
        *(f"arn:aws:glue:{at}:database/{name}" for name in databases),
        # The simulation compares resources literally: any name stands for every table of a database.
        *(f"arn:aws:glue:{at}:table/{name}/any" for name in databases),
    ]
    workgroup = [f"arn:aws:athena:{at}:workgroup/{settings.athena.workgroup}"]
    layers = [_objects(place) for place in (settings.lake.bronze, settings.lake.silver, settings.lake.gold)]
    needs = {
        "jobs": (OPERATOR["jobs"], jobs),
        "catalog": (OPERATOR["catalog"], catalog),
        "workgroup": (OPERATOR["workgroup"], workgroup),
        "layers": ((READ,), layers),
        "query results": ((READ, WRITE), [_objects(settings.athena.output_location)]),
    }
    try:
        for what, (actions, resources) in needs.items():
            if resources:
                yield _allowed(probe, f"caller: {what}", probe.caller.principal, actions, resources)
    except ServiceError as error:
        yield _not_simulated("caller", error)


def check_role_permissions(probe: Probe) -> Iterator[Finding]:
    """Check that the Glue jobs' roles may do exactly what the stack grants a role for these jobs.

    IAM's simulation answers no for a resource that is wider than the one that is granted.
    """
    account = probe.caller.account
    for role in _roles(probe):
        # The settings may name a role without its account.
        principal = role if role.startswith("arn:") else f"arn:aws:iam::{account}:role/{role}"
        try:
            yield from _check_role(probe, role, principal)
        except ServiceError as error:
            yield _not_simulated(role, error)


def _check_role(probe: Probe, role: str, principal: str) -> Iterator[Finding]:
    jobs = [name for name, job in probe.settings.glue.jobs.items() if job.role == role]
    region = probe.settings.aws.region or probe.aws.client("glue").meta.region_name
    known = {"AWS::Partition": "aws", "AWS::Region": region, "AWS::AccountId": probe.caller.account}
    # The same statements that a deployment writes, so that the check and the stack cannot differ.
    for statement in job_statements(Names(probe.settings), jobs):
        resources = [_resolved(resource, known) for resource in statement["Resource"]]
        if "Condition" in statement or not all(resources):
            continue  # the simulation knows neither the values of a condition nor the stack's own key
        subject = f"{role}: {SUBJECTS.get(statement['Sid'], statement['Sid'].lower())}"
        yield _allowed(probe, subject, principal, tuple(statement["Action"]), resources)


def _resolved(resource: Any, known: Mapping[str, str]) -> str:
    """Return a resource of a policy with its names filled in; empty if only the stack knows it."""
    text = resource.get("Fn::Sub", "") if isinstance(resource, dict) else str(resource)
    for name, value in known.items():
        text = text.replace(f"${{{name}}}", value)
    return str(text)


def _allowed(
    probe: Probe, subject: str, principal: str, actions: tuple[str, ...], resources: list[str]
) -> Finding:
    try:
        denied = probe.inspection.denied(principal, actions, resources)
    except AccessError as error:
        # A caller that may not ask may still be allowed everything else: a warning, and no failure.
        fix = "allow the caller iam:SimulatePrincipalPolicy, or check these permissions by hand"
        return warn(subject, shortened(error.message), fix)
    if denied:
        fix = f"allow {', '.join(denied)} to {principal}"
        return fail(subject, f"IAM policies do not allow {', '.join(denied)}", fix, ExitCode.ACCESS)
    return ok(subject, f"{principal} may {', '.join(actions)}")


def _not_simulated(subject: str, error: ServiceError) -> Finding:
    if error.code == NOT_SIMULATED:
        return skip(subject, "not checked: no IAM policies apply here, so no run needs a permission")
    return skip(
        subject, f"not checked: IAM gave no result of its policy simulation: {shortened(error.message)}"
    )


def _buckets(probe: Probe) -> dict[str, str]:
    """Return every bucket with the setting that names it."""
    settings = probe.settings
    places = {
        "lake.bronze": settings.lake.bronze,
        "lake.silver": settings.lake.silver,
        "lake.gold": settings.lake.gold,
        "lake.scripts": settings.lake.scripts,
        "athena.output_location": settings.athena.output_location,
        **({"state": settings.state} if S3Location.is_one(settings.state) else {}),
    }
    # Reversed, so that the first setting of a shared bucket is the one that is named.
    return {S3Location.parse(place).bucket: setting for setting, place in reversed(places.items())}


def _roles(probe: Probe) -> list[str]:
    return sorted({job.role for job in probe.settings.glue.jobs.values()})


def _objects(location: str) -> str:
    folder = S3Location.parse(location).folder()
    return f"arn:aws:s3:::{folder.bucket}/{folder.key}*"


def _trust(role: Mapping[str, Any]) -> Any:
    return role.get("AssumeRolePolicyDocument", {})
