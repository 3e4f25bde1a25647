"""The command `outrider`: what an operator types. Each command puts parts together and says clearly what went wrong."""

from outrider.cli.main import app

__all__ = ["app"]
