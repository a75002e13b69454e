# SPDX-License-Identifier: MIT
"""The loader: refusals by name, configuration, L1's start, and the disk image for a stick."""
import re

import acpi
import disks
from disks import BUILD, L1

HELLO = f"{L1}/hello.efi"
HELLO_FILE = [f"{HELLO}={BUILD}/efi/hello.efi"]
MEGABYTES, MEGABYTES_EACH = 16, 4	# most that may be reserved, and for each processor


def expect(report, result, wanted, unwanted=(), below="", ends=("shutdown",)):
    """All patterns must match some line, in any order; none of the unwanted may."""
    lines = result.lines + result.lines2
    wrong = [f"no line matches \"{p}\"" for p in wanted if not any(re.search(p, line) for line in lines)]
    wrong += [f"a line matches \"{p}\"" for p in unwanted if any(re.search(p, line) for line in lines)]
    if result.end not in ends:
        wrong.append(f"the machine ended by {result}")
    report.judge(wrong, below, str(result))


def hello(settings, options="quiet one=1"):
    return HELLO_FILE + disks.under_testudo(HELLO, options, settings)


def start(report):
    result = report.machine(files=hello(["log = debug"]), seconds=120)
    expect(report, result, [r"^testudo\[0\]: .*1 of 1 processors run under Testudo", r'^hello: options "quiet one=1"',
                            r'^hello: hypervisor "Testudo L0  "'])


def two_processors(report):
    result = report.machine(files=hello([]), cpus=2, seconds=240)
    expect(report, result, [r"2 of 2 processors run under Testudo", r'^hello: hypervisor "Testudo L0  "'])


def reserved_memory(report):
    result = report.machine(files=hello([]), seconds=120)
    match = next((m for m in (re.search(r"reserved (\d+) MB for L0 .*\((\d+) processor", line) for line in result.lines) if m), None)
    if not match:
        report.fail("no line tells how much is reserved")
        return
    limit = MEGABYTES + MEGABYTES_EACH * int(match[2])
    report.judge([f"{match[1]} MB, more than {limit}"] if int(match[1]) > limit else [], good=f"{match[1]} MB of at most {limit}")


def leaves_off(report):
    result = report.machine(files=hello(["leaves = off"]), seconds=120)
    expect(report, result, [r"processors run under Testudo", r"^hello: hypervisor"], [r'hypervisor "Testudo'])


def other_port(report):
    result = report.machine(files=hello(["console = com2"]), seconds=120, two_ports=True)
    # The loader speaks on the firmware's other consoles too, and COM1 is one; the root kernel only on its own port.
    of_kernel, wrong = "running the firmware as L1", []
    if any(of_kernel in line for line in result.lines):
        wrong.append("COM1 has the root kernel's lines")
    if not any(of_kernel in line for line in result.lines2):
        wrong.append("COM2 has none of the root kernel's lines")
    if not any(line.startswith("hello: ") for line in result.lines):
        wrong.append("L1 said nothing on COM1")
    report.judge(wrong, good=str(result))


def missing_l1(report):
    files = disks.under_testudo("nowhere/at-all.efi")
    result = report.machine(files=files, seconds=120, until="Interactive Shell")
    expect(report, result, [r"processors run under Testudo", r"\\nowhere\\at-all\.efi", r"Interactive Shell"], ends=("until",))


def bad_settings(report):
    settings = ["colour = blue", "log = loud", "cpus = many", "no equals sign here", "# a comment", ""]
    result = report.machine(files=hello(settings), seconds=120)
    expect(report, result, [r"line 1\b.*colour", r"line 2\b.*loud", r"line 3\b.*many", r"line 4\b", r'^hello: options "quiet one=1"'],
           [r"line [56]\b"])


def no_configuration(report):
    result = report.machine(files=[f"{disks.FIRST}={disks.LOADER}"], seconds=120, until="Interactive Shell")
    expect(report, result, [r"no .*testudo\.cfg", r"processors run under Testudo", r"Interactive Shell"], ends=("until",))


def refusal(backend, cpu, cause):
    """Names what is missing and goes back to the firmware, which goes on with its boot order."""
    def test(report):
        result = report.machine(backend=backend, cpu=cpu, files=hello([]), seconds=180, until="Interactive Shell")
        expect(report, result, [r"cannot run on this machine", cause, r"returning to the firmware", r"Interactive Shell"], [r"^hello:"],
               ends=("until",))
    return test


