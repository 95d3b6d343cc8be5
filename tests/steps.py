"""How each step is started, for what starts all of them."""

import os

LETTERS = "abcdefgh"
RUN = os.environ.get("RUN", "./")  # where the programs are


def command_of(letter):
    """step_h takes an application."""
    return [f"{RUN}step_{letter}"] + (["step_h_wsgi.hello:application"] if letter == "h" else [])
