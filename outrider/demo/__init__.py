"""One realistic workspace, made through the public API, and the figures that tell whether all of it worked.

Uses nothing of the product but its HTTP API: what works here works for any integration. The mail world is `sandbox`;
the command `outrider demo` (cli) starts the processes around it.
"""
