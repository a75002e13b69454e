# SPDX-License-Identifier: MIT
"""The monitor, driven by keys as a person would: on a guest that tells what it reads, on Linux and its L2, on two processors.

Each step waits for what the one before has brought on the line, so that a lost byte is a test that fails.
"""
import os
import re
import select
import subprocess
import sys
import time

import disks
from results import CPU, SECONDS
from suite import STOP

sys.path.insert(0, str(disks.ROOT / "tools"))
from tracing.rings import from_lines  # noqa: E402  (after the path is set)

KEY = "\x1d"
PROMPT = r"monitor\[\d\]> $"
OPENED = r"Testudo's monitor, on CPU "
CLOSED = r"the guests go on"
# All bytes but NUL, control characters and ends of lines among them; then a line of its own.
GARBAGE = "".join(chr((n * n * 11 + n * 37) % 255 + 1) for n in range(2000))
AFTER_GARBAGE = "\r\rzzz\r"


def ask(*lines):
    """A command at each prompt."""
    return [(PROMPT, f"{line}\r", 1) for line in lines]


def session(when, *lines, before="", after=""):
    """Opens the monitor when a line matches, having typed `before`; after `continue` it types `after`."""
    return [(when, before + KEY, 1)] + ask(*lines, "continue") + ([(CLOSED, after, 1)] if after else [])


def answers(lines):
    """Of each command, in order: (command, its lines)."""
    found = []
    for line in lines:
        prompt = re.search(r"monitor\[\d\]> ?(.*)$", line)
        if prompt:
            found.append((prompt[1].strip(), []))
        elif found:
            found[-1][1].append(line)
    return found


def lacks(lines, *patterns):
    """The patterns that match no line, each looked for behind the one before."""
    rest, missing = iter(lines), []
    for pattern in patterns:
        if not any(re.search(pattern, line) for line in rest):
            missing.append(f"no line {pattern!r}")
            break
    return missing


def ended(result):
    return [] if result.end == "shutdown" else [f"the run ended by {result}"]


def got(text):
    """What the guest tells of these bytes."""
    return [rf"^I got 0x{byte:x}$" for byte in text.encode("latin-1")]


def answered(lines, wanted):
    """Each of these commands, with lines that match."""
    said, wrong = answers(lines), []
    for command, *patterns in wanted:
        texts = [text for name, text in said if name == command]
        if not texts:
            wrong.append(f"{command!r} was not asked")
        for pattern in patterns:
            if texts and not any(re.search(pattern, line) for text in texts for line in text):
                wrong.append(f"{command!r} does not answer {pattern!r}")
    return wrong


# What each command says where L1 runs; the guest and its L2 are tests/guests/echo.
IN_L1 = (
    ("help", r"^  where  ", r"^  continue  "),
    ("cpus", r"^\* CPU 0 +APIC 0 +L1 64-bit, CPL 0"),
    ("where", r"^CPU 0 runs L1: 64-bit", r"^L1 is in VMX root operation, .* without a current VMCS"),
    ("vmcs 01 guest_c", r"^4816 GUEST_CS_ACCESS_RIGHTS ", r"^6800 GUEST_CR0 "),
    ("vmcs 12", r"no current VMCS|without a current VMCS"),
    ("exits", r"^ 30 IO_INSTRUCTION +\d+ +0 ", r"^in all +\d+ "),
    ("ept 01 1000", r"^EPTP [0-9a-f]{16}: ", r"^PML4E at "),
    ("mem 1000 20", r"^0000000000001000  "),
    ("regs", r"^RAX ", r"^RIP ", r"^CS   0008 "),
    ("log", r"info"),
)
BETWEEN = (
    ("vmcs 12", r"^681e GUEST_RIP "),
    ("diff 12 02", r"^201a EPT_POINTER "),
    ("diff 01 02", r"^681e GUEST_RIP "),
    ("ept 12 1000", r"^EPTP "),
    ("refusals", r"."),
)
WRONG = (
    ("", ),
    ("nonsense", r"."),
    ("cpu 7", r"."),
    ("cpu", r"."),
    ("vmcs 03", r"."),
    ("ept 01 fedcba98765432100", r"."),
    ("mem xyz", r"."),
    ("diff 12 02", r"."),
)
IN_L2 = (
    ("where", r"^CPU 0 runs L2: 64-bit", r"^L1 is in VMX non-root operation, .* current VMCS [0-9a-f]+, launched", r"^vmcs12: EPTP "),
    ("regs", r"^RAX ", r"^RIP "),
    ("vmcs 12 guest_rip", r"^681e GUEST_RIP +[0-9a-f]{16}$"),
    ("vmcs 02 guest_rip", r"^681e GUEST_RIP +[0-9a-f]{16}$"),
    ("diff 12 02", r"^201a EPT_POINTER +[0-9a-f]{16} [0-9a-f]{16}$", r"^6c16 HOST_RIP "),
    ("ept 12 1000", r"^EPTP "),
    ("ept 02 1000", r"^EPTP "),
)


