"""Counts that the tests measure, as tables of the reference page."""

from __future__ import annotations


def sql_table() -> str:
    """Answer the corpus of Athena's SQL, and return its verdicts by area."""
    from support.athena_corpus import measured_table

    return measured_table()


def clients_table() -> str:
    """Collect the tests of the clients, and return what each client does and what is refused to it."""
    from support.client_checks import collected_table

    return collected_table()
