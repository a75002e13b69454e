# SPDX-License-Identifier: MIT
"""The multiprocessor guests, bare and on Testudo, with 1, 2 and 4 processors; `hyper`, which uses one, on a machine of two; and the soak.

`smp` has hypervisors on all processors, `storm` bombards them and prints what was sent and taken, which must agree. `make soak` runs both and `races`
on Testudo again and again, with another seed and another number of instructions in a turn each time (tests/soak).
"""
import random
import re

import disks
from results import CPU, ran, results
from suite_guests import guest

GUESTS = ("smp", "storm")
SOAKED = GUESTS + ("races",)
PROCESSORS = (1, 2, 4)
SECONDS = 300
ABORTS = 8
COUNTED = re.compile(r"I (storm\.(?:nmi|nmi_self|interrupts)) .*(mode=\w+) sent=(\d+) taken=(\d+)")


def processors(lines, cpus):
    """All processors of the machine must have been found."""
    return [] if f"I processors: {cpus} of {cpus}" in lines else [f"the guest did not find {cpus} processors"]


def counts(lines, wanted):
    """Sent and taken, from the lines themselves: the guest's own word is not enough."""
    found = [m for m in map(COUNTED.match, lines) if m]
    wrong = [f"{m[1]} {m[2]} sent {m[3]}, taken {m[4]}" for m in found if m[3] != m[4] or not int(m[3])]
    return wrong + ([] if found or not wanted else ["it counted nothing"])


def totals(lines):
    """Sent and taken by kind and mode, over all processors and both modes of the APIC."""
    sums = {}
    for m in map(COUNTED.match, lines):
        if m:
            sent, taken = sums.get((m[1], m[2]), (0, 0))
            sums[m[1], m[2]] = sent + int(m[3]), taken + int(m[4])
    return sums


def smp(name, cpus):
    compared = guest(name, cpus=cpus)

    def judge(report, way, result):
        wrong = processors(result.lines, cpus) + counts(result.lines, name == "storm")
        sums = totals(result.lines)
        total = sum(taken for _, taken in sums.values())
        report.judge(wrong, f"{way}-counts", f"{total} events sent and taken" if total else f"{cpus} of {cpus} processors")
        return sums

    def test(report):
        for way, result in compared(report).items():
            sums = judge(report, way, result)
        for (kind, mode), (sent, taken) in sums.items():
            report.note(f"{kind + ' ' + mode:40} sent {sent:6}   taken {taken:6}")
    return test


def two_levels(report):
    """Testudo on Testudo on two processors: what `smp` runs is then L3."""
    result = report.machine(files=disks.guest("smp", 2), cpu=CPU, cpus=2, seconds=SECONDS)
    launches = sum("2 of 2 processors run under Testudo" in line for line in result.lines)
    wrong = ran(result, set()) + processors(result.lines, 2)
    report.judge(wrong + ([] if launches == 2 else [f"{launches} launches instead of 2"]),
                 good=f"{len(results(result.lines))} results, {result}")


def abort(report):
    """VMX aborts, a processor each. Not bare: Bochs 3.0 writes indicators that are too small by one and lets NMI, INIT and SIPI wake the processor, and
    it checks neither IA32_SMBASE in a list nor "host address-space size" (SDM "VMX Aborts", "Saving MSRs").
    """
    result = report.machine(files=disks.guest("abort", True), cpu=CPU, cpus=ABORTS + 1, seconds=SECONDS)
    stopped = sum("VMX abort" in line for line in result.lines)
    report.judge(ran(result, set()) + ([] if stopped == ABORTS else [f"L0 told of {stopped} aborts instead of {ABORTS}"]), good=str(result))


def soak(number, seed):
    """One run of each guest; what is random in it comes from the seed alone."""
    chance = random.Random(seed * 1000 + number)
    cpus, quantum, guest_seed = chance.choice(PROCESSORS[1:]), chance.randint(2, 32), chance.randint(1, 2**31)

    def test(report):
        report.note(f"{report.name}: {cpus} processors, quantum {quantum}, seed {guest_seed}")
        for name in SOAKED:
            files = disks.guest(name, True, ["log = quiet", f"options = seed={guest_seed}"])
            result = report.machine(name, files=files, cpu=CPU, cpus=cpus, quantum=quantum, seconds=SECONDS)
            wrong = ran(result, set()) + processors(result.lines, cpus) + counts(result.lines, name == "storm")
            report.judge(wrong, name, f"{len(results(result.lines))} results, {result}")
    return test


def add(suite):
    for name in GUESTS:
        for cpus in PROCESSORS:
            suite.add(f"{name}/{cpus}", smp(name, cpus))
    suite.add("smp/hyper-2", guest("hyper", cpus=2))
    suite.add("smp/two-levels", two_levels)
    suite.add("smp/abort", abort)


def add_soak(suite, runs, seed):
    for number in range(1, runs + 1):
        suite.add(f"soak/{number}", soak(number, seed))