def commands(*tables):
    return [command for table in tables for command, *_ in table]


def registers(lines):
    return [line for line in lines if line.startswith("I registers ")]


def echo(report):
    """One processor: from L1 and from L2. What the guests get is all that was typed but for the key."""
    keys = [(r"^I ready$", "O", 1)]
    keys += session(r"^I registers ", *commands(IN_L1, WRONG), before="a", after="R")
    keys += [(r"^I registers ", "K", 1), (r"^I own key ", "c", 1)]
    keys += session(r"^I got 0x63$", after="V")
    keys += session(r"^I L2 reads$", *commands(IN_L2), before="xy", after="z0F")
    keys += [(r"^I fields: L2 reads$", "123", 1)]
    keys += session(r"^I fields: L1 reads$", *commands(BETWEEN), after="45")
    keys += [(r"^T fields_stay: ", "N", 1)]
    keys += session(r"^I nobody reads$", "where", before="u", after="vq")
    result = report.machine("testudo", files=disks.guest("echo", 1), cpu=CPU, seconds=SECONDS, keys=keys)
    lines = result.lines
    report.judge(ended(result) + answered(lines, IN_L1 + WRONG + IN_L2 + BETWEEN), "commands", f"{len(answers(lines))} of them")
    wrong = lacks(lines, *got("OaRKcV"), *(f"^I L2 got 0x{byte:x}$" for byte in b"xyz0"), r"^T l2_reads: all$",
                  r"^I L1 got 0x34$", r"^T fields_stay: the same, and L2 got 0x35$", *got("Nuvq"), r"^DONE passed=2 failed=0$")
    wrong += [] if len(set(registers(lines))) == 1 and len(registers(lines)) == 2 else ["the port's registers have changed"]
    wrong += [] if "I own key 0x1d 0x1d 0x1d" in lines else ["the guest has not met its own key"]
    wrong += [] if sum(line.startswith(OPENED) for line in lines) == 5 else ["the monitor was not opened five times"]
    report.judge(wrong, "guests", "nothing lost, nothing changed")


def garbage(report):
    """2000 bytes of it, and another key: nothing but the commands that are meant does anything."""
    keys = [(r"^I ready$", KEY + "\x01", 1), (PROMPT, GARBAGE + AFTER_GARBAGE, 1), (r'"zzz"', "", 1)]
    keys += ask("where", "continue") + [(CLOSED, "q", 1)]
    result = report.machine("testudo", files=disks.guest("echo", 1, ["hotkey = ctrl-a"]), cpu=CPU, seconds=SECONDS, keys=keys)
    wrong = ended(result) + lacks(result.lines, *got(KEY), OPENED, r"^CPU 0 runs L1: ", *got("q"), r"^DONE ")
    report.judge(wrong, good=f"{len(GARBAGE)} bytes")


def off(report):
    """Expect: the key is the guest's."""
    keys = [(r"^I ready$", KEY + "Vx" + KEY + "0q", 1)]
    result = report.machine("testudo", files=disks.guest("echo", 1, ["monitor = off"]), cpu=CPU, seconds=SECONDS, keys=keys)
    wrong = ended(result) + lacks(result.lines, *got(KEY + "V"), *(f"^I L2 got 0x{byte:x}$" for byte in b"x\x1d0"), *got("q"))
    wrong += [line for line in result.lines if "onitor" in line]
    report.judge(wrong, good="the guests get the key")


ON_TWO = (
    ("cpus", r"^\* CPU 0 +APIC 0 +L1 64-bit", r"^  CPU 1 +APIC 1 +L1 64-bit"),
    ("cpu 1", r"."),
    ("where", r"^CPU 1 runs L1: 64-bit"),
    ("regs", r"^RIP "),
    ("vmcs 01 guest_rip", r"^681e GUEST_RIP "),
    ("exits", r"^in all "),
    ("cpu 0", r"."),
)


