"""A page for each thing that a WSGI server has to get right: GET /name calls the function of that name.

Each function is called as PEP 3333 requires. `checked` is the application with wsgiref.validate around it.
"""
import ctypes
import io
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from wsgiref.validate import validator

PLAIN = [('Content-Type', 'text/plain')]
IMPORTED_IN = os.getpid()


def say(text):
    os.write(2, text.encode() + b'\n')


# The environment that the application gets.

def environ(environ, start_response):
    start_response('200 OK', PLAIN)
    lines = [f'{name}={environ[name]!r}\n' for name in sorted(environ)]
    return [''.join(lines).encode('latin-1', 'backslashreplace')]


def process(environ, start_response):
    start_response('200 OK', PLAIN)
    with open('/proc/self/status', encoding='ascii') as status:
        lines = [f'pid {os.getpid()} parent {os.getppid()} group {os.getpgrp()} imported in {IMPORTED_IN}\n',
                 f'threads {threading.active_count()} argv {sys.argv} executable {sys.executable}\n',
                 f'descriptors {sorted(os.listdir("/proc/self/fd"))}\n',
                 f'SIGCHLD {signal.getsignal(signal.SIGCHLD)!r} SIGTERM {signal.getsignal(signal.SIGTERM)!r}\n',
                 f'stdin {os.readlink("/proc/self/fd/0")}\n', status.read()]
    return [''.join(lines).encode()]


def executes(environ, start_response):
    start_response('200 OK', PLAIN)
    return [subprocess.run(['ls', '-l', '/proc/self/fd'], close_fds=False, stdout=subprocess.PIPE, check=True).stdout]


# The request's body.

def echo(environ, start_response):
    start_response('200 OK', PLAIN)
    return [environ['wsgi.input'].read()]


def echo_blocks(environ, start_response):
    start_response('200 OK', PLAIN)
    return iter(lambda: environ['wsgi.input'].read(8192), b'')


def body_read(environ, start_response):
    file = environ['wsgi.input']
    parts = [file.read(3), file.readline(), file.readline(2), file.readline(), *file.readlines(1), *list(file),
             file.read(), file.read(10), file.readline()]
    start_response('200 OK', PLAIN)
    return [repr(parts).encode()]


def body_size(environ, start_response):
    size = 0
    while block := environ['wsgi.input'].read(65536):
        size += len(block)
    start_response('200 OK', PLAIN)
    return [b'%d %s\n' % (size, environ.get('CONTENT_LENGTH', 'none').encode())]


def body_first(environ, start_response):
    say('read ' + environ['wsgi.input'].read(2).decode())
    rest = environ['wsgi.input'].read()
    start_response('200 OK', PLAIN)
    return [rest]


def body_and_thread(environ, start_response):
    """Another thread runs while this one waits for the body."""
    def run():
        time.sleep(0.01)
        say('a thread runs')
    threading.Thread(target=run).start()
    return echo(environ, start_response)


def body_unread(environ, start_response):
    start_response('200 OK', PLAIN)
    return [b'unread\n']


def body_error(environ, start_response):
    try:
        environ['wsgi.input'].read()
    except OSError as error:
        say(f'read: {error}')
        raise
    raise AssertionError('all of the body came')


# The response.

def hello(environ, start_response):
    start_response('200 OK', PLAIN)
    return [b'Hello, World!\n']


def write(environ, start_response):
    out = start_response('200 OK', PLAIN)
    out(b'written ')
    out(b'')
    return [b'and ', b'', b'returned\n']


def generator(environ, start_response):
    start_response('200 OK', PLAIN)
    for number in range(3):
        yield b'part %d\n' % number


def late_start(environ, start_response):
    yield b''
    start_response('200 OK', PLAIN)
    yield b''
    yield b'late\n'


def no_length(environ, start_response):
    class Response:
        """As Django's: its [] is for header fields, and it has no len()."""

        def __iter__(self):
            return iter([b'Hello, ', b'World!\n'])

        def __getitem__(self, name):
            raise KeyError(name)

    start_response('200 OK', PLAIN)
    return Response()


def nothing(environ, start_response):
    start_response('200 OK', PLAIN)
    return []


def status(environ, start_response):
    start_response(environ['QUERY_STRING'].replace('+', ' '), PLAIN)
    return [b'a body\n']


def length(environ, start_response):
    declared, *blocks = environ['QUERY_STRING'].split('&')
    start_response('200 OK', PLAIN + [('Content-Length', declared)])
    try:
        for block in blocks:
            yield block.encode()
            say(f'sent {block}')
    finally:
        say('closed')


