"""The exception of a script is named with its file and line, also if Spark or Glue wrapped it."""

from __future__ import annotations

from etltctl.causes.script_exceptions import script_exception

FRAMES = """Traceback (most recent call last):
  File "/tmp/ships.py", line 24, in <module>
    main()
  File "/tmp/ships.py", line 10, in main
    ratio = 1 / 0
  File "/opt/lib/python3.11/site-packages/numbers.py", line 3, in ratio
"""


def test_the_innermost_frame_of_the_script_is_named() -> None:
    raised = script_exception(f"{FRAMES}ZeroDivisionError: division by zero")
    assert raised is not None
    assert raised.sentence == "The script raised ZeroDivisionError (division by zero) at ships.py:10."


def test_glues_own_line_number_is_used_where_there_is_no_traceback() -> None:
    raised = script_exception(
        "Error Category: UNCLASSIFIED_ERROR; Failed Line Number: 10; KeyError: 'season'"
    )
    assert raised is not None
    assert raised.sentence == "The script raised KeyError ('season') at line 10 of the script."


def test_file_and_line_after_the_name_are_read() -> None:
    raised = script_exception("ZeroDivisionError, ships.py:10")
    assert raised is not None
    assert (raised.name, raised.file, raised.line) == ("ZeroDivisionError", "ships.py", 10)


def test_an_exception_without_a_place_is_named_without_one() -> None:
    raised = script_exception("AssertionError")
    assert raised is not None
    assert raised.sentence == "The script raised AssertionError."


def test_an_exception_of_java_or_of_a_wrapper_is_none_of_the_script() -> None:
    assert script_exception("java.lang.IllegalStateException: stopped") is None
    assert script_exception("Caused by: java.io.IOException: closed") is None
    assert script_exception("py4j.protocol.Py4JJavaError: An error occurred") is None
    assert script_exception("all is well") is None


def test_an_exception_below_frames_of_spark_alone_is_none_of_the_script() -> None:
    frames = (
        'Traceback (most recent call last):\n  File "/x/pyspark.zip/pyspark/worker.py", line 98, in main\n'
    )
    assert script_exception(f"{frames}EOFError") is None
    raised = script_exception(f'{frames}  File "/tmp/ships.py", line 10, in knots\nEOFError')
    assert raised is not None
    assert raised.file == "ships.py"