def two_processors(report):
    """Twice: the second stop finds them as the first one did."""
    keys = session(r"^I ready$", *commands(ON_TWO), after="R") + session(r"^I registers ", "cpus", after="q")
    result = report.machine("testudo", files=disks.guest("echo", 1), cpus=2, cpu=CPU, seconds=SECONDS, keys=keys)
    wrong = ended(result) + answered(result.lines, ON_TWO) + lacks(result.lines, *got("Rq"), r"^DONE ")
    wrong += [] if sum("1 of 1 other processors have stopped" in line for line in result.lines) == 2 else ["the other one did not stop twice"]
    report.judge(wrong, good="both stop and go on")


def four_processors(report):
    """While they send each other INITs and SIPIs, by xAPIC and then by x2APIC: those of the stops reach nobody, and none of theirs is lost."""
    keys = session(r"^T storm\.", "cpus") + session(r"^I the APIC's mode is x2APIC$", "cpus")
    result = report.machine("testudo", files=disks.guest("storm", 1), cpus=4, cpu=CPU, seconds=SECONDS, keys=keys)
    stopped = sum("3 of 3 other processors have stopped" in line for line in result.lines)
    wrong = ended(result) + ([] if stopped == 2 else [f"all have stopped {stopped} times instead of twice"])
    wrong += lacks(result.lines, r"^I the APIC's mode is x2APIC$", r"^DONE passed=\d+ failed=0$")
    report.judge(wrong, good=str(result))


ON_LINUX = (
    ("cpus", r"^\* CPU 0 "),
    ("where", r"^CPU 0 runs L[12]: ", r"current VMCS [0-9a-f]+, launched", r"EPTP [0-9a-f]+"),
    ("vmcs 12 guest_rip", r"^681e GUEST_RIP +[0-9a-f]{16}$"),
    ("vmcs 12 exit", r"EXIT_REASON "),
    ("diff 12 02", r"EPT_POINTER "),
    ("ept 12 1000", r"^PML4E at "),
    ("exits", r"^in all "),
)


def linux(report):
    """Linux/KVM is asked while its L2 boots."""
    keys = session(r"^L2 userspace: Linux version ", *commands(ON_LINUX))
    result = report.machine(files=disks.linux(True, "l1.only=linux"), memory=768, seconds=900, keys=keys)
    wrong = ended(result) + answered(result.lines, ON_LINUX)
    wrong += lacks(result.lines, r"^L1 userspace: Linux version ", OPENED, CLOSED, r"^vmm: linux guest: ended by itself", r"^VERDICT: PASS$")
    report.judge(wrong, good=str(result))


def linux_two(report):
    """Linux on two processors is asked, and takes one of them off and on afterwards, by INIT."""
    keys = session(r"^L1 userspace: Linux version ", "cpus", "cpu 1", "where", "cpu 0")
    result = report.machine(files=disks.linux_several(True, "l1.only=boot"), cpus=2, memory=768, seconds=900, keys=keys)
    wrong = ended(result) + answered(result.lines, (("cpus", r"^\* CPU \d .*L1 ", r"^  CPU \d .*L1 "), ("where", r"^CPU 1 runs L1: ")))
    wrong += lacks(result.lines, r"1 of 1 other processors have stopped", CLOSED, r"^L1: work on 2 processors: ok$",
                   r"^L1: 1 of 2 processors went offline and online 2 times: ok$", r"^VERDICT: PASS$")
    report.judge(wrong, good=str(result))


IN_HUNG_L1 = (("where", r"^CPU 0 runs L1: 64-bit"), ("regs", r"^RIP "))
IN_HUNG_L2 = (("where", r"^CPU 0 runs L2: 64-bit"), ("diff 12 02 pin", r"only 02: ACTIVATE_PREEMPTION_TIMER"))