def length_write(environ, start_response):
    out = start_response('200 OK', PLAIN + [('Content-Length', '3')])
    for block in (b'abcd', b'abc', b'd'):
        try:
            out(block)
        except ValueError as error:
            say(f'write of {len(block)}: {error}')
    return []


def fields(environ, start_response):
    start_response('404 Not Here', PLAIN + [('Set-Cookie', 'a'), ('Set-Cookie', 'b'), ('X-Caf\xe9'[:5], '\xe9')])
    return [b'x']


def bad(environ, start_response):
    """Values that start_response or the server refuses, by the name in the query."""
    headers = {
        'status': ('200', PLAIN), 'reason': ('200 O\nK', PLAIN), 'early': ('100 Continue', PLAIN), 'bytes': (b'200 OK', PLAIN),
        'latin1': ('200 OK', [('X-A', '\u20ac')]), 'name_latin1': ('200 OK', [('X-\u20ac', 'a')]),
        'newline': ('200 OK', [('X-A', 'a\r\nX-B: b')]), 'name': ('200 OK', [('X A', 'a')]), 'pair': ('200 OK', [('X-A',)]),
        'list': ('200 OK', tuple(PLAIN)), 'chunked': ('200 OK', [('Transfer-Encoding', 'chunked')]),
        'hop': ('200 OK', [('Connection', 'keep-alive')]), 'lengths': ('200 OK', [('Content-Length', '1')] * 2),
        'number': ('200 OK', [('Content-Length', '-1')]),
    }
    kind = environ['QUERY_STRING']
    if kind in headers:
        start_response(*headers[kind])
    elif kind == 'twice':
        start_response('200 OK', PLAIN)
        start_response('200 OK', PLAIN)
    elif kind != 'never':
        start_response('200 OK', PLAIN)
    return {'str': ['text'], 'none': None, 'number_block': [7]}.get(kind, [b'a page\n'])


def exc_info(environ, start_response):
    start_response('200 OK', PLAIN + [('X-First', 'yes')])
    try:
        raise LookupError('on purpose')
    except LookupError:
        start_response('503 Sorry', PLAIN, sys.exc_info())
    return [b'sorry\n']


def exc_info_late(environ, start_response):
    start_response('200 OK', PLAIN)(b'begun\n')
    try:
        raise LookupError('on purpose')
    except LookupError:
        start_response('503 Sorry', PLAIN, sys.exc_info())
    return [b'sorry\n']


class Closing:
    """An iterable that says when it is closed."""

    def __init__(self, blocks):
        self.blocks = iter(blocks)

    def __iter__(self):
        return self

    def __next__(self):
        block = next(self.blocks)
        if isinstance(block, BaseException):
            raise block
        return block

    def close(self):
        say('closed')


def closing(environ, start_response):
    start_response('200 OK', PLAIN)
    kinds = {'whole': [b'page\n'], 'raises': [RuntimeError('on purpose')], 'late': [b'begun\n', RuntimeError('on purpose')],
             'text': ['text'], 'endless': iter(lambda: b'x' * 65536, b''), 'exit': [b'begun\n', SystemExit(0)]}
    return Closing(kinds[environ['QUERY_STRING']])


def closing_fails(environ, start_response):
    class Failing(Closing):
        def close(self):
            raise RuntimeError('close fails')
    start_response('200 OK', PLAIN)
    return Failing([b'page\n'])


def blocks(environ, start_response):
    """A block, and another one when a line comes from the pipe that the query names."""
    start_response('200 OK', PLAIN)
    yield b'first\n'
    say('the second is asked for')
    with open(environ['QUERY_STRING'], 'rb') as pipe:
        yield pipe.readline()


def slow(environ, start_response):
    """For the page of step_h: the server is stopped between the halves."""
    start_response('200 OK', PLAIN)
    yield b'first half\n'
    time.sleep(5)
    yield b'second half\n'


def file(environ, start_response):
    name, *more = environ['QUERY_STRING'].split('&')
    opened = open(name, 'rb')
    opened.seek(int(more[0]) if more else 0)
    start_response('200 OK', PLAIN + [('Content-Length', one) for one in more[1:]])
    return environ['wsgi.file_wrapper'](opened, 4096)


def file_like(environ, start_response):
    class Pages:
        def __init__(self):
            self.read = io.BytesIO(b'x' * 10000).read

        def close(self):
            say('closed')
    start_response('200 OK', PLAIN)
    return environ['wsgi.file_wrapper'](Pages())


def compressed(environ, start_response):
    import gzip
    packed = tempfile.TemporaryFile()
    packed.write(gzip.compress(b'unpacked\n'))
    packed.seek(0)
    start_response('200 OK', PLAIN)
    return environ['wsgi.file_wrapper'](gzip.GzipFile(fileobj=packed))


