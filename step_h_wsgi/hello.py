"""The smallest WSGI application: ./step_h python3 step_h_wsgi/wsgi.py hello:application"""


def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'Hello, World!\n']
