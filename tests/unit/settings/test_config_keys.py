"""Keys of a connector's configuration that its manifest does not know, and those that it requires."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from etltctl.settings.config_keys import key_problems

SPEC = """\
type: DeclarativeSource
version: 6.60.0
spec:
  connection_specification:
    required: [base_url, api_key, page_size]
    properties:
      base_url: {type: string}
      api_key: {type: string, airbyte_secret: true}
      page_size: {type: integer, default: 100}
    oneOf:
      - properties: {region: {type: string}}
streams:
  - name: ships
    retriever:
      requester:
        url_base: "{{ config['base_url'] }}/{{ config.get('branch', '') }}"
        authenticator: {access_token_config_path: [token_of_before]}
"""
GOOD = {"base_url": "http://127.0.0.1", "api_key": "env:KEY"}


def problems(config: dict[str, Any], text: str = SPEC) -> list[tuple[str, str]]:
    return list(key_problems(config, yaml.safe_load(text)))


def test_a_configuration_with_the_required_keys_has_no_problem() -> None:
    assert problems(GOOD) == []
    assert problems({**GOOD, "region": "eu"}) == []


def test_an_unknown_key_and_the_required_one_that_it_was_meant_for_are_both_named() -> None:
    assert problems({"base_url": "x", "api_kye": "env:KEY"}) == [
        ("api_kye", "the connector's specification has no such key, did you mean api_key?"),
        ("", "the connector's specification requires api_key, which is not there"),
    ]


def test_a_key_like_no_other_is_answered_with_all_that_there_are() -> None:
    ((_, text),) = problems({**GOOD, "zzz": 1})
    assert text.endswith("; it has: region, base_url, api_key, page_size")


@pytest.mark.parametrize("key", ["branch", "token_of_before"])
def test_a_key_that_the_manifest_reads_without_naming_it_in_the_specification_is_known(key: str) -> None:
    assert problems({**GOOD, key: "x"}) == []


def test_a_strict_specification_knows_no_other_key() -> None:
    strict = SPEC.replace(
        "    properties:\n      base", "    additionalProperties: false\n    properties:\n      base"
    )
    assert [key for key, _ in problems({**GOOD, "branch": "x"}, strict)] == ["branch"]


def test_code_of_python_may_read_any_key() -> None:
    code = SPEC.replace("name: ships", "name: ships\n    transformations: [{class_name: own.Part}]")
    assert problems({**GOOD, "zzz": 1}, code) == []


@pytest.mark.parametrize(
    "text",
    ["{}", "spec: 7", "spec: {connection_specification: []}", "spec: {connection_specification: {properties: 7}}",
     "spec: {connection_specification: {required: x, oneOf: {a: 1}}}"],
)  # fmt: skip
def test_a_manifest_without_a_usable_specification_forbids_nothing(text: str) -> None:
    assert problems({"zzz": 1}, text) == []
