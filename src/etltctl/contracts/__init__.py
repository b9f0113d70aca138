"""Schema drift: what the files say against what the table promises."""

from etltctl.contracts.book import Contract, ContractBook
from etltctl.contracts.judging import Change, Judgement, Policy, Verdict, judge

__all__ = ["Change", "Contract", "ContractBook", "Judgement", "Policy", "Verdict", "judge"]
