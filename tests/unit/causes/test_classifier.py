"""The classifier finds the cause that a person would name, and says so where it finds none."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from etltctl.causes import UNKNOWN, Confidence, Failure, Line, diagnose
from support.recorded_failures import Recorded, recorded

KNOWN = recorded(held_out=False)
HELD_OUT = recorded(held_out=True)
# Wordings of single public threads, most of which stand nowhere else.
OF_RARE = ("held_out_services_two-", "held_out_services_three-", "held_out_notes_two-")
RARE = [each for each in HELD_OUT if each.name.startswith(OF_RARE)]
COMMON = [each for each in HELD_OUT if each not in RARE]


def precision_and_recall(failures: Sequence[Recorded]) -> tuple[float, float]:
    """Return the share of named causes that are right, and the share of failures whose cause was named."""
    named = [(each, diagnose(each.failure).cause) for each in failures]
    right = sum(cause.code == each.code for each, cause in named if cause != UNKNOWN)
    claimed = sum(cause != UNKNOWN for _, cause in named)
    to_find = sum(each.code != UNKNOWN.code for each in failures)
    return right / claimed, right / to_find


@pytest.mark.parametrize("failure", KNOWN, ids=lambda each: each.name)
def test_a_recorded_failure_has_the_cause_that_a_person_named(failure: Recorded) -> None:
    diagnosis = diagnose(failure.failure)
    assert diagnosis.cause.code == failure.code
    assert failure.detail in diagnosis.sentence
    assert diagnosis.evidence or not failure.failure.lines


@pytest.mark.parametrize(
    ("name", "failures", "least_precision", "least_recall"),
    [("known", KNOWN, 0.95, 0.9), ("held out", COMMON, 0.95, 0.9), ("held out, rare", RARE, 0.85, 0.5)],
)
def test_precision_and_recall_are_high(
    name: str, failures: Sequence[Recorded], least_precision: float, least_recall: float
) -> None:
    """Measure the held-out wordings separately: no pattern was written from them."""
    precision, recall = precision_and_recall(failures)
    print(f"{name}: {len(failures)} failures, precision {precision:.3f}, recall {recall:.3f}")
    assert precision >= least_precision
    assert recall >= least_recall


def test_hundreds_of_failures_are_recorded_each_with_its_source() -> None:
    assert len(KNOWN) + len(HELD_OUT) >= 500
    assert len(HELD_OUT) * 5 >= len(KNOWN)
    assert all(each.source for each in [*KNOWN, *HELD_OUT])


def test_an_unknown_failure_is_called_unknown_and_shows_its_best_line() -> None:
    lines = (Line("exit status 1"), Line("26/01/01 02:00:00 ERROR Turbine: blade 4 is loose", "driver"))
    diagnosis = diagnose(Failure(lines, "Glue", "FAILED"))
    assert diagnosis.cause == UNKNOWN
    assert diagnosis.confidence is Confidence.LOW
    assert "blade 4 is loose" in diagnosis.evidence[0].text


def test_a_warning_that_was_repaired_does_not_hide_the_error_after_it() -> None:
    warned = Line(
        "26/01/01 02:00:00 WARN S3AFileSystem: Slow Down, trying again (Status Code: 503)", "driver"
    )
    raised = Line("KeyError: 'season'")
    assert diagnose(Failure((raised, warned), "Glue", "FAILED")).cause.code == "G143"
    assert diagnose(Failure((Line("exit status 1"), warned), "Glue", "FAILED")).cause == UNKNOWN


def test_the_line_of_the_script_is_part_of_the_proof() -> None:
    log = 'Traceback (most recent call last):\n  File "/tmp/ships.py", line 10, in knots\nKeyError: 1'
    diagnosis = diagnose(Failure((Line("KeyError: 1"), Line(log, "driver")), "Glue", "FAILED"))
    assert any("ships.py" in line.text for line in diagnosis.evidence)


def test_a_bare_error_of_an_executors_log_is_one_of_the_executor() -> None:
    text = "java.lang.OutOfMemoryError: Java heap space"
    assert diagnose(Failure((Line(text, "executor-4"),), "Glue")).cause.code == "G117"
    assert diagnose(Failure((Line(text, "driver"),), "Glue")).cause.code == "G115"


def test_the_text_that_names_the_cause_is_shown_of_a_long_line() -> None:
    text = f"{'x' * 5_000} java.io.IOException: No space left on device {'y' * 5_000}"
    diagnosis = diagnose(Failure((Line(text),), "Glue", "FAILED"))
    assert diagnosis.cause.code == "G122"
    assert "No space left" in diagnosis.evidence[0].text
    assert len(diagnosis.evidence[0].text) < 400


def test_of_a_very_long_log_only_a_bounded_part_is_searched() -> None:
    noise = [Line(f"26/01/01 INFO Storage{number:x}: kept {'z' * 300}", "driver") for number in range(5_000)]
    error = Line("Container killed by YARN for exceeding memory limits", "driver")
    assert diagnose(Failure((*noise, error), "Glue", "FAILED")).cause.code == "G117"


def test_a_log_of_200_megabytes_is_read_in_part() -> None:
    line = Line("ERROR Storage: kept " + "z" * 1_000_000, "driver")
    reason = Line("Command failed with exit code 137")
    diagnosis = diagnose(Failure((reason, *[line] * 200), "Glue", "FAILED"))
    assert diagnosis.cause.code == "G116"
    assert all(len(each.text) < 400 for each in diagnosis.evidence)


def test_lines_of_nothing_and_of_binary_data_are_read() -> None:
    lines = (
        Line(""),
        Line("\x00\x1b[31m\ufffd", "driver"),
        Line("Traceback (most recent call last):", "driver"),
    )
    assert diagnose(Failure(lines, "Glue", "FAILED")).cause == UNKNOWN
    assert diagnose(Failure(())).evidence == ()


def test_a_service_that_the_catalogue_does_not_know_is_read_by_its_words() -> None:
    failure = Failure((Line("No space left on device"),), "Frobnicator", "BROKEN")
    assert diagnose(failure).cause.code == "M101"


@pytest.mark.parametrize(
    "raised", ["OSError: unit is busy", "requests.exceptions.HTTPError: 400 Client Error: for url"]
)
def test_an_error_of_a_client_is_the_scripts_only_if_a_frame_leads_to_the_script(raised: str) -> None:
    frame = 'Traceback (most recent call last):\n  File "/tmp/orders.py", line 7, in <module>\n'
    bare, framed = (diagnose(Failure((Line(text),), "Glue", "FAILED")) for text in (raised, frame + raised))
    assert bare.cause == UNKNOWN
    assert framed.cause.code == "G143"
    assert "orders.py:7" in framed.sentence


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("Airbyte at host did not answer: [Errno 111] Connection refused", "N102"),
        ("Airbyte at host did not answer: timed out", "N103"),
        ("Airbyte at host: GET /jobs/12: HTTP 503", "N103"),
        ("Airbyte at host: POST /jobs: HTTP 429 Too Many Requests", "U000"),
        ("MongoDB at db:27017 did not answer: Connection refused", "S106"),
        ("HTTP Status Code: 429. Error: Too many requests.", "S105"),
    ],
)
def test_an_airbyte_that_does_not_answer_is_no_source_that_does_not(said: str, code: str) -> None:
    assert diagnose(Failure((Line(said),), "Airbyte", "failed")).cause.code == code