def locked(cpus, wanted):
    """VMX is locked off on the last processor; then Testudo is started from the shell. All goes back to the shell, which still works."""
    script = "\r\n".join(["@echo -off", "fs0:", "lock.efi", "t.efi log=info", "echo still here"])
    files = [f"lock.efi={BUILD}/efi/lock.efi", f"t.efi={disks.LOADER}", f"startup.nsh:={script}"]

    def test(report):
        result = report.machine(files=files, cpus=cpus, seconds=240, until="^still here")
        expect(report, result, wanted + [r"^still here"], [r"processors run under Testudo"], ends=("until",))
    return test


POWER = f"{L1}/power.efi"


def power(way, cpus, wanted, unwanted=(), settings=(), ends=("shutdown",)):
    """An L1 that tells which processors and sleep states it sees, on a machine with ACPI tables, and ends it in a way of its own."""
    def test(report):
        files = [f"{POWER}={BUILD}/efi/power.efi"] + disks.under_testudo(POWER, way, settings)
        result = report.machine(files=disks.with_tables(files, acpi.files()), cpus=cpus, seconds=180)
        expect(report, result, list(wanted) + [r"processors run under Testudo", r"^power: ending"],
               [r"NOT ENDED", r"WRONG", r"SPOILT", r"PANIC"] + list(unwanted), ends=ends)
    return test


def left_out(report):
    """VMX is locked off on the second processor, and the configuration lets Testudo go on: L1 must not find that processor."""
    script = "\r\n".join(["@echo -off", "fs0:", "tables.efi", "lock.efi", "t.efi unlaunched=leave l1=power.efi options=none"])
    files = [f"t.efi={disks.LOADER}", f"startup.nsh:={script}"] + [f"{name}.efi={BUILD}/efi/{name}.efi" for name in ("tables", "lock", "power")]
    result = report.machine(files=files, cpus=2, seconds=240)
    expect(report, result, [r"processor 1 \(APIC ID 1\) was not launched.*IA32_FEATURE_CONTROL", r"1 of 2 processors run under Testudo",
                            r"processor with APIC ID 1 is hidden from L1", r"^power: MP Services: 1 of 2 processors enabled",
                            r"^power: MADT: sum right, APIC ID 0 has flags 1, APIC ID 1 has flags 0$"])


def lost_processor(report):
    """The second processor ends in a panic before the boot processor is launched. That is never safe to go on from, whatever the settings."""
    files = [f"{disks.FIRST}={BUILD}/selftest/1/BOOTX64.EFI", "EFI/testudo/testudo.cfg:=unlaunched = leave"]
    result = report.machine(files=files, cpus=2, seconds=240, until="Interactive Shell")
    expect(report, result, [r"^testudo\[1\]: PANIC", r"processor 1 .*was not launched.*did not come back within ten seconds",
                            r"Testudo was not started; returning to the firmware", r"Interactive Shell"],
           [r"processors run under Testudo"], ends=("until",))


LINE_BUDGET = 10	# drivers/line_budget.h


def sleep_guest(report):
    """Writes of S3 by L1 and by an L2 with each kind of I/O exiting; without a port to watch the guest skips them, so all must have run."""
    result = report.machine(files=disks.with_tables(disks.guest("sleep", True), acpi.files()), cpu="skylake-x", seconds=120)
    expect(report, result, [r"^DONE passed=12 failed=0"], [r"not offered", r"FAILED"])
    said, ended = (sum(words in line for line in result.lines)
                   for words in ("suspend to RAM is refused: 0x", "further lines of this kind are suppressed"))
    report.judge([] if (said, ended) == (LINE_BUDGET, 1) else [f"{said} lines of refusals, {ended} of their end"], "lines", f"{said}")


def true_tables(report):
    """The code that edits ACPI tables, on those that OVMF has in QEMU. Each is looked at twice, by XSDT and by RSDT, and then all once more."""
    result = report.machine(backend="qemu-tcg", files=[f"{disks.FIRST}={BUILD}/efi/edit.efi"], cpus=4, seconds=120)
    expect(report, result, [r"^edit: DSDT hidden 1, sum 0$", r"^edit: MADT result 0, kept 1, cleared 3, sum 0$",
                            r"^edit: states 38, unreadable 0, port 605 allows 5$", r"^edit: states 30, unreadable 0, port 605 allows 5$"],
           [r"WRONG", r"cleared [^03]", r"result [^0]"])


def linux_sees_no_suspend(report):
    """What an operating system makes of the tables."""
    files = disks.with_tables(disks.linux(True, "ignore_loglevel"), acpi.files())
    result = report.machine(files=files, memory=1024, seconds=150, until=r"ACPI: PM: \(supports ")
    expect(report, result, [r"watching port 0xb005", r"ACPI: PM: \(supports S0 S1 S4 S5\)"], ends=("until",))


