# SPDX-License-Identifier: MIT
"""VM entries that the processor refuses although every rule let them pass, on an image that is made to offer L1 too much (boot/root/self_test.h).

L1 must see exactly what it sees bare, and the console must say that a check is missing.
"""
import disks
import refusals
from results import BARE, CPU, SECONDS, judge
from suite_kernel import numbers

RULE_LACKING_CONTROLS, RULE_LACKING_GUEST = 1, 3
# Cases of the guest insn that only the processor can refuse there, and what is said of them.
INSTEAD = {
    "event.error_code_on_ud": RULE_LACKING_CONTROLS,
    "event.no_error_code_on_gp": RULE_LACKING_CONTROLS,
    "guest.gdtr_base_of_57_bits": RULE_LACKING_GUEST,
}


def lacking_checks(report):
    image = f"{disks.BUILD}/selftest/{numbers()['LACKING_CHECKS']}/BOOTX64.EFI"
    files = [entry for entry in disks.guest("insn", 1, ["log = debug"]) if not entry.startswith(f"{disks.FIRST}=")]
    result = report.machine("testudo", files=files + [f"{disks.FIRST}={image}"], cpu=CPU, seconds=SECONDS)
    judge(report, BARE.get(report, "insn"), result)
    known = refusals.table()
    report.judge(refusals.few(refusals.wrong_records(result.lines, known, INSTEAD)), "recorded", f"{len(INSTEAD)} by the processor alone")
    report.judge(refusals.few(refusals.wrong_lines(result.lines, known)), "told", "and the console says that a check is missing")
    met = {match[1] for match in map(refusals.CASE.match, result.lines) if match}
    report.judge([f"{name} is no case of the guest" for name in set(INSTEAD) - met], "met")


def add(suite):
    suite.add("refusals/lacking-checks", lacking_checks)
