"""`python -m idp`: the same as the `idp` command, with the working directory importable (the demo's examples)."""

from idp.cli import main

main()