S3_REFUSED = [r"1 sleep state hidden, watching port 0xb005", r"^power: DSDT: sum right, states S1 S4 S5$",
              r"suspend to RAM is refused: 0x400 is written to port 0xb004 instead of 0x2400",
              r"^power: PM1 control after OUT of 2 bytes: 0x400$", r"^power: PM1 control after OUT without SLP_EN: 0x400$",
              r"^power: PM1 control after OUT of an unknown type: 0x1c00$", r"^power: still here"]


def levels(count, cpus=1):
    """Testudo on Testudo on ..., with hello on top, each level named by the load options of the one below."""
    def test(report):
        result = report.machine(files=HELLO_FILE + disks.on_levels(count, HELLO), cpus=cpus, seconds=240)
        launches = sum(f"{cpus} of {cpus} processors run under Testudo" in line for line in result.lines)
        wrong = [] if launches == count else [f"{launches} launches instead of {count}"]
        if not any(line.startswith('hello: hypervisor "Testudo L0  "') for line in result.lines):
            wrong.append("hello was not reached, or not under Testudo")
        report.judge(wrong, good=str(result))
    return test


def refusal_boot(report):
    result = report.machine(backend="qemu-tcg", files=hello(["unsupported = boot"]), seconds=180)
    expect(report, result, [r"going on without Testudo", r'^hello: options "quiet one=1"'], [r'hypervisor "Testudo'])


def usb(backend, wanted):
    def test(report):
        result = report.machine(backend=backend, image=BUILD / "testudo.img", seconds=180, until="Interactive Shell")
        expect(report, result, wanted + [r"Interactive Shell"], ends=("until",))
    return test


def add(suite):
    suite.add("loader/start", start)
    suite.add("loader/two-processors", two_processors)
    suite.add("size/reserved-memory", reserved_memory)
    suite.add("loader/leaves-off", leaves_off)
    suite.add("loader/console-on-com2", other_port)
    suite.add("loader/missing-l1", missing_l1)
    suite.add("loader/bad-settings", bad_settings)
    suite.add("loader/no-configuration", no_configuration)
    suite.add("refusal/qemu-tcg", refusal("qemu-tcg", "", r"VMX .*TCG"))
    suite.add("refusal/no-ept", refusal("bochs", "core2_penryn_t9600", r"EPT"))
    suite.add("refusal/other-maker", refusal("bochs", "ryzen", r"SVM instead of VMX"))
    suite.add("refusal/boot-anyway", refusal_boot)
    suite.add("refusal/locked-by-firmware", locked(1, [r"cannot run on this machine", r"IA32_FEATURE_CONTROL .*setup"]))
    suite.add("refusal/locked-on-second-processor", locked(2, [r"processor 1 .*was not launched.*IA32_FEATURE_CONTROL"]))
    suite.add("refusal/lost-processor", lost_processor)
    suite.add("loader/left-out-processor", left_out)
    suite.add("loader/true-tables", true_tables)
    suite.add("loader/fewer-processors", power("none", 4, [
        r"2 of 4 processors run under Testudo", r"^power: MP Services: 2 of 4 processors enabled",
        r"^power: MADT: sum right, APIC ID 0 has flags 1, APIC ID 1 has flags 1, APIC ID 2 has flags 0, APIC ID 3 has flags 0$"],
        settings=["cpus = 2"]))
    suite.add("power/suspend-refused", power("s3", 2, S3_REFUSED))
    suite.add("power/suspend-refused-in-l2", sleep_guest)
    suite.add("power/linux-sees-no-suspend", linux_sees_no_suspend)
    suite.add("power/switch-off", power("s5", 2, [r"2 of 2 processors run"], [r"is refused: "]))
    suite.add("power/reset-by-port-cf9", power("cf9", 2, [r"2 of 2 processors run"], ends=("reset",)))
    suite.add("power/reset-by-keyboard-controller", power("keyboard", 2, [r"2 of 2 processors run"], ends=("reset",)))
    suite.add("power/reset-by-init", power("init", 2, [r"INIT to the bootstrap processor; resetting the machine"], ends=("reset",)))
    suite.add("levels/two", levels(2))
    suite.add("levels/three", levels(3))
    suite.add("levels/two-on-two-processors", levels(2, cpus=2))
    suite.add("usb/bochs", usb("bochs", [r"processors run under Testudo"]))
    suite.add("usb/qemu-tcg", usb("qemu-tcg", [r"returning to the firmware"]))
