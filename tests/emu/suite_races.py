# SPDX-License-Identifier: MIT
"""The guest `races`: other processors write into memory that L0 reads for the boot processor.

Which result a race has differs from run to run, so nothing is compared with the bare machine; each scenario says itself that all is well.
Bare it runs too, which shows that the guest does not ask for more than a processor gives.
"""
import disks
from results import CPU, ran, results

SECONDS = 150
PROCESSORS = (2, 4)


def races(cpus, testudo):
    def test(report):
        result = report.machine(files=disks.guest("races", testudo, ["log = quiet"]), cpu=CPU, cpus=cpus, seconds=SECONDS)
        wrong = ran(result, set())
        if f"I processors: {cpus} of {cpus}" not in result.lines:
            wrong.append(f"not {cpus} processors ran")
        if any("PANIC" in line for line in result.lines):
            wrong.append("L0 has panicked")
        report.judge(wrong, good=f"{len(results(result.lines))} scenarios, {result}")
    return test


def add(suite):
    suite.add("races/bare", races(PROCESSORS[0], False))
    for cpus in PROCESSORS:
        suite.add(f"races/{cpus}", races(cpus, True))
