# SPDX-License-Identifier: MIT
"""The benchmark's tools, and its guest where L1's VMREAD and VMWRITE all exit, and with Linux/KVM as L0. That each row is there bare and on
Testudo is `guests/bench`'s business; no test fails because of a figure."""
import re
import sys

import bench_checks
import disks
from results import BARE, CPU, SECONDS, judge, measures, ran
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


def on_kvm(report):
    """All scenarios have to go as the guest expects, and KVM's count of exits must be right where it cannot be otherwise."""
    result = report.machine(files=disks.guest_on_kvm("bench"), cpu=CPU, memory=768, seconds=2 * SECONDS)
    wrong = ran(result, frozenset())
    if not any(line == "VERDICT: PASS" for line in result.lines):
        wrong.append("the VMM failed")
    report.judge(wrong, "guest", str(result))
    # No timer's exit can hide the one of each CPUID; that KVM has exits of its own in between is no fault.
    exits = measures(result.lines).get("l1_cpuid.l0_exits")
    report.judge([] if exits and 1 <= float(exits) < 1.5 else [f"{exits} exits of KVM for one CPUID of L1"], "exits", f"{exits} exits for a CPUID of L1")
    bench_checks.check(report, {"kvm": result.lines})


def profile(report):
    """One L2 CPUID: two entries by L0, in functions that the tool knows by name."""
    status, output = report.command(["tools/profile", "--guest", "bench", "--from", "B l1_cpuid.l0_vmclears", "--line", "B l2_cpuid.l0_exits",
                                     "--exits", "2"], SECONDS)
    rows = dict(re.findall(r"^\| (\w+) \| ([\d,.]+) \|", output, re.M))
    report.judge([] if status == 0 and rows.get("vmresume") == "2.0" and float(rows.get("quick_leave", 0)) > 0 else
                 [f"status {status}; see {report.log}"], good=f"{rows.get('vmread')} VMREADs, {rows.get('vmwrite')} VMWRITEs in a round")


def add(suite):
    suite.add("bench/tool", tool)
    suite.add("bench/profile", profile)
    suite.add("bench/without-shadowing", without_shadowing)
    suite.add("bench/kvm", on_kvm)
