# SPDX-License-Identifier: MIT
"""The benchmark's tools, and its guest where L1's VMREAD and VMWRITE all exit. That each row is there is `guests/bench`'s business; no test
fails because of a figure."""
import re
import sys

import bench_checks
import disks
from results import BARE, CPU, SECONDS, judge
from suite_guests import check_shadowing


def tool(report):
    status, output = report.command([sys.executable, "tests/emu/test_bench.py"], 60)
    count = re.search(r"^Ran (\d+) tests", output, re.M)
    if status == 0 and count and int(count[1]) > 0:
        report.ok(why=f"{count[1]} cases")
    else:
        report.fail(", ".join(re.findall(r"^(?:FAIL|ERROR): (\w+)", output, re.M)) or f"status {status}; see {report.log}")


def without_shadowing(report):
    bare = BARE.get(report, "bench")
    result = report.machine("testudo", files=disks.guest("bench", 1, ["log = debug", "shadowing = off"]), cpu=CPU, seconds=SECONDS)
    check_shadowing(report, result.lines, "software")
    judge(report, bare, result)
    bench_checks.check(report, {"testudo": result.lines})


def add(suite):
    suite.add("bench/tool", tool)
    suite.add("bench/without-shadowing", without_shadowing)
