# SPDX-License-Identifier: MIT
"""Linux as L1 with its guests, bare and on Testudo, and what its boot costs."""
import re

import disks

SECONDS = 900
OVERHEAD_LIMIT = 1.0	# per cent, of instructions from reset to userspace

WANTED = (
    ("L1's userspace", r"^L1 userspace: Linux version "),
    ("the tiny guest", r"^tiny L2: cpuid \d+, io \d+, mmio \d+: ok$"),
    ("L2's userspace", r"^L2 userspace: Linux version "),
    ("L2's own end", r"^vmm: linux guest: ended by itself"),
    ("the verdict", r"^VERDICT: PASS$"),
)


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
