"""The embedded endpoints: a small server on this machine that speaks Airbyte's and AWS's APIs and does the work.

A command (`client`) finds the server of its state folder or starts it. It gets addresses and the state folder's own
keys, and nothing else. The server (`server`) routes each call to one of the `services`. A Glue job runs in a process
of its own (`glue_worker`). All of them stand on `kernel`.
"""
