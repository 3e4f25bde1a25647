"""The command `outrider`: what an operator types. Each command puts parts together and says clearly what went wrong.

`main` is the table of commands. `serve` and `demo` start the processes `web` and `engine`, which `processes` minds.
"""
