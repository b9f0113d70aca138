"""A text names a cause only where it speaks of one: in its own line, at the root, and not in a stack or an address."""

from __future__ import annotations

import pytest

from etltctl.causes import UNKNOWN, Failure, Line, diagnose
from etltctl.causes.catalogue import catalogue
from etltctl.causes.masked_words import masked, without_stack


def code_of(text: str, service: str) -> str:
    """Return the code of the cause of a reason."""
    status = "failed" if service == "Airbyte" else "FAILED"
    return diagnose(Failure((Line(text),), service, status)).cause.code


def test_a_frame_of_a_stack_names_no_cause() -> None:
    frame = "at com.acme.net.ConnectTimeoutException$Filter.unwrap(Filter.java:12)"
    assert code_of(f"java.lang.IllegalStateException: blade 4 is loose\n\t{frame}", "Glue") == UNKNOWN.code
    assert code_of("com.acme.net.ConnectTimeoutException: blade 4", "Glue") == "N103"


def test_the_code_below_a_frame_of_python_is_no_cause() -> None:
    text = 'Traceback:\n  File "/x/lib.py", line 3, in f\n    raise ReadTimeout("no")\nwindless'
    assert "ReadTimeout" not in without_stack(text)
    assert without_stack(text).endswith("\nwindless")
    assert len(without_stack(text)) == len(text)


def test_an_address_names_no_cause() -> None:
    address = "https://api.example/v1/rate_limit/exceeded"
    assert "rate" not in masked(f"GET {address} gave nothing")
    assert code_of(f"the call of {address} gave nothing", "Airbyte") == UNKNOWN.code


def test_a_text_stays_within_its_line() -> None:
    assert code_of("the executor\nran next to a job that was out of memory: no", "Glue") != "G117"
    assert code_of("the executor was out of memory", "Glue") == "G117"


def test_a_rule_over_lines_sees_the_lines_below() -> None:
    assert any(rule.is_over_lines for rule in catalogue()["G117"].rules)
    text = "java.lang.OutOfMemoryError: heap\n\tat x.Executor$TaskRunner.run(Executor.scala:3)"
    assert code_of(text, "Glue") == "G117"


@pytest.mark.parametrize(
    ("text", "service", "code"),
    [
        ("Access denied for user 'etl'@'10.0.0.1' (using password: YES)", "Glue", UNKNOWN.code),
        ('AccessControlException: Permission denied: user=x, inode="/lake"', "Glue", UNKNOWN.code),
        ("Lost executor 4 on 10.0.0.1: Executor decommission.", "Glue", UNKNOWN.code),
        ("destination > 401 Client Error: the token is invalid", "Airbyte", "S107"),
    ],
)
def test_a_rule_does_not_hold_where_other_words_say_why(text: str, service: str, code: str) -> None:
    assert code_of(text, service) in (code, UNKNOWN.code)


def test_the_root_of_a_chain_wins_over_what_stands_above_it() -> None:
    chain = "Caused by: com.acme.WrappedException: Path does not exist: s3://lake/x\nCaused by: "
    assert code_of(f"{chain}java.io.IOException: No space left on device", "Glue") == "G122"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("An error occurred (AccessDenied): no action at all", "E201"),
        ("An error occurred (AccessDenied): VPC endpoints do not support cross-region requests", "E225"),
        ("(AccessDeniedException) when calling the CreateOAuth2Token operation: it has expired", "E211"),
        ("AccessDeniedException: Insufficient Lake Formation permission(s) on laps", "E203"),
    ],
)
def test_what_a_refusal_says_counts_more_than_its_code(text: str, code: str) -> None:
    assert code_of(text, "AWS") == code


def test_a_kill_that_only_may_come_of_memory_is_a_kill() -> None:
    lost = "ExecutorLostFailure (executor 3 exited) Reason: executor 3 exited with exit code 137"
    assert code_of(f"{lost} (SIGKILL, possible container OOM)", "Glue") == "G116"
