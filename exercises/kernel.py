"""What the exercises ask that diagnose does not: of the kernel itself, and of what a server has printed.

Each function takes the repository and the server's command and returns an answer, "yes" or "no", and its evidence.
"""

PROBES = {}
