# SPDX-License-Identifier: MIT
"""What a test guest prints, and whether two runs of it say the same.

A guest prints `T name: result` lines, `B name figure` for measures, `I ` for information, `L ` for launches (borders.py reads them), and at last
`DONE passed=N failed=N`. Must not know how the runs were made.
"""
import re
import threading

import disks
from differences import SCENARIOS

CPU = "corei7_skylake_x"
SECONDS = 300


class Tally:
    """What was compared, over all tests of a run, and which emulator faults were met."""
    def __init__(self):
        self.lock = threading.Lock()
        self.scenarios = self.launches = self.differences = self.explained = self.not_offered = 0
        self.seen, self.needed, self.excused = set(), set(), set()

    def add(self, seen=(), launches=0, differences=0, explained=0, not_offered=0, needed=(), excused=()):
        with self.lock:
            self.scenarios += len(seen)
            self.seen |= set(seen)
            self.launches += launches
            self.differences += differences
            self.explained += explained
            self.not_offered += not_offered
            self.needed |= set(needed)
            self.excused |= set(excused)


TALLY = Tally()


def results(lines):
    """T lines by name, in order; a name that comes twice gets a number."""
    found = {}
    for line in lines:
        match = re.match(r"T ([^:]+): ?(.*)$", line)
        if match:
            name, n = match[1], 2
            while name in found:
                name, n = f"{match[1]}#{n}", n + 1
            found[name] = match[2]
    return found


def measures(lines):
    return {m[1]: m[2] for m in (re.match(r"B (\S+) (.+)$", line) for line in lines) if m}


def complaints(lines):
    """Names of the scenarios whose result was not what the guest knows to be right, as often as it was not."""
    return [m[1] for m in (re.match(r"I (\S+): expected: ", line) for line in lines) if m]


def ran(result, excused):
    """Complaints about the run itself, before any line is compared."""
    wrong = []
    done = next((m for m in (re.match(r"DONE passed=(\d+) failed=(\d+)", line) for line in result.lines) if m), None)
    every = complaints(result.lines)
    names = set(every)
    if result.end != "shutdown":
        wrong.append(f"the machine ended by {result}")
    if not done:
        wrong.append("there is no DONE line")
    elif int(done[2]) != len(every) or names - excused:
        wrong.append(f"{int(done[2]) - sum(name in excused for name in every)} scenarios went otherwise than the guest expects: "
                     + ", ".join(sorted(names - excused)))
    elif not int(done[1]) and not measures(result.lines):
        wrong.append("nothing was tried")
    if not any(line.startswith(("T ", "B ", "I ")) for line in result.lines):
        wrong.append("it printed no result")
    return wrong


def excuses(bare):
    """The emulator's faults that the bare machine has shown: (those on Testudo too, those only bare)."""
    met = [SCENARIOS[name] for name in set(complaints(bare.lines)) if name in SCENARIOS]
    return {fault.name for fault in met if fault.both}, {fault.name for fault in met if not fault.both}


def compare(report, bare, testudo, excused):
    """Every T line must be there in both runs, and say the same."""
    first, second = results(bare.lines), results(testudo.lines)
    differ = 0
    for name in list(first) + [n for n in second if n not in first]:
        if first.get(name) != second.get(name) and not (name.split("#")[0] in excused and name in second):
            differ += 1
            report.fail(f"bare \"{first.get(name, '(missing)')}\", on Testudo \"{second.get(name, '(missing)')}\"", name)
    if not differ and first:
        report.ok("same", f"{len(first)} results agree")
    TALLY.add(seen=first, differences=differ, excused=excused)


def judge(report, bare, testudo):
    """All of the above for the two runs of a guest, with the emulator's faults told as skipped."""
    both, mended = excuses(bare)
    for name in sorted(both | mended):
        report.skip(str(SCENARIOS[name]), name)
    for way, result, excused in (("bare", bare, both | mended), ("testudo", testudo, both)):
        report.judge(ran(result, excused), way, str(result))
    TALLY.add(needed=both | mended)
    # What went wrong on Testudo too must have gone wrong in the same way.
    compare(report, bare, testudo, mended | both - set(complaints(testudo.lines)))


class BareRuns:
    """A guest's run on the bare machine, made once however many tests compare with it."""
    def __init__(self):
        self.lock, self.locks, self.done = threading.Lock(), {}, {}

    def get(self, report, name, cpu=CPU, cpus=1, options=""):
        key = name, cpu, cpus, options
        with self.lock:
            mine = self.locks.setdefault(key, threading.Lock())
        with mine:
            if key not in self.done:
                self.done[key] = report.machine("bare", files=disks.guest(name, 0, options=options), cpu=cpu, cpus=cpus, seconds=SECONDS)
            return self.done[key]


BARE = BareRuns()
