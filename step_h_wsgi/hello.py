"""The smallest WSGI application: ./step_h step_h_wsgi.hello:application"""


def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'Hello, World!\n']
