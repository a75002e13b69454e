# SPDX-License-Identifier: MIT
"""What a person sees during a long run: lines as they come, and in between a sign of life.

On a terminal the sign is one line that is overwritten; in a log it is a line now and then. Must not touch what the lines say.
"""
import sys
import time

LOG_INTERVAL = 20


class Progress:
    def __init__(self):
        self.terminal = sys.stdout.isatty()
        self.shown = ""
        self.last = time.monotonic()

    def clear(self):
        if self.shown:
            sys.stdout.write("\r\x1b[K")
            self.shown = ""

    def line(self, text=""):
        if not text.startswith(self.shown):
            self.clear()
        print(text[len(self.shown):], flush=True)
        self.shown = ""
        self.last = time.monotonic()

    def status(self, text):
        if self.terminal:
            self.clear()
            sys.stdout.write(text[:100])
            sys.stdout.flush()
            self.shown = text
        elif time.monotonic() - self.last >= LOG_INTERVAL:
            self.line(text)

    def partial(self, text):
        """On a terminal: the beginning of a line, such as a prompt, as it grows."""
        if not text.startswith(self.shown):
            self.clear()
        sys.stdout.write(text[len(self.shown):])
        sys.stdout.flush()
        self.shown = text
