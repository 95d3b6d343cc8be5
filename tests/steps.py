"""How each step is started, for what starts all of them."""

LETTERS = "abcdefgh"


def command_of(letter):
    """step_h takes an application."""
    return [f"./step_{letter}"] + (["step_h_wsgi.hello:application"] if letter == "h" else [])
