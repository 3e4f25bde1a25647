"""The sending engine: who gets which mail when, from which mailbox, and what becomes of it.

`planner` decides (gates, limits, rotation), `outbound` does (render, compose, submit, record), `inbound` reads what
comes back, `worker` runs them all for the mailboxes that this process has leased. It owns no table: it reads with its
own `store` and writes through the slices. No decision reads a clock: `now` is an argument everywhere.
"""
