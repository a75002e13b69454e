# SPDX-License-Identifier: MIT
"""The root kernel's own protections: images that fault on purpose in root mode (boot/root/self_test.h), and what must come of it.

A fault must end in a panic with its full dump, which names the very address that the test has said it would touch; the tests that must be
survived go on to start L1.
"""
import re

import disks
import machine
from disks import BUILD, L1

HELLO = f"{L1}/hello.efi"
SECONDS = 60
HALTED = "this processor is halted"
PATTERN = 0x5e1f7e5700000000	# what boot/root/self_test.c puts into registers and a field
REGISTERS = ("RAX", "RCX", "RDX", "RBX", "RBP", "RSI", "RDI") + tuple(f"R{i}" for i in range(8, 16))
PAGE = 4096


def numbers():
    """By test, from the header that the images are compiled with."""
    text = (machine.ROOT / "boot/root/self_test.h").read_text(encoding="utf-8")
    return {m[1]: m[2] for m in re.finditer(r"^#define SELF_TEST_(\w+) (\d+)$", text, re.M)}


def field_names():
    text = (machine.ROOT / "vmx/vmcs_fields.def").read_text(encoding="utf-8")
    return set(re.findall(r"^F\w*\(0x[0-9a-f]+,\s*(\w+),", text, re.M))


class Run:
    """One boot of an image; one processor's lines of L0 without their prefix."""
    def __init__(self, report, test, until=HALTED, cpus=1, index=0, seconds=SECONDS):
        number = numbers()[test]
        files = disks.under_testudo(HELLO, "after a self test")[1:]
        files += [f"{HELLO}={BUILD}/efi/hello.efi", f"{disks.FIRST}={BUILD}/selftest/{number}/BOOTX64.EFI"]
        self.result = report.machine(files=files, cpus=cpus, seconds=seconds, until=until)
        self.lines = self.result.lines
        self.own = [m[1] for m in (re.match(rf"testudo\[{index}\]: (.*)", line) for line in self.lines) if m]

    def values(self, first, last):
        """`NAME hex` pairs between two lines."""
        at = [i for i, line in enumerate(self.own) if re.search(first, line)]
        if not at:
            return {}
        block = []
        for line in self.own[at[0] + 1:]:
            if re.search(last, line):
                break
            if not line.startswith("  VM-instruction error "):
                block.append(line)
        return {m[1]: int(m[2], 16) for line in block for m in re.finditer(r"(\S+)\s+([0-9a-f]+)(?=\s|$)", line)}


def lacking(what, names, found):
    missing = [name for name in names if name not in found]
    return [f"{what} not in the dump: " + " ".join(missing)] if missing else []


def check_dump(run, end="until", entered=False):
    """Every panic has all sections, with believable contents. `entered`: it comes only when the test has gone on to the VM entry."""
    wrong = []
    if run.result.end != end:
        wrong.append(f"the machine ended by {run.result}")
    if sum("PANIC" in line for line in run.lines) != 1 or run.own.count("PANIC") != 1:
        wrong.append("there is not exactly one panic")
    if ("self test: going on" in run.own) != entered or any(line.startswith("hello:") for line in run.lines):
        wrong.append("it went on")
    guest = run.values(r"^guest registers at the last VM exit:$", "fields that are not 0:$")
    wrong += lacking("guest registers", REGISTERS, guest)
    fields = run.values(r"^vmcs01, fields that are not 0:$", rf"{HALTED}|processors have stopped$")
    if not any(re.match(r"  VM-instruction error \d+$", line) for line in run.own):
        wrong.append("no VM-instruction error")
    unknown = sorted(set(fields) - field_names())
    if len(fields) < 50:
        wrong.append(f"only {len(fields)} fields of vmcs01")
    if unknown:
        wrong.append("not the SDM's names: " + ", ".join(unknown[:5]))
    if fields.get("GUEST_CR0", 0) & 0x80000001 != 0x80000001 or fields.get("VMCS_LINK_POINTER") != 2**64 - 1:
        wrong.append("GUEST_CR0 or VMCS_LINK_POINTER is not what vmcs01 has")
    return wrong, guest, fields


