"""What is measured, against what, in one run (design: budgets as ratios).

`python -m benchmarks` (`make bench`) runs them all. Every benchmark starts the product as an operator does, with its
own PostgreSQL and its default settings, and measures a yardstick beside it: only the ratio of the two says anything on
another machine.
"""
