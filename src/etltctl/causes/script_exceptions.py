"""Exceptions that a job's script raised: their class, their message, and the line of the script."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

# Python names the class at the end of a traceback, Glue at the head of its reason or after the line's number.
RAISED = re.compile(
    r"(?:^|; |FAILED - )[ \t]*(?:[\w.]+\.)?"
    r"(?P<name>Exception|[A-Z]\w{0,80}(?:Error|Exception|Exit|Interrupt|Iteration|Group))"
    r"(?:: (?P<message>[^\n]*)|, [\w.-]+\.py:\d+\b[^\n]*)?$",
    re.MULTILINE,
)
FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+)')
FAILED_LINE = re.compile(r"Failed Line Number: (?P<line>\d+)")
AT_LINE = re.compile(r"(?P<file>[\w.-]+\.py):(?P<line>\d+)\b")
# Frames of Python, Spark and Glue, below or above those of the script.
NOT_THE_SCRIPT = re.compile(
    r"site-packages|/(?:pyspark|py4j|awsglue)/|<frozen|<string>|runpy\.py|runscript\.py|/lib/python\d|run_script\.py"
    r"|spark-core|PyGlue"
)
# Classes in which Spark and the SDK wrap what went wrong elsewhere: none of them is an exception of the script.
WRAPPERS = frozenset({
    "Py4JJavaError", "Py4JError", "Py4JNetworkError", "AnalysisException", "SparkException", "PythonException",
    "QueryExecutionException", "StreamingQueryException", "IllegalArgumentException", "ParseException", "ClientError",
    "BotoCoreError", "SparkRuntimeException", "CapturedException", "GlueException", "InvocationTargetException",
    "CalledProcessError", "EndpointConnectionError", "PySparkRuntimeError",
})  # fmt: skip
# The system and the clients of a service raise these for what lies outside of the script, unless a frame is of it.
OUTSIDE = frozenset(
    {"OSError", "IOError", "EnvironmentError", "ConnectionError", "TimeoutError", "HTTPClientError"}
)
OF_CLIENT = re.compile(
    r"\b(?:pyarrow|pyiceberg|deltalake|_internal|pymongo|psycopg2?|pymysql|redshift_connector|requests|urllib3)\.[\w.]*$"
)
# A traceback of Spark's own files alone is one of the machinery: the code of the script was not reached.
OF_SPARK = re.compile(r"\bpyspark(?:\.zip)?/|\bpy4j-[^/]*/")
# Python's own classes end with Error: a class that ends with Exception is one of Java, unless a traceback leads to it.
LIKE_JAVA = re.compile(r"\w+Exception$")
OF_PYTHON = re.compile(r"Traceback \(most recent call last\)|File \"|\.py\b|Failed Line Number")
OF_JAVA = re.compile(r"\b(?:java|javax|org|com|scala|io|software|sun|py4j|net)\.[\w.$]*$")
# A class of an exception that says what went wrong, as opposed to one that wraps another.
EXCEPTION = re.compile(r"\b(?P<name>[A-Z]\w{2,80}(?:Error|Exception))\b")
SAYS_NOTHING = WRAPPERS | {
    "RuntimeException",
    "ExecutionException",
    "IOException",
    "RuntimeError",
    "SourceException",
}


@dataclass(frozen=True)
class ScriptException:
    """An exception of a script. What is not known is empty or 0.

    `position` and `frame_at` are the places of its name and of its frame in the text; -1 if there is no frame.
    """

    name: str
    message: str
    file: str
    line: int
    position: int
    frame_at: int = -1

    @property
    def sentence(self) -> str:
        """What happened, in one sentence."""
        message = f" ({self.message})" if self.message else ""
        if not self.line:
            return f"The script raised {self.name}{message}."
        place = f"{self.file}:{self.line}" if self.file else f"line {self.line} of the script"
        return f"The script raised {self.name}{message} at {place}."


def script_exception(text: str) -> ScriptException | None:
    """Return the last exception of the script in a text; None if it has none."""
    raised = [each for each in RAISED.finditer(text) if _is_of_script(each, text)]
    if not raised:
        return None
    last = raised[-1]
    file, line, frame_at = _place(text[: last.start()] or text, text)
    message = (last["message"] or "").strip()[:200]
    return ScriptException(last["name"], message, file, line, last.start("name"), frame_at)


def names_exception(text: str) -> bool:
    """Return whether a text names the class of an exception that says what went wrong."""
    return any(match["name"] not in SAYS_NOTHING for match in EXCEPTION.finditer(text))


def _is_of_script(raised: re.Match[str], text: str) -> bool:
    start = text.rfind("\n", 0, raised.start("name")) + 1
    before = text[start : raised.start("name")]
    is_java = OF_JAVA.search(before) or re.search(r"^\s*(?:at |Caused by)", before)
    files = [frame["file"] for frame in FRAME.finditer(text)]
    leads_to_script = any(not NOT_THE_SCRIPT.search(file) for file in files)
    is_of_spark = bool(files) and all(OF_SPARK.search(file) for file in files)
    is_outside = not leads_to_script and (raised["name"] in OUTSIDE or OF_CLIENT.search(before))
    seems_java = LIKE_JAVA.match(raised["name"]) and not OF_PYTHON.search(text)
    return raised["name"] not in WRAPPERS and not (is_java or is_outside or is_of_spark or seems_java)


def _place(before: str, text: str) -> tuple[str, int, int]:
    """Return file, line and place of the innermost frame of the script, else the line that Glue names."""
    frames = [frame for frame in FRAME.finditer(before) if not NOT_THE_SCRIPT.search(frame["file"])]
    if frames:
        return PurePosixPath(frames[-1]["file"]).name, int(frames[-1]["line"]), frames[-1].start()
    if at := AT_LINE.search(text):
        return at["file"], int(at["line"]), -1
    failed = FAILED_LINE.search(text)
    return "", int(failed["line"]) if failed else 0, -1