def panic_dump(report):
    run = Run(report, "PANIC")
    wrong, guest, fields = check_dump(run)
    if run.own.count("self test: panic on purpose, number 1") != 1:
        wrong.append("the panic's message is missing")
    if any("exception" in line for line in run.own):
        wrong.append("an exception came instead")
    wrong += [f"{name} is not shown as it was" for n, name in enumerate(REGISTERS)
              if guest.get(name) != PATTERN + n + (n > 3)]	# number 4 is RSP, which the VMCS has
    if fields.get("GUEST_IA32_SYSENTER_EIP") != PATTERN + 16:
        wrong.append("GUEST_IA32_SYSENTER_EIP is not shown as it was")
    report.judge(wrong, good=f"{len(fields)} fields by name")


def others_stop(report):
    """The boot processor panics when the other one runs L1 already: that one exits by INIT, and stops in L0."""
    run = Run(report, "PANIC_OF_LAST", cpus=2)
    wrong, _, _ = check_dump(run)
    if "testudo[1]: self test: going on" not in run.lines:
        wrong.append("the other processor was not launched")
    if "testudo[1]: stopped: another processor has panicked" not in run.lines or "1 of 1 other processors have stopped" not in run.own:
        wrong.append("the other processor did not stop")
    report.judge(wrong)


def panic_under_load(test, cpus, before, index=0):
    """A panic while the others run an L2, wait for SIPI, and exit all the time, after `before` scenarios of the guest: every one stops."""
    def body(report):
        name = "stop"
        files = disks.guest(name, True)[:-2] + disks.guest(name, True)[-1:] + [f"{disks.FIRST}={BUILD}/selftest/{numbers()[test]}/BOOTX64.EFI"]
        result = report.machine(files=files, cpus=cpus, seconds=2 * SECONDS, until=HALTED)
        wrong = [] if result.end == "until" else [f"the machine ended by {result}"]
        if sum(line.startswith("T stop.") for line in result.lines) != before or any(line.startswith("DONE") for line in result.lines):
            wrong.append("the panic came too early or not at all")
        wrong += [f"processor {(index + i) % cpus} did not stop" for i in range(1, cpus)
                  if f"testudo[{(index + i) % cpus}]: stopped: another processor has panicked" not in result.lines]
        if f"testudo[{index}]: {cpus - 1} of {cpus - 1} other processors have stopped" not in result.lines:
            wrong.append("the panic does not know that all have stopped")
        report.judge(wrong)
    return body


def no_restart(report):
    """The other processor panics when the boot processor is not in VMX operation: INIT would restart the machine, and the text be lost."""
    run = Run(report, "PANIC", until=r"reserved .*\(1 processor\)|^hello:", cpus=2, index=1, seconds=SECONDS)
    wrong, _, _ = check_dump(run, "time limit")
    if HALTED not in run.own:
        wrong.append("the panic does not come to its end")
    report.judge(wrong)


def last_words(test, message, entered=False):
    """A panic that says this, dumped in full whatever the test has done to the console."""
    def body(report):
        run = Run(report, test)
        wrong, _, _ = check_dump(run, entered=entered)
        if run.own.count(message) != 1:
            wrong.append(f"the panic does not say \"{message}\"")
        report.judge(wrong)
    return body


