"""The table of commands."""

import sys
from collections.abc import Iterable
from importlib import import_module

import typer

COMMANDS = {
    "serve": "serve:serve",
    "demo": "demo:demo",
    "sandbox": "sandbox:sandbox",
    "account": "accounts:account",
    "user": "accounts:user",
    "key": "accounts:key",
    "forecast": "forecast:forecast",
    "classifier": "classifier:classifier",
    "migrate": "migrate:migrate",
    "doctor": "doctor:doctor",
    "docs": "docs:docs",
}
"""Where each is: the module in this package, and in it a function, or a group with commands of its own."""


def main() -> None:
    """Import only what the command needs: a server is ready a second earlier, a look at the keys costs less memory."""
    name = next(iter(sys.argv[1:]), "")
    make_app([name] if name in COMMANDS else COMMANDS)()


def make_app(names: Iterable[str] = COMMANDS) -> typer.Typer:
    app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)

    @app.callback()
    def outrider() -> None:
        """Outrider: self-hosted cold outreach with a Smartlead-compatible API."""

    for name in names:
        module, _, attribute = COMMANDS[name].partition(":")
        command = getattr(import_module(f"outrider.cli.{module}"), attribute)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app
