"""Facts of environments that stand in two places agree."""

from __future__ import annotations

import pytest

from etltctl.settings import load_settings
from etltctl.values import is_billed


@pytest.mark.parametrize("env", ["local", "aws"])
def test_an_environment_bills_unless_its_name_on_record_is_an_unbilled_one(env: str) -> None:
    settings = load_settings(env=env, environ={})
    assert settings.environment.bills is is_billed(settings.env)
