"""Somebody presses Ctrl-C while the application is imported."""
import os
import time

SIGINT = 2
os.kill(os.getpid(), SIGINT)
time.sleep(600)
