"""A Flask application, with which the check of exercise 12 tries the server."""

import os
import random
import subprocess

from flask import Flask, request

application = Flask(__name__)
application.config["PROPAGATE_EXCEPTIONS"] = True  # to the server, which has to answer then


@application.get("/error")
def error():
    raise RuntimeError("for the check: the server answers with 500")


@application.get("/hello")
def hello():
    return f"Hello, {request.args['name']}!\n"


@application.post("/form")
def form():
    return f"{request.form['a']} {len(request.form['b'])}\n"


@application.get("/random")
def random_number():
    """Two clients must not get the same: a session's key may be made of it."""
    return f"{random.getrandbits(64)}\n"


@application.get("/program")
def program():
    """Whether the application learns how a program that it has started has ended."""
    with subprocess.Popen(["false"]) as false:
        try:  # it is a zombie now, unless somebody else has reaped it
            os.waitid(os.P_PID, false.pid, os.WEXITED | os.WNOWAIT)
        except ChildProcessError:
            pass
    return f"{false.returncode}\n"