def fault(test, vector, error, announced=None, check=None):
    """A panic by this exception; `announced` finds the address in the test's own words, `check` compares it with the registers."""
    def body(report):
        run = Run(report, test)
        wrong, _, _ = check_dump(run)
        head = rf"^exception {vector} \(#\w\w\), error code {error:#x}, in L0 itself:$"
        registers = run.values(head, r"^PANIC$")
        if not registers:
            wrong.append(f"no line matches \"{head}\"")
        if not any(re.match(rf"exception {vector} \(#\w\w\) at image offset 0x[0-9a-f]+$", line) for line in run.own):
            wrong.append("the panic does not name the exception")
        wrong += lacking("registers", REGISTERS + ("RSP", "RIP", "RFLAGS", "CS", "SS", "CR0", "CR2", "CR3", "CR4"), registers)
        if announced:
            # The last one: what came before it had to work.
            said = [int(m[1], 16) for m in (re.search(announced, line) for line in run.own) if m]
            if not said:
                wrong.append(f"no line matches \"{announced}\"")
            elif not wrong and not check(registers, said[-1]):
                wrong.append(f"RIP {registers['RIP']:x} and CR2 {registers['CR2']:x} do not agree with {said[-1]:x}")
        report.judge(wrong, good=f"exception {vector}, error code {error:#x}")
    return body


def machine_check(test, head, lines, registers):
    """A machine check says so in words before it panics; `registers`: it shows L0's own too, with CR4.MCE set there and in vmcs01."""
    def body(report):
        run = Run(report, test)
        wrong, _, fields = check_dump(run)
        if not any(re.fullmatch(rf"machine check {head}, on processor 0 with APIC ID 0:", line) for line in run.own):
            wrong.append(f"no line says \"machine check {head}\"")
        wrong += [f"no line matches \"{line}\"" for line in lines if not any(re.search(line, own) for own in run.own)]
        own = run.values(r"banks tell of an error$", r"^PANIC$")
        if registers:
            wrong += lacking("registers", REGISTERS + ("RIP", "CR4"), own)
            if not own.get("CR4", 0) & fields.get("HOST_CR4", 0) & 0x40:
                wrong.append("CR4.MCE is not set in L0 or in HOST_CR4")
        report.judge(wrong)
    return body


def at_data(registers, address):
    return registers["CR2"] == address and registers["RIP"] != address


def at_code(registers, address):
    return registers["CR2"] == address == registers["RIP"]


def in_page(registers, address):
    return address <= registers["CR2"] < address + PAGE


def went_on(run):
    """Complaints when L1 did not start as ever."""
    wrong = [] if run.result.end == "shutdown" else [f"the machine ended by {run.result}"]
    for wanted in (r"self test: going on$", r"1 of 1 processors run under Testudo$"):
        if not any(re.search(wanted, line) for line in run.own):
            wrong.append(f"no line matches \"{wanted}\"")
    if 'hello: hypervisor "Testudo L0  "' not in run.lines:
        wrong.append("L1 did not start, or not under Testudo")
    return wrong


def survived(test, count):
    def body(report):
        run = Run(report, test, HALTED)
        wrong = went_on(run)
        wrong += [line for line in run.own if line.endswith("WRONG")]
        right = sum(line.startswith("self test: ") and line.endswith("as it must be") for line in run.own)
        if right != count:
            wrong.append(f"{right} of {count} are as they must be")
        report.judge(wrong, good=f"{right} as they must be")
    return body


def nmi(report):
    run = Run(report, "NMI")
    wrong = went_on(run) + [line for line in run.own if line.endswith("WRONG")]
    taken = sum("L1 took an NMI" in line for line in run.lines)
    if taken != 1:
        wrong.append(f"L1 took {taken} NMIs")
    if not any("as it must be" in line for line in run.own):
        wrong.append("L0 did not note it")
    report.judge(wrong, good="L1 took one NMI")


def release(report):
    """The release image has no self test, and this test would see one. In BOOTX64.EFI they are packed."""
    mark = b"self test: "
    here = [path for path in (BUILD / "uefi" / "testudo.elf", BUILD / "testudo.elf") if mark in path.read_bytes()]
    wrong = [f"{path.name} has a self test" for path in here]
    wrong += [f"self test {number} has none" for number in numbers().values()
              if mark not in (BUILD / "selftest" / number / "testudo.elf").read_bytes()]
    report.judge(wrong)


