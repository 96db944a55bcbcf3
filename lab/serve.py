"""Serves a WSGI application of a service: `serve.py MODULE PORT`.

Services read the arguments of the program that they are loaded into, so these are taken away before one is.
"""

import importlib
import sys

import waitress

module, port = sys.argv[1:]
del sys.argv[1:]
waitress.serve(importlib.import_module(module).application, listen=f"127.0.0.1:{port}", threads=6)
