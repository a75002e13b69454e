# SPDX-License-Identifier: MIT
"""Linux as L1 with its guests, bare and on Testudo, and what its boot costs."""
import re

import disks

SECONDS = 900
OVERHEAD_LIMIT = 0.5	# per cent, of instructions from reset to userspace

WANTED = (
    ("L1's userspace", r"^L1 userspace: Linux version "),
    ("the tiny guest", r"^tiny L2: cpuid \d+, io \d+, mmio \d+: ok$"),
    ("L2's userspace", r"^L2 userspace: Linux version "),
    ("L2's own end", r"^vmm: linux guest: ended by itself"),
    ("the verdict", r"^VERDICT: PASS$"),
)


# What L1's processors and its guests have to say on more than one processor, and what may differ between two runs.
SEVERAL = re.compile(r"L1 userspace: \d|L1: (work|NMIs|kernel)|L1: \d of|tiny L2: |L2 userspace: \d|L2: (work|kernel)|VERDICT")
VARIES = re.compile(r"(?<=kernel log of )\d+")


def missing(lines, wanted):
    return [f"missing: {what}" for what, pattern in wanted if not any(re.search(pattern, line) for line in lines)]


def ticks(lines, name):
    return next((int(m[1]) for m in (re.match(rf"TICKS {name} (\d+)$", line) for line in lines) if m), 0)


def boot(testudo):
    def test(report):
        result = report.machine(files=disks.linux(testudo), memory=768, seconds=SECONDS)
        wanted = WANTED + ((("Testudo's CPUID leaves", r"^L0: Testudo "),) if testudo else ())
        wrong = missing(result.lines, wanted) + ([] if result.end == "shutdown" else [f"the machine ended by {result}"])
        report.judge(wrong, good=str(result))
        for line in result.lines:
            if re.match(r"L0: (exits|VMCS|VM|EPT)", line):
                report.note(line)
    return test


def several_wanted(cpus, vcpus):
    """All that must be seen; the numbers are those of processors, and of NMIs: 2 from each to each other."""
    nmis = 2 * (cpus - 1)
    wanted = [
        ("all processors in L1", rf"^L1 userspace: {cpus} processors$"),
        ("work on all processors", rf"^L1: work on {cpus} processors: ok$"),
        ("processors off and on", rf"^L1: {cpus - 1} of {cpus} processors went offline and online 2 times: ok$"),
        ("tiny guests on all processors", rf"^tiny L2: {cpus} guests on {cpus} processors at once, \d+ rounds, moved after each: ok$"),
        ("tiny guests through hotplug", rf"^tiny L2: {cpus} guests through NMIs and processors off and on: ok$"),
        ("all NMIs, once", rf"^L1: NMIs sent to each processor {nmis}, came( {nmis}){{{cpus}}}: ok$"),
        ("a clean kernel log", r"^L1: kernel log of \d+ lines: ok$"),
    ]
    if vcpus:
        wanted += [("all processors in L2", rf"^L2 userspace: {vcpus} processors$"),
                   ("work on them", rf"^L2: work on {vcpus} processors: ok$"),
                   ("L2's clean kernel log", r"^L2: kernel log of \d+ lines: ok$")]
    return tuple(wanted) + tuple(row for row in WANTED if vcpus or "L2's" not in row[0])


def several(report, way, cpus, vcpus, extra=""):
    """One run; returns the lines that have to be the same the other way."""
    result = report.machine(way, files=disks.linux_several(way == "testudo", extra), cpus=cpus, memory=768, seconds=2 * SECONDS)
    wrong = missing(result.lines, several_wanted(cpus, vcpus))
    if way == "testudo":
        wrong += missing(result.lines, [("Testudo on all processors", rf"^L0: Testudo .* on {cpus} processors$")])
    if result.end != "shutdown":
        wrong.append(f"the machine ended by {result}")
    report.judge(wrong, way, str(result))
    for line in result.lines:
        if re.match(r"L[12]: (interrupts|NMIs)|L0: exits", line):
            report.note(line)
    return [VARIES.sub("N", line) for line in result.lines if SEVERAL.match(line)]


def processors(cpus):
    """L2 has two processors of its own; bare and on Testudo all must tell the same."""
    def test(report):
        bare, testudo = (several(report, way, cpus, vcpus=2) for way in ("bare", "testudo"))
        differ = [f"bare only: {line}" for line in bare if line not in testudo]
        differ += [f"Testudo only: {line}" for line in testudo if line not in bare]
        report.judge(differ or ["the order of lines differs"] if bare != testudo else [], "compared", f"{len(bare)} lines")
    return test


def two_vcpus(report):
    """Two vCPUs of L2 take turns on one processor: their VMCSs too, and here with EPT."""
    result = report.machine(files=disks.linux(True, "l1.only=linux l1.vcpus=2"), memory=768, seconds=SECONDS)
    wanted = [row for row in several_wanted(1, 2) if row[0].startswith(("all processors in", "work on them", "L2's", "the verdict"))]
    report.judge(missing(result.lines, wanted) + ([] if result.end == "shutdown" else [f"the machine ended by {result}"]), good=str(result))


def three_levels(report):
    """Linux/KVM on Testudo runs Linux/KVM as its guest, and that one a guest whose CPUID it answers; L0's counters are told through all of them."""
    result = report.machine(files=disks.linux_rounds(True, "inner", 1), memory=768, seconds=SECONDS)
    wrong = missing(result.lines, [("the innermost guest's figure", r"^B inner \d+"), ("L0's exits for it", r"^B inner\.l0_exits \d+"),
                                   ("the end of the Linux that is L2", r"^vmm: linux guest: ended by itself"), ("Testudo", r"^L0: Testudo ")])
    wrong += [] if result.lines.count("VERDICT: PASS") == 2 else ["not both Linuxes are content"]
    report.judge(wrong + ([] if result.end == "shutdown" else [f"the machine ended by {result}"]), good=str(result))


def overhead(report):
    """Boot alone, Testudo's console quiet: its serial lines would be counted as instructions of the UART's slowness."""
    counts = {}
    for way in ("bare", "testudo"):
        result = report.machine(way, files=disks.linux(way == "testudo", "l1.only=boot", ["log = quiet"]), memory=768, seconds=SECONDS)
        counts[way] = ticks(result.lines, "userspace")
        if not counts[way]:
            report.fail(f"{way}: Linux did not come to its userspace: {result}")
            return
    cost = 100 * (counts["testudo"] / counts["bare"] - 1)
    text = f"{counts['bare']:,} instructions bare, {counts['testudo']:,} on Testudo: {cost:+.2f} %"
    report.judge([f"{text}, more than {OVERHEAD_LIMIT} %"] if cost > OVERHEAD_LIMIT else [], good=text)


def add(suite):
    suite.add("linux/bare", boot(False))
    suite.add("linux/testudo", boot(True))
    suite.add("linux/overhead", overhead)
    suite.add("linux/two-vcpus", two_vcpus)
    suite.add("linux/three-levels", three_levels)
    suite.add("linux/two-processors", processors(2))
    suite.add("linux/four-processors", processors(4))
