"""Effects of an import that must not disturb the workers."""
import atexit
import os
import signal
import threading
import time

print('imported')
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
signal.signal(signal.SIGTERM, lambda *_: os.write(2, b'a handler of the import\n'))
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGTERM, signal.SIGCHLD])
threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
atexit.register(lambda: os.write(2, b'exit function of the import, in pid %d\n' % os.getpid()))


def application(environ, start_response):
    atexit.register(lambda: os.write(2, b'exit function of a request, in pid %d\n' % os.getpid()))
    from pages import process
    return process(environ, start_response)
