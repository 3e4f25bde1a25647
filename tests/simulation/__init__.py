"""Random campaigns with random people, faults and crashes over simulated weeks, on the real engine and PostgreSQL.

`python -m tests.simulation --runs N --seed S` (or `make simulate N=…`) runs many; one seed is one story, the same
whenever it is told. After every step the invariants of `invariants` are looked at; the first that is broken ends the
run with its seed and what happened until then.
"""
