"""``python -m fastkmeans``: see ``_cli``."""

from ._cli.arguments import main
from ._cli.console import exit_with

if __name__ == "__main__":
    exit_with(main)
