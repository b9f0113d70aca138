"""The tests' CloudFormation: it refuses what the real one refuses."""

from __future__ import annotations

import pytest

from support.served import Served


def test_yaml_aliases_and_oversized_templates_are_refused(account: Served) -> None:
    client = account.client("cloudformation")
    bomb = "a: &a [x]\nb: &b [*a,*a,*a,*a]\nResources: {R: {Type: 'AWS::S3::Bucket', Properties: *b}}\n"
    for template in (bomb, "Resources: " + "[" * 900, "#" * 60_000):
        request = {
            "StackName": "s",
            "ChangeSetName": "c",
            "ChangeSetType": "CREATE",
            "TemplateBody": template,
        }
        with pytest.raises(client.exceptions.ClientError) as caught:
            client.create_change_set(**request)
        assert caught.value.response["Error"]["Code"] == "ValidationError"
