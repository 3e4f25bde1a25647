"""`python -m outrider.cli`: the same as the command `outrider`."""

from outrider.cli.main import main

main()
