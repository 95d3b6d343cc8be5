"""WSGI without a framework: what the server makes of a request, and what it does when an application fails."""
import os
import sys
import tempfile
from wsgiref.validate import validator


def environ_of(environ, start_response):
    body = environ['wsgi.input'].read(int(environ.get('CONTENT_LENGTH') or 0))
    shown = [f'{name}={environ[name]}' for name in sorted(environ) if isinstance(environ[name], str)]
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [('\n'.join(shown) + '\n').encode('latin-1') + body]


def failing(environ, start_response):
    raise RuntimeError('on purpose')


def exiting(environ, start_response):
    sys.stderr.write('about to exit\n')
    os._exit(7)


def generator(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return (b'part %d\n' % i for i in range(3))


def download(environ, start_response):
    file = tempfile.TemporaryFile()
    file.truncate(int(environ['QUERY_STRING']))
    start_response('200 OK', [('Content-Type', 'application/octet-stream'),
                              ('Content-Length', environ['QUERY_STRING'])])
    return environ['wsgi.file_wrapper'](file)


application = validator(environ_of)
