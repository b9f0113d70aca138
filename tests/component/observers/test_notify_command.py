"""`etltctl notify test` sends a message whatever the receivers ask for, and fails loudly."""

from __future__ import annotations

import pytest

from etltctl.errors import ConfigurationError, UsageError
from etltctl.observers.notifications import send_trial
from support.receivers import PostOffice
from support.sql_project import SqlProject


def test_every_receiver_gets_a_message_that_says_it_is_a_test(
    project: SqlProject, office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK", office.url)
    receivers = {
        "hook": {"kind": "webhook", "url": "env:HOOK", "on": ["detached"], "pipelines": ["wind"]},
        "unset": {"kind": "slack", "url": "env:NOT_SET_AT_ALL"},
    }
    settings = project.settings.overlaid({"notify": receivers})
    sent, unset = send_trial(settings)
    assert sent.error is None
    (post,) = office.posts
    assert post.document["is_test"] is True
    assert post.document["text"].startswith("Test: test failed (local)")
    assert isinstance(unset.error, ConfigurationError)
    (alone,) = send_trial(settings, "hook")
    assert (alone.receiver, len(office.posts)) == ("hook", 2)


def test_an_unknown_receiver_and_settings_without_one_are_errors(project: SqlProject) -> None:
    with pytest.raises(ConfigurationError, match="name no receiver"):
        send_trial(project.settings)
    settings = project.settings.overlaid({"notify": {"ops": {"kind": "slack", "url": "env:HOOK"}}})
    with pytest.raises(UsageError, match="no receiver of notifications is called op"):
        send_trial(settings, "op")
