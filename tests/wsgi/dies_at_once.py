"""An application whose workers die as soon as they are forked; each says so."""
import os
import time


def die():
    os.write(2, b'forked at %.3f\n' % time.monotonic())
    os._exit(3)


os.register_at_fork(after_in_child=die)


def application(environ, start_response):
    raise AssertionError('never called')
