"""The template, and what the embedded CloudFormation does, against the resource schemas that AWS publishes.

cfn-lint ships those schemas: required properties, identifiers that only the service gives, and the permissions that
each type's handlers ask for.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
from checkout import Checkout
from stacks import made, removed

from etltctl.local.cloudformation.kinds import KINDS

PROJECT = Path(__file__).parents[2]
TEMPLATE = yaml.safe_load((PROJECT / "deploy" / "aws" / "template.yaml").read_text("utf-8"))


@cache
def schema(kind: str) -> dict[str, Any]:
    """Return the published schema of a type."""
    return dict(PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema)


def can_be_imported(kind: str) -> bool:
    """Return True if CloudFormation imports such a resource: its identifier is chosen by the template."""
    return not set(schema(kind)["primaryIdentifier"]) & set(schema(kind).get("readOnlyProperties") or ())


def test_the_embedded_cloudformation_imports_only_what_the_real_one_does() -> None:
    assert {kind for kind, facts in KINDS.items() if facts.find and not can_be_imported(kind)} == set()
    assert not can_be_imported("AWS::SecretsManager::Secret")


def test_what_stays_after_a_removal_can_be_taken_in_again_or_has_no_name_to_collide() -> None:
    """A resource that is kept, has a name of its own and cannot be imported would fail every later deployment."""
    kept = {
        facts["Type"]: facts["Properties"]
        for facts in TEMPLATE["Resources"].values()
        if facts.get("DeletionPolicy", "Delete") in {"Retain", "RetainExceptOnCreate"}
    }
    assert kept
    named = {kind for kind, properties in kept.items() if any("Name" in word for word in properties)}
    assert {kind for kind in named if not can_be_imported(kind)} == set()
    assert {kind for kind in named if KINDS[kind].find is None} == set()


def test_a_secret_that_a_stack_left_behind_stops_the_next_one(deployed: Checkout) -> None:
    """As with the real one: it is not imported, and its name is taken."""
    key = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    secret = {
        "Type": "AWS::SecretsManager::Secret",
        "DeletionPolicy": "Retain",
        "Properties": {"Name": "left/behind", "KmsKeyId": key},
    }
    template = {"Resources": {"Secret": secret}}
    assert made(deployed, "first-owner", template) == {}
    removed(deployed, "first-owner")
    assert "ResourceExistsException" in made(deployed, "second-owner", template)["Secret"]


@pytest.mark.parametrize("name", list(TEMPLATE["Resources"]))
def test_every_resource_has_what_its_schema_requires_and_sets_nothing_that_is_read_only(name: str) -> None:
    facts = TEMPLATE["Resources"][name]
    published = schema(facts["Type"])
    properties = set(facts["Properties"])
    assert set(published.get("required", ())) <= properties
    assert properties <= set(published["properties"])
    read_only = {path.removeprefix("/properties/") for path in published.get("readOnlyProperties") or ()}
    assert properties & read_only == set()
