# SPDX-License-Identifier: MIT
"""What is told of the last boot: L0's lines, which a reset of the processors leaves in memory, in the next boot's words."""
import re

import disks
from disks import BUILD, L1
from suite_kernel import numbers

RESET = f"{L1}/reset.efi"
RESET_FILE = f"{RESET}={BUILD}/efi/reset.efi"
CONFIG = "EFI/testudo/testudo.cfg"
SECONDS = 180
TOLD = re.compile(r"^testudo\[0\]: \| (.*)$")
BEGIN = "testudo[0]: Testudo "
WELL, NOT_WELL = "testudo[0]: what Testudo said in the last boot:", "testudo[0]: the last boot did not end well; what Testudo said then:"
RUNNING = re.compile(r"^testudo\[0\]: running the firmware as L1;")


def boots(lines):
    """The lines of each boot, from the loader's first one on."""
    found = []
    for line in lines:
        if line.startswith(BEGIN):
            found.append([])
        if found:
            found[-1].append(line)
    return found


def told(lines):
    return [match[1] for match in map(TOLD.match, lines) if match]


def panicking(settings=""):
    number = numbers()["PANIC_THEN_RESET"]
    return [f"{disks.FIRST}={BUILD}/selftest/{number}/BOOTX64.EFI", f"{CONFIG}:={settings}"]


def panic(report):
    """L0 panics, the machine is reset: the next boot tells the whole panic, each line as it was, and the first boot had nothing to tell."""
    result = report.machine(files=panicking(), seconds=SECONDS, until="^testudo.0.: PANIC", times=2, allow_reset=True)
    wrong = [] if result.end == "until" else [f"the machine ended by {result}"]
    first, second = (boots(result.lines) + [[], []])[:2]
    said = [line for line in first if line.startswith("testudo[0]: ")]
    if "testudo[0]: PANIC" in said:
        said = said[said.index("testudo[0]: PANIC"):]
    if len(said) < 40:
        wrong.append(f"the panic has {len(said)} lines")
    if told(first) or NOT_WELL in first or WELL in first:
        wrong.append("the first boot tells of another")
    if NOT_WELL not in second:
        wrong.append("the second boot does not tell of the panic")
    # Some of L0's lines from before come first.
    before = len(told(second)) - len(said)
    if told(second)[max(before, 0):] != said or any(line not in first for line in told(second)):
        wrong.append(f"{len(said)} lines were said, {len(told(second))} are told")
    report.judge(wrong, good=f"{len(said)} lines")


def resetting(setting, wanted):
    """L1 resets the machine, which is no accident: `wanted` says whether L0's lines are told."""
    def test(report):
        files = disks.under_testudo(RESET, settings=("log = debug", setting) if setting else ("log = debug",)) + [RESET_FILE]
        result = report.machine(files=files, seconds=SECONDS, until=RUNNING.pattern, times=3, allow_reset=True)
        wrong = [] if result.end == "until" else [f"the machine ended by {result}"]
        each = boots(result.lines)
        if len(each) != 3:
            wrong.append(f"{len(each)} boots")
        for before, lines in zip(each, each[1:]):
            said = next((line for line in before if RUNNING.match(line)), "none")
            if wanted and (WELL not in lines or told(lines).count(said) != 1):
                wrong.append("the lines of the boot before are not told")
            if wanted and any(line not in before for line in told(lines)):
                wrong.append("a line is told that was not said")
            if not wanted and (told(lines) or WELL in lines or NOT_WELL in lines):
                wrong.append("something is told")
        report.judge(wrong)
    return test


def saved(report):
    """The shell types the file that the second boot has saved: what the first boot said, its panic included."""
    number = numbers()["PANIC_THEN_RESET"]
    script = "\r\n".join(["@echo -off", "fs0:", "echo the file begins", "type EFI\\testudo\\last.log", "echo the file ends", "t.efi lastlog=save"])
    files = [f"t.efi={BUILD}/selftest/{number}/BOOTX64.EFI", f"startup.nsh:={script}", f"{CONFIG}:=log = debug"]
    result = report.machine(files=files, seconds=SECONDS, until="^the file ends", times=3, allow_reset=True)
    wrong = [] if result.end == "until" else [f"the machine ended by {result}"]
    text = "\n".join(result.lines)
    if text.count("testudo[0]: all of it is saved as \\EFI\\testudo\\last.log") < 1:
        wrong.append("no line says that it is saved")
    file = text.rpartition("the file begins\n")[2].partition("the file ends")[0].splitlines()
    found = [line for line in file if line.startswith("testudo[")]
    first = (boots(result.lines) + [[]])[0]
    # What the loader says is not L0's.
    said = [line for line in first if line in found]
    if "testudo[0]: PANIC" not in found or found != said or len(found) < 40:
        wrong.append(f"{len(found)} lines are in the file, {len(said)} of them were said in the first boot")
    report.judge(wrong, good=f"{len(found)} lines")


def resets(report):
    """panic = reset: after the whole dump the machine is reset, by the chipset's register."""
    number = numbers()["PANIC"]
    result = report.machine(files=[f"{disks.FIRST}={BUILD}/selftest/{number}/BOOTX64.EFI", f"{CONFIG}:=panic = reset"], seconds=60)
    wrong = [] if result.end == "reset" and "hardware reset" in result.detail else [f"the machine ended by {result}"]
    last = [line for line in result.lines if line.startswith("testudo[0]: ")][-1:]
    if last != ["testudo[0]: panic = reset; resetting the machine"]:
        wrong.append(f"the last line is {last}")
    report.judge(wrong)


def add(suite):
    suite.add("lastlog/panic", panic)
    suite.add("lastlog/reset", resetting("", False))
    suite.add("lastlog/always", resetting("lastlog = always", True))
    suite.add("lastlog/off", resetting("lastlog = off", False))
    suite.add("lastlog/save", saved)
    suite.add("lastlog/panic-resets", resets)