def download(environ, start_response):
    opened = tempfile.TemporaryFile()
    opened.truncate(int(environ['QUERY_STRING']))
    start_response('200 OK', PLAIN + [('Content-Length', environ['QUERY_STRING'])])
    return environ['wsgi.file_wrapper'](opened)


def download_blocks(environ, start_response):
    start_response('200 OK', PLAIN)
    return (b'x' * 65536 for _ in range(int(environ['QUERY_STRING']) // 65536))


# Failures.

def failing(environ, start_response):
    raise RuntimeError('on purpose')


def exiting(environ, start_response):
    sys.exit('leaving')


def crash(environ, start_response):
    kind = environ['QUERY_STRING']
    if kind.startswith('late'):
        start_response('200 OK', PLAIN)(b'begun\n')
    say(f'pid {os.getpid()}')
    {'abort': os.abort, 'exit': lambda: os._exit(7), 'segv': lambda: ctypes.string_at(0),
     'late_kill': lambda: os.kill(os.getpid(), 9)}[kind]()


def hang(environ, start_response):
    """Hangs in the way that the query names."""
    say(f'pid {os.getpid()}')
    how = environ['QUERY_STRING']
    if how.startswith('late'):
        start_response('200 OK', PLAIN)(b'begun\n')
    if how == 'sleep':
        time.sleep(600)
    if how == 'loop':
        while True:
            pass
    if how == 'c':  # holds the interpreter's lock
        ctypes.PyDLL(None).sleep(600)
    if how == 'lock':
        lock = threading.Lock()
        lock.acquire()
        lock.acquire()
    if how == 'handled':
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, lambda *_: None)
        while True:
            time.sleep(600)
    if how == 'blocked':
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        ctypes.PyDLL(None).sleep(600)
    if how == 'child':
        subprocess.run(['sh', '-c', 'echo child $$ >&2; exec sleep 600'])
    if how == 'late_child':
        time.sleep(600)
    if how == 'closing_whole':
        class SlowList(list):
            def close(self):
                time.sleep(600)
        start_response('200 OK', PLAIN)
        return SlowList([b'page\n'])
    if how == 'closing':
        class Slow(Closing):
            def close(self):
                time.sleep(600)
        start_response('200 OK', PLAIN)
        return Slow([b'page\n'])


def wait(environ, start_response):
    """Answers when a line comes from the pipe that the query names."""
    say(f'pid {os.getpid()} waits')
    with open(environ['QUERY_STRING'], 'rb') as pipe:
        line = pipe.readline()
    start_response('200 OK', PLAIN)
    return [line]


def signals(environ, start_response):
    """Waits for a signal, which is blocked meanwhile, so that no other thread takes it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    os.kill(os.getpid(), signal.SIGUSR1)
    signal.sigwait([signal.SIGUSR1])
    start_response('200 OK', PLAIN)
    return [b'signalled\n']


# Processes, threads and objects that a request leaves behind.

def forks(environ, start_response):
    pid = os.fork()
    if pid == 0:
        time.sleep(600)
        os._exit(0)
    say(f'pid {pid}')
    start_response('200 OK', PLAIN)
    return [b'forked\n']


def forks_late(environ, start_response):
    start_response('200 OK', PLAIN)(b'begun\n')
    forks(environ, lambda *_: None)
    raise RuntimeError('on purpose')


def returns_twice(environ, start_response):
    start_response('200 OK', PLAIN)
    pid = os.fork()
    if pid != 0:
        os.waitpid(pid, 0)
        return [b'parent\n']
    return []


def leaves_thread(environ, start_response):
    threading.Thread(target=time.sleep, args=(600,)).start()
    start_response('200 OK', PLAIN)
    return [b'threaded\n']


kept = []


def keeps(environ, start_response):
    """Keeps its input and start_response, and uses those of earlier requests."""
    faults = []
    for old_input, old_start in kept:
        faults.append(old_input.read())
        try:
            old_start('200 OK', PLAIN, (ValueError, ValueError('old'), None))
            old_start.write(b'old')
        except Exception as error:
            faults.append(type(error).__name__)
    kept.append((environ['wsgi.input'], start_response))
    start_response('200 OK', PLAIN)
    return [repr(faults).encode()]


def prints(environ, start_response):
    print('printed')
    environ['wsgi.errors'].write('said\n')
    start_response('200 OK', PLAIN)
    return [b'printed\n']


def application(environ, start_response):
    return globals()[environ['PATH_INFO'][1:]](environ, start_response)


checked = validator(application)
