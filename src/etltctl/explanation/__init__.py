"""The explanation of a failed run: cause, evidence, state of the data, cost, and the next command.

Everything comes from the events of the runs, which keep the cause and an excerpt of the log. The only service that is
called is the S3 of `state`, if the records are kept there.
"""

from etltctl.explanation.code_page import code_document, code_text
from etltctl.explanation.failed_step import FailedStep
from etltctl.explanation.model import BrokenRule, Ender, Explanation, TableState
from etltctl.explanation.report import broken_rule, explain, explanation_of
from etltctl.explanation.text import cost_line, data_safety, document, place_of, text_of

__all__ = [
    "BrokenRule",
    "Ender",
    "Explanation",
    "FailedStep",
    "TableState",
    "broken_rule",
    "code_document",
    "code_text",
    "cost_line",
    "data_safety",
    "document",
    "explain",
    "explanation_of",
    "place_of",
    "text_of",
]
