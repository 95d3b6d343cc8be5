#!/bin/sh
# The smallest CGI application: ./step_h ./step_h_wsgi/hello.sh
printf 'Content-Type: text/plain\n\nHello, World!\n'
