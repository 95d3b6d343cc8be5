"""Reads the files that students and their programs have made: regular ones, of a bounded size, and never through a link."""

import contextlib
import os
import stat
from pathlib import PurePath


class Refused(Exception):
    """There is nothing to check, and why."""


def open_regular(folder, path):
    """Opens the file `path` of `folder` for reading. Raises OSError, also where a part of `path` is a symbolic link."""
    *names, last = PurePath(path).parts
    with contextlib.ExitStack() as opened:
        at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        opened.callback(os.close, at)
        for name in names:
            at = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
            opened.callback(os.close, at)
        return os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=at)  # a FIFO would make us wait


def read_bounded(folder, path, most):
    try:
        with open(open_regular(folder, path), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise Refused(f"{path} is no regular file")
            content = file.read(most + 1)
    except FileNotFoundError:
        raise Refused(f"{path} is not there") from None
    except OSError as error:
        raise Refused(f"{path} cannot be taken: {error.strerror}") from None
    if len(content) > most:
        raise Refused(f"{path} is larger than {most} bytes")
    return content