def add(suite):
    suite.add("kernel/panic-dump", panic_dump)
    suite.add("kernel/panic-stops-others", others_stop)
    suite.add("kernel/panic-without-restart", no_restart)
    for cpus in (2, 4):
        suite.add(f"kernel/panic-under-load-{cpus}", panic_under_load("PANIC_AT_RDPMC", cpus, 0))
        suite.add(f"kernel/panic-under-load-{cpus}-x2apic", panic_under_load("PANIC_AT_MONITOR", cpus, 1))
    suite.add("kernel/panic-without-apic", panic_under_load("PANIC_AT_INVLPG", 2, 3))
    suite.add("kernel/panic-of-another", panic_under_load("PANIC_OF_OTHER_AT_RDPMC", 4, 2, 3))
    suite.add("kernel/lock-order", last_words(
        "LOCK_ORDER", 'lock order: "self test, lower" (rank 1) is wanted while "console" (rank 3) is held'))
    suite.add("kernel/lock-ranks-equal", last_words(
        "LOCK_RANKS_EQUAL", 'lock order: "self test, lower" (rank 1) is wanted while "self test, equal" (rank 1) is held'))
    suite.add("kernel/lock-at-entry", last_words("LOCK_AT_ENTRY", 'VM entry while lock "self test, lower" is held', entered=True))
    suite.add("kernel/panic-within-line", last_words("LINE_INTERRUPTED", "self test: panic in the middle of a line"))
    suite.add("kernel/panic-without-console", last_words(
        "CONSOLE_OWNER_GONE", "self test: panic while a processor that is gone has the console"))
    suite.add("kernel/write-to-code", fault("WRITE_TO_CODE", 14, 3, r"self test: writing (\w+)", at_data))
    suite.add("kernel/write-to-constant", fault("WRITE_TO_CONSTANT", 14, 3, r"self test: writing (\w+)", at_data))
    suite.add("kernel/run-data", fault("RUN_DATA", 14, 0x11, r"self test: running (\w+)", at_code))
    suite.add("kernel/run-l1-memory", fault("RUN_L1_MEMORY", 14, 0x11, r"self test: running (\w+)", at_code))
    suite.add("kernel/page-0", fault("PAGE_0", 14, 0, r"self test: reading (\w+)", at_data))
    suite.add("kernel/block-hidden", fault("BLOCK_HIDDEN", 14, 0, r"self test: reading (\w+)", at_data))
    suite.add("kernel/guard-page", fault("GUARD_PAGE", 8, 0, r"self test: overflowing into (\w+)", in_page))
    suite.add("kernel/stray-fault", fault("STRAY_FAULT", 13, 0))
    suite.add("kernel/machine-check", machine_check(
        "MACHINE_CHECK", "in L0 itself", (r"^  IA32_MCG_STATUS [0-9a-f]+: \w", r"^machine check at image offset 0x[0-9a-f]+$"), True))
    suite.add("kernel/machine-check-at-entry", machine_check(
        "MACHINE_CHECK_ENTRY", "during VM entry", (r"^  IA32_MCG_STATUS [0-9a-f]+: \w", "^machine check during VM entry$"), False))
    suite.add("kernel/machine-check-banks", machine_check("MACHINE_CHECK_BANKS", "made up by a self test", (
        r"^  IA32_MCG_STATUS 5: in progress \(MCIP\), the interrupted program could go on \(RIPV\), ",
        r"^  bank 1: STATUS be00000000100151: uncorrected and fatal: .*\(PCC\), cache hierarchy error \(code 0x151, model's own 0x10\)$",
        r"^  bank 1: ADDR 0000000123456000$", r"^  bank 1: MISC 000000000000008c: physical address, from bit 12 up$",
        r"^  bank 3: STATUS 9c000040000100cf: corrected, memory controller error \(code 0xcf, model's own 0x1\), 1 counted$",
        r"^  2 of 4 banks tell of an error$"), False))
    suite.add("kernel/msr-fixup", survived("MSR_FIXUP", 10))
    suite.add("kernel/nmi-in-root-mode", nmi)
    suite.add("kernel/not-in-release", release)
