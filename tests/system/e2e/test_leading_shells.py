"""A shell that `etltctl local env` points to this machine: `--env aws` warns, and one line undoes it."""

from __future__ import annotations

import json

import pytest

from etltctl.cli.leading import loopback_endpoints, variables_to_unset
from support.workplace import Workplace

pytestmark = pytest.mark.e2e
WARNING = "warning: this shell leads AWS calls to 127.0.0.1:9 (AWS_ENDPOINT_URL), not to AWS; open another"
LED = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}


def test_an_environment_on_aws_causes_one_warning(workplace: Workplace) -> None:
    done = workplace.run("--env", "aws", "config", "show", **LED)
    assert done.stderr.count(WARNING) == 1
    assert WARNING not in done.stdout


def test_quiet_commands_local_commands_and_other_hosts_cause_no_warning(workplace: Workplace) -> None:
    assert "warning" not in workplace.run("-q", "--env", "aws", "config", "show", **LED).stderr
    assert "warning" not in workplace.run("config", "show", **LED).stderr
    other_host = {"AWS_ENDPOINT_URL": "https://vpce.example.com"}
    assert "warning" not in workplace.run("--env", "aws", "config", "show", **other_host).stderr


def test_local_env_unset_clears_every_variable_that_local_env_set(served: Workplace) -> None:
    environ = served.json("local", "env")["environ"]
    done = served.run("local", "env", "--unset", "-o", "json", **environ)
    assert set(json.loads(done.stdout)["unset"]) == set(environ) - {"NO_PROXY", "no_proxy"}
    assert "unset AWS_ENDPOINT_URL\n" in served.run("local", "env", "--unset", **environ).stdout


def test_a_missing_profile_names_the_file_that_local_env_has_set(served: Workplace) -> None:
    environ = served.json("local", "env")["environ"] | {"AWS_PROFILE": "mine"}
    done = served.run("--env", "aws", "athena", "query", "SELECT 1", code=3, **environ)
    assert "AWS_CONFIG_FILE" in done.stderr


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://localhost:5", "localhost:5"),
        ("http://[::1]:5", "[::1]:5"),
        ("http://127.0.0.1:5/", "127.0.0.1:5"),
    ],
)
def test_every_loopback_address_is_recognised(url: str, place: str) -> None:
    assert loopback_endpoints({"AWS_ENDPOINT_URL_GLUE": url}) == {"AWS_ENDPOINT_URL_GLUE": place}


def test_an_endpoint_that_is_not_a_url_is_left_to_the_sdk() -> None:
    assert loopback_endpoints({"AWS_ENDPOINT_URL": "http://[::1"}) == {}


def test_a_shell_on_aws_keeps_its_keys() -> None:
    assert variables_to_unset({"AWS_ACCESS_KEY_ID": "mine", "AWS_REGION": "eu-west-1"}) == []
