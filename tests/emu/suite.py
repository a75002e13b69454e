# SPDX-License-Identifier: MIT
"""The test suite's frame: named tests, run a few at a time, one verdict line each.

A test is a function that gets a Report and calls ok, fail or skip on it at least once; one that says nothing has failed. Lines are
`ok NAME`, `FAIL NAME: why` and `SKIP NAME: why`, and the last one is `N passed, N failed`, with `, N skipped` where there are any.
Must not know what is tested: the suite_*.py files beside it do.
"""
import fnmatch
import os
import re
import signal
import subprocess
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

import machine
from progress import Progress

LOGS = machine.ROOT / "build" / "logs"
STOP = threading.Event()


class Report:
    """What one test has to say, under its name or names below it."""
    def __init__(self, name, suite):
        self.name, self.suite = name, suite
        self.said = 0
        self.log = LOGS / (name.replace("/", "-") + ".log")

    def _say(self, word, below, why):
        name = self.name + (f"/{below}" if below else "")
        self.said += 1
        self.suite.verdict(word, name, why)

    def ok(self, below="", why=""):
        self._say("ok", below, why)

    def fail(self, why, below=""):
        self._say("FAIL", below, why)

    def skip(self, why, below=""):
        self._say("SKIP", below, why)

    def note(self, text):
        self.suite.note(f"     {text}")

    def reached(self, text):
        """How far the test is, for the sign of life."""
        self.suite.reached[self.name] = text

    def judge(self, wrong, below="", good=""):
        """Passes when the list of complaints is empty."""
        if wrong:
            self.fail("; ".join(wrong), below)
        else:
            self.ok(below, good)

    def machine(self, part="", **options):
        """Runs a machine with its serial log kept beside the other logs; returns the Result."""
        base = str(self.log)[:-4] + (f"-{part}" if part else "")
        if options.pop("two_ports", False):
            options["log2"] = base + "-com2.log"
        options = machine.Options(log=base + ".log", emulator_log=base + ".emulator.log", stop=STOP, **options)
        return machine.run(options)

    def command(self, command, seconds, **environment):
        """Runs a program with its output in the log; returns its status and its output."""
        LOGS.mkdir(parents=True, exist_ok=True)
        with open(self.log, "w+", encoding="utf-8", errors="replace") as log:
            process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                       cwd=machine.ROOT, env={**os.environ, **environment}, start_new_session=True)
            end = time.monotonic() + seconds
            while process.poll() is None and time.monotonic() < end and not STOP.is_set():
                time.sleep(0.05)
            late = process.poll() is None
            if late:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            log.seek(0)
            output = log.read()
        return ("time limit" if late else process.returncode), output


class Suite:
    """The tests in their order, and the count of their verdicts."""
    def __init__(self):
        self.tests = []
        self.counts = {"ok": 0, "FAIL": 0, "SKIP": 0}
        self.failed = []
        self.running, self.reached = {}, {}
        self.lock = threading.Lock()
        self.progress = Progress()

    def add(self, name, function):
        self.tests.append((name, function))

    def verdict(self, word, name, why):
        with self.lock:
            self.counts[word] += 1
            if word == "FAIL":
                self.failed.append(name)
            self.progress.line(f"{word} {name}" + (f": {why}" if why else ""))

    def note(self, text):
        with self.lock:
            self.progress.line(text)

    def run_one(self, name, function):
        if STOP.is_set():
            return
        report = Report(name, self)
        self.running[name] = time.monotonic()
        try:
            function(report)
            if not report.said:
                report.fail("the test came to no verdict")
        except Exception:  # pylint: disable=broad-except  (a broken test is a failed test, and the others go on)
            if not STOP.is_set():
                report.fail("the test itself broke: " + " | ".join(traceback.format_exc().strip().splitlines()[-3:]))
        finally:
            self.running.pop(name, None)
            self.reached.pop(name, None)

    def run(self, patterns, jobs, summary=lambda: []):
        """Runs what matches; returns the exit status. `summary` gives lines to be printed before the count of verdicts."""
        chosen = [(n, f) for n, f in self.tests
                  if not patterns or any(fnmatch.fnmatch(n, p) or re.match(re.escape(p) + "(/|$)", n) for p in patterns)]
        if not chosen:
            print("no test has such a name")
            return 2
        begin = time.monotonic()
        with ThreadPoolExecutor(jobs) as pool:
            futures = [pool.submit(self.run_one, name, function) for name, function in chosen]
            try:
                while not all(future.done() for future in futures):
                    time.sleep(0.5)
                    now = time.monotonic()
                    with self.lock:
                        self.progress.status(f"... {int(now - begin)} s: " + ", ".join(
                            f"{name} ({int(now - since)} s{self.reached.get(name, '')})" for name, since in list(self.running.items())))
            except KeyboardInterrupt:
                STOP.set()
                self.note("interrupted: ending what runs")
        self.progress.clear()
        for name in self.failed:
            print(f"failed: {name}")
        print(f"logs are in {LOGS.relative_to(machine.ROOT)}; {int(time.monotonic() - begin)} s")
        print("".join(f"{line}\n" for line in summary()), end="")
        skipped = f", {self.counts['SKIP']} skipped" if self.counts["SKIP"] else ""
        print(f"{self.counts['ok']} passed, {self.counts['FAIL']} failed{skipped}", flush=True)
        if STOP.is_set():
            return 130
        return 1 if self.counts["FAIL"] or not self.counts["ok"] else 0
