"""Serves one request to a WSGI application (PEP 3333), as a CGI script: python3 wsgi.py MODULE:CALLABLE

MODULE is looked for in the current folder, beside this file, and where Python finds modules.
"""
import importlib
import os
import sys
from wsgiref.handlers import CGIHandler

if len(sys.argv) != 2 or ':' not in sys.argv[1]:
    sys.exit('usage: wsgi.py MODULE:CALLABLE')
module, _, name = sys.argv[1].partition(':')
sys.path.insert(0, os.getcwd())
CGIHandler().run(getattr(importlib.import_module(module), name))
