# SPDX-License-Identifier: MIT
"""The test guests, bare and on Testudo: what they find must be the same, and what they expect.

A guest prints `T name: result` lines, `B name figure` for measures, `I ` for information, and at last `DONE passed=N failed=N`.
"""
import re

import disks

CPU = "corei7_skylake_x"
CPU_WITHOUT_SHADOWING = "corei7_ivy_bridge_3770k"
WITHOUT_SHADOWING = ("hyper", "insn")
SECONDS = 300
# Guests that other suites run.
ELSEWHERE = ("races", "smp", "storm")

# Where the emulator itself goes another way than the SDM. Skipped by name, and only where the guest finds it so on the bare machine.
EMULATOR_FAULTS = {
    "guest.nmi_with_nmi_blocking_and_virtual_nmis": "Bochs 3.0 does not check this at entry",
    "msr_load.no_such_msr": "unknown MSRs do not fault in this run: OVMF reads one, on Bochs 3.0",
}
# The same where only the bare machine goes wrong: on Testudo, which does that work in the emulator's place, the result must be right.
MENDED_FAULTS = {
    "unpaged.vmxon": "SDM \"Restrictions on VMX Operation\": Bochs 3.0's VMXON does not ask for CR0.PG",
    "init.control_registers": "SDM \"Processor State After Reset\": Bochs 3.0's INIT keeps CR2, clears EDX and sets CR0.CD and NW",
    "init.interrupts_before_sipi": "SDM \"Local APIC State After It Has Been Software Disabled\": Bochs 3.0's takes interrupts all the same",
    "init.apic_mode": "SDM \"x2APIC State Transitions\": Bochs 3.0's INIT leaves x2APIC mode",
} | {f"init.blocked.{name}": "SDM \"Restrictions on VMX Operation\": Bochs 3.0 loses an INIT that comes in VMX root operation"
     for name in ("at_launch", "at_resume", "with_exception", "with_software_interrupt", "with_msr_list", "with_blocking",
                  "with_debug_trap", "with_monitor_trap_flag", "with_timer", "with_timer_at_zero", "after_failed_launch",
                  "after_failed_resume", "in_wait_for_sipi", "at_vmxoff", "storm_in_root")}


def results(lines):
    """T lines by name, in order; a name that comes twice gets a number."""
    found = {}
    for line in lines:
        match = re.match(r"T ([^:]+): ?(.*)$", line)
        if match:
            name, n = match[1], 2
            while name in found:
                name, n = f"{match[1]}#{n}", n + 1
            found[name] = match[2]
    return found


def measures(lines):
    return {m[1]: m[2] for m in (re.match(r"B (\S+) (.+)$", line) for line in lines) if m}


def complaints(lines):
    """Names of the scenarios whose result was not what the guest knows to be right, as often as it was not."""
    return [m[1] for m in (re.match(r"I (\S+): expected: ", line) for line in lines) if m]


def unexpected(lines):
    return set(complaints(lines))


def ran(result, excused):
    """Complaints about the run itself, before any line is compared."""
    wrong = []
    done = next((m for m in (re.match(r"DONE passed=(\d+) failed=(\d+)", line) for line in result.lines) if m), None)
    every = complaints(result.lines)
    names = set(every)
    if result.end != "shutdown":
        wrong.append(f"the machine ended by {result}")
    if not done:
        wrong.append("there is no DONE line")
    elif int(done[2]) != len(every) or names - excused:
        wrong.append(f"{int(done[2]) - sum(name in excused for name in every)} scenarios went otherwise than the guest expects: "
                     + ", ".join(sorted(names - excused)))
    elif not int(done[1]) and not measures(result.lines):
        wrong.append("nothing was tried")
    if not any(line.startswith(("T ", "B ", "I ")) for line in result.lines):
        wrong.append("it printed no result")
    return wrong


def compare(report, bare, testudo, excused):
    """Every T line must be there in both runs, and say the same."""
    first, second = results(bare.lines), results(testudo.lines)
    differ = 0
    for name in list(first) + [n for n in second if n not in first]:
        if first.get(name) != second.get(name) and not (name.split("#")[0] in excused and name in second):
            differ += 1
            report.fail(f"bare \"{first.get(name, '(missing)')}\", on Testudo \"{second.get(name, '(missing)')}\"", name)
    if not differ and first:
        report.ok("same", f"{len(first)} results agree")


def print_measures(report, bare, testudo):
    first, second = measures(bare.lines), measures(testudo.lines)
    # L0's own counters are `make bench`'s business.
    for name in [n for n in list(first) + [n for n in second if n not in first] if ".l0_" not in n]:
        report.note(f"{name:32} bare {first.get(name, '-'):>12}   on Testudo {second.get(name, '-'):>12}")


def check_exits(report, lines):
    """With shadowing in hardware a reflected exit costs L0 exactly two exits of its own."""
    exits = measures(lines).get("l2_cpuid.l0_exits")
    shadowing = any("VMCS shadowing: hardware" in line for line in lines)
    if exits is None:
        report.fail("the guest printed no l2_cpuid.l0_exits", "two-exits")
    elif not shadowing:
        report.skip("this CPU model has no VMCS shadowing", "two-exits")
    else:
        report.judge([] if float(exits) == 2 else [f"{exits} exits of L0 for one L2 CPUID"], "two-exits", f"{exits} exits")


def check_shadowing(report, lines, wanted):
    """The run must have been what it is for: L0 tells which way it goes."""
    told = [m[1] for m in (re.search(r"VMCS shadowing: (\w+)", line) for line in lines) if m]
    report.judge([] if set(told) == {wanted} else [f"VMCS shadowing was told {told}, not by {wanted}"], "shadowing", wanted)


def guest(name, cpu=CPU, shadowing="hardware", cpus=1):
    """A test that runs it both ways and compares; it returns the two Results for those who want to see more."""
    def test(report):
        runs = {}
        for way in ("bare", "testudo"):
            runs[way] = report.machine(way, files=disks.guest(name, way == "testudo", ["log = debug"]), cpu=cpu, cpus=cpus,
                                       seconds=SECONDS)
        excused = unexpected(runs["bare"].lines) & set(EMULATOR_FAULTS)
        mended = unexpected(runs["bare"].lines) & set(MENDED_FAULTS)
        for fault in sorted(excused | mended):
            report.skip((EMULATOR_FAULTS | MENDED_FAULTS)[fault], fault)
        for way, result in runs.items():
            report.judge(ran(result, excused | mended if way == "bare" else excused), way, str(result))
        check_shadowing(report, runs["testudo"].lines, shadowing)
        compare(report, runs["bare"], runs["testudo"], excused | mended)
        print_measures(report, runs["bare"], runs["testudo"])
        if name == "bench":
            check_exits(report, runs["testudo"].lines)
        return runs
    return test


def add(suite):
    for image in sorted((disks.BUILD / "guests").glob("*.efi")):
        if image.stem not in ELSEWHERE:
            suite.add(f"guests/{image.stem}", guest(image.stem))
    # Where L1's VMREAD and VMWRITE all exit, other parts of L0 do the work.
    for name in WITHOUT_SHADOWING:
        suite.add(f"guests/{name}-without-shadowing", guest(name, CPU_WITHOUT_SHADOWING, "software"))
