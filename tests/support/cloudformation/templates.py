"""Templates: check their parameters, evaluate their functions, and order their resources by dependency."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from etltctl.local.kernel.json_protocol import AwsError

MOST_BYTES = 51_200  # of a template within the request
MOST_BYTES_IN_S3 = 1_048_576
IMAGE = "AWS::EC2::Image::Id"
NAMED = re.compile(r"\$\{([^!][^}]*)\}")
Lookup = Callable[[str, str], Any]  # a name and an attribute (empty for Ref) → its value


def parse(body: str, most: int = MOST_BYTES) -> dict[str, Any]:
    """Return the template, from JSON or YAML without short forms.

    Args:
        body: The template as it was sent.
        most: The most bytes that it may have.

    Raises:
        AwsError: It is not a template, or too large.
    """
    import yaml

    if len(body.encode()) > most:
        raise invalid(f"'templateBody' failed to satisfy constraint: length at most {most}")
    try:
        template = json.loads(body) if body.lstrip().startswith("{") else _from_yaml(body)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise invalid(f"Template format error: {error}") from error
    if not isinstance(template, dict) or not template.get("Resources"):
        raise invalid("Template format error: At least one Resources member must be defined.")
    return template


def _from_yaml(body: str) -> Any:
    """Parse YAML without aliases. CloudFormation refuses them: a few lines can expand beyond all memory."""
    import yaml

    if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(body, Loader=yaml.SafeLoader)):
        raise invalid("Template error: YAML aliases are not allowed in CloudFormation templates")
    return yaml.safe_load(body)


def checked_parameters(template: Mapping[str, Any], parameters: Mapping[str, str]) -> dict[str, str]:
    """Return every parameter's value or default. Raises AwsError with CloudFormation's message."""
    declared: Mapping[str, Mapping[str, Any]] = template.get("Parameters", {})
    if unknown := sorted(set(parameters) - set(declared)):
        raise invalid(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    values = {
        name: str(parameters.get(name, facts.get("Default", "")))
        for name, facts in declared.items()
        if name in parameters or "Default" in facts
    }
    if missing := sorted(set(declared) - set(values)):
        raise invalid(f"Parameters: [{', '.join(missing)}] must have values")
    for name, facts in declared.items():
        _check_parameter(name, facts, values[name])
    return values


def answered(value: Any, lookup: Lookup) -> Any:
    """Return the value with every function evaluated; `lookup` returns the value of a name."""
    if isinstance(value, list):
        return [answered(item, lookup) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        name, argument = next(iter(value.items()))
        if name == "Ref":
            return lookup(argument, "")
        if name == "Fn::GetAtt":
            return lookup(argument[0], argument[1])
        if name == "Fn::Sub":
            return _filled(argument, lookup)
        if name == "Fn::Base64":
            return base64.b64encode(str(answered(argument, lookup)).encode()).decode()
        if name.startswith("Fn::"):
            raise invalid(f"Template error: the embedded CloudFormation does not know {name}")
    return {name: answered(item, lookup) for name, item in value.items()}


def symbolic(parameters: Mapping[str, str], pseudo: Mapping[str, str]) -> Lookup:
    """Return parameters as values, and resources only as references: enough to detect a change."""
    known = {**parameters, **pseudo}
    return lambda name, member: known.get(name, f"<{name}{'.' if member else ''}{member}>")


def in_order(resources: Mapping[str, Any]) -> list[str]:
    """Return the resources, each after its dependencies. Raises AwsError for a cycle or an unknown name."""
    needs = {name: set(names_in(facts)) & set(resources) for name, facts in resources.items()}
    for name, facts in resources.items():
        dependencies = facts.get("DependsOn", [])
        needs[name] |= {dependencies} if isinstance(dependencies, str) else set(dependencies)
        if unknown := needs[name] - set(resources):
            raise invalid(f"Template format error: Unresolved resource dependencies {sorted(unknown)}")
    try:
        return list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        raise invalid(f"Circular dependency between resources: {error.args[1]}") from error


def names_in(value: Any) -> Iterator[str]:
    """Return every name that the value's functions mention."""
    if isinstance(value, list):
        for item in value:
            yield from names_in(item)
    elif isinstance(value, dict):
        if "Ref" in value:
            yield str(value["Ref"])
        if "Fn::GetAtt" in value:
            yield str(value["Fn::GetAtt"][0])
        if "Fn::Sub" in value:
            text = value["Fn::Sub"][0] if isinstance(value["Fn::Sub"], list) else value["Fn::Sub"]
            yield from (name.partition(".")[0] for name in NAMED.findall(text))
        for item in value.values():
            yield from names_in(item)


def invalid(message: str) -> AwsError:
    """Return CloudFormation's error for an invalid request."""
    return AwsError("ValidationError", message)


def _filled(argument: Any, lookup: Lookup) -> str:
    text, own = argument if isinstance(argument, list) else (argument, {})
    values = {name: answered(value, lookup) for name, value in own.items()}

    def value_of(match: re.Match[str]) -> str:
        if match[1] in values:
            return str(values[match[1]])
        name, _, member = match[1].partition(".")
        return str(lookup(name, member))

    return NAMED.sub(value_of, text)


def _check_parameter(name: str, facts: Mapping[str, Any], value: str) -> None:
    pattern, allowed = facts.get("AllowedPattern"), facts.get("AllowedValues")
    if pattern and not re.fullmatch(pattern, value):
        raise invalid(f"Parameter '{name}' must match pattern {pattern}")
    if allowed and value not in map(str, allowed):
        raise invalid(f"Parameter '{name}' must be one of AllowedValues")
    if facts["Type"] == "Number":
        _check_number(name, facts, value)


def _check_number(name: str, facts: Mapping[str, Any], value: str) -> None:
    try:
        number = float(value)
    except ValueError as error:
        raise invalid(f"Parameter '{name}' must be a number") from error
    if "MinValue" in facts and number < float(facts["MinValue"]):
        raise invalid(f"Parameter '{name}' must be a number not less than {facts['MinValue']}")
    if "MaxValue" in facts and number > float(facts["MaxValue"]):
        raise invalid(f"Parameter '{name}' must be a number not greater than {facts['MaxValue']}")