def hung(report):
    """Guests that never exit, or only in the quick way, among them one that has the port's interrupt on: the key stops them all the same."""
    keys = [(r"^I ready$", "1", 1)] + session(r"^I L1 hangs$", *commands(IN_HUNG_L1)) + [(r"^I L1 goes on$", "I", 1)]
    keys += session(r"^I L1 hangs$", *commands(IN_HUNG_L1)) + [(r"^I L1 goes on$", "2", 1)]
    keys += session(r"^I L2 hangs$", *commands(IN_HUNG_L2)) + [(r"^T hang_in_l2", "B", 1)]
    keys += session(r"^I L1 and L2 hang$", "cpus") + [(r"^T hang_between", "H", 1), (r"^I L1 halts$", KEY, 1)] + ask("where", "reboot")
    result = report.machine("testudo", files=disks.guest("echo", 1), cpu=CPU, seconds=SECONDS, keys=keys)
    wrong = [] if result.end == "reset" else [f"the run ended by {result}"]
    wrong += answered(result.lines, IN_HUNG_L1 + IN_HUNG_L2)
    wrong += lacks(result.lines, OPENED, r"^I L1 goes on$", OPENED, r"^I L1 goes on$", OPENED, r"^T hang_in_l2: exit 18$", OPENED,
                   r"^T hang_between: 0 other exits$", r"^I L1 halts$", OPENED, r"^CPU 0 runs L1: .*HLT")
    report.judge(wrong, good=str(result))


def trace_and_reboot(report):
    """The ring is off, read and on again by commands; what `trace dump` prints is what tools/trace reads. A reset of the machine ends it."""
    keys = [(r"^I ready$", KEY, 1)] + ask("trace off", "trace dump", "trace on", "reboot")
    result = report.machine("testudo", files=disks.guest("echo", 1, ["trace = 8"]), cpu=CPU, seconds=SECONDS, keys=keys)
    wrong = [] if result.end == "reset" else [f"the run ended by {result}"]
    wrong += answered(result.lines, (("trace off", r"^CPU 0: trace is off$"), ("trace on", r"^CPU 0: trace is on$")))
    dumped = [line for name, text in answers(result.lines) if name == "trace dump" for line in text]
    rings, told = from_lines("\n".join(dumped).encode())
    records = sum(len(ring.records) for ring in rings)
    wrong += told + [complaint for ring in rings for complaint in ring.complaints]
    wrong += [] if len(rings) == 1 and records else [f"{len(rings)} rings, {records} records"]
    # The guest's own read of the key is what opened the monitor: the last exit there is.
    wrong += [] if rings and records and rings[0].records[-1].reason == 30 else ["the last exit was no I/O instruction"]
    report.judge(wrong, good=f"{records} records")


def converse(command, steps, seconds):
    """Runs a command on a terminal of its own, typing at each step; returns its status and what was on the terminal."""
    said, at, end = b"", 0, time.monotonic() + seconds
    with subprocess.Popen(["script", "-qec", command, "/dev/null"], cwd=disks.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        while time.monotonic() < end and not STOP.is_set():
            if select.select([process.stdout], [], [], 0.5)[0]:
                part = os.read(process.stdout.fileno(), 65536)
                if not part:
                    break
                said += part
            if steps and said.find(steps[0][0], at) >= 0:
                at = said.find(steps[0][0], at) + len(steps[0][0])
                process.stdin.write(steps.pop(0)[1].encode())
                process.stdin.flush()
        else:
            process.terminate()
    return process.returncode, said.decode("utf-8", "replace").replace("\r", "\n").splitlines()


def on_a_terminal(report):
    """The demonstration as a person has it: the key and the commands are typed where its lines appear."""
    steps = [(b"L1 userspace: Linux version ", KEY), (b"monitor[0]> ", "where\n"), (b"monitor[0]> ", "continue\n")]
    status, lines = converse("tools/run --backend bochs", steps, SECONDS)
    report.log.write_text("\n".join(lines) + "\n", encoding="utf-8")
    wrong = [] if status == 0 else [f"status {status}; see {report.log}"]
    report.judge(wrong + lacks(lines, OPENED, r"monitor\[0\]> where$", r"CPU 0 runs L1: ", CLOSED, r"^  verdict +PASS$"), good="opened by its key")


def add(suite):
    suite.add("monitor/echo", echo)
    suite.add("monitor/garbage", garbage)
    suite.add("monitor/off", off)
    suite.add("monitor/hung", hung)
    suite.add("monitor/trace-and-reboot", trace_and_reboot)
    suite.add("monitor/two-processors", two_processors)
    suite.add("monitor/four-processors", four_processors)
    suite.add("monitor/on-a-terminal", on_a_terminal)
    suite.add("monitor/linux", linux)
    suite.add("monitor/linux-two-processors", linux_two)
