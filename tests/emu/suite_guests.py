# SPDX-License-Identifier: MIT
"""The test guests, bare and on Testudo: what they find must be the same, and what they expect (results.py)."""
import re

import bench_checks
import disks
import refusals
from bochs import newest
from differences import SCENARIOS
from results import BARE, CPU, SECONDS, complaints, judge, measures, results

CPU_WITHOUT_SHADOWING = "corei7_ivy_bridge_3770k"
CPU_WITH_SUB_PAGES = "corei7_icelake_u"
WITHOUT_SHADOWING = ("caches", "hyper", "insn")
# Guests that other suites run, each with more than its image, or without results to compare.
ELSEWHERE = ("abort", "borders", "console", "echo", "races", "smp", "storm", "trace")


def print_measures(report, bare, testudo):
    first, second = measures(bare.lines), measures(testudo.lines)
    # What has a point in its name is `make bench`'s business: means, and L0's own counters.
    for name in [n for n in list(first) + [n for n in second if n not in first] if "." not in n]:
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


# Exit reasons that the guest `exits` does not bring about, and why.
UNMET = {
    "INIT_SIGNAL": "by another processor: smp", "SIPI": "by another processor: smp",
    "IO_SMI": "exits to the SMM monitor only", "OTHER_SMI": "exits to the SMM monitor only", "RSM": "in SMM only",
    "GETSEC": "CR4.SMXE cannot be set", "ENCLS": "no CPU model has it", "ENCLV": "no CPU model has it",
    "INSTRUCTION_TIMEOUT": "no CPU model has it", "PCONFIG": "hidden from L1",
    "MACHINE_CHECK_ENTRY": "cannot be caused", "VMFUNC": "hyper", "PML_FULL": "hyper", "SPP_EVENT": "hyper on another CPU model",
    "XSAVES": "a CPU model with components in IA32_XSS", "XRSTORS": "a CPU model with components in IA32_XSS",
    "UMWAIT": "a CPU model with WAITPKG", "TPAUSE": "a CPU model with WAITPKG",
}


def check_reasons(report, lines):
    """Every exit reason that Testudo knows must have been met, on the bare machine at least, or be among those that cannot."""
    known = set(re.findall(r"^X\(\s*\d+, (\w+),", (disks.ROOT / "vmx/exits.def").read_text(), re.M))
    met = {name for line in lines if line.startswith("T ") for name in known if re.search(rf"\b{name}\b", line)}
    wrong = [f"not met: {name}" for name in sorted(known - met - set(UNMET))]
    wrong += [f"met, though it should not be ({UNMET[name]}): {name}" for name in sorted(met & set(UNMET))]
    report.judge(wrong + [f"no such reason: {name}" for name in sorted(set(UNMET) - known)], "reasons", f"{len(met)} of {len(known)} exit reasons met")


# A control word's MSR, as the guest `caps` prints it.
WORDS = {"PIN": "IA32_VMX_TRUE_PINBASED_CTLS", "PROC": "IA32_VMX_TRUE_PROCBASED_CTLS", "PROC2": "IA32_VMX_PROCBASED_CTLS2",
         "EXIT": "IA32_VMX_TRUE_EXIT_CTLS", "ENTRY": "IA32_VMX_TRUE_ENTRY_CTLS"}


def check_capabilities(report, bare, testudo):
    """L1 is shown what the processor has and the table offers, and each bit that must be 1: not one more, not one less."""
    msr_line = re.compile(r"I (IA32_VMX_\w+) (0x[0-9a-f]+)$")
    shown = [{m[1]: int(m[2], 16) for m in map(msr_line.match, lines) if m} for lines in (bare, testudo)]
    table = re.findall(r"^C\((\w+), *(\d+), *\w+, *\w+, *(OFFER|HIDE)", (disks.ROOT / "vmx/controls.def").read_text(), re.M)
    wrong = []
    for word, msr in WORDS.items():
        if msr not in shown[0] or msr not in shown[1]:
            wrong.append(f"{msr} was not printed")
            continue
        had, seen = shown[0][msr], shown[1][msr]
        must = had & 0xffffffff
        offered = sum(1 << int(bit) for w, bit, how in table if w == word and how == "OFFER")
        if seen != must | (had >> 32 & offered | must) << 32:
            wrong.append(f"{msr} is {seen:#x}, with {had:#x} on the bare machine and {offered:#x} offered")
    report.judge(wrong, "capabilities", f"{len(table)} controls as the table has them")


def guest(name, cpu=CPU, shadowing="hardware", cpus=1):
    """A test that runs it both ways and compares; it returns the two Results for those who want to see more."""
    def test(report):
        runs = {"bare": BARE.get(report, name, cpu, cpus),
                "testudo": report.machine("testudo", files=disks.guest(name, 1, ["log = debug"]), cpu=cpu, cpus=cpus, seconds=SECONDS)}
        check_shadowing(report, runs["testudo"].lines, shadowing)
        judge(report, runs["bare"], runs["testudo"])
        print_measures(report, runs["bare"], runs["testudo"])
        if name == "bench":
            check_exits(report, runs["testudo"].lines)
            bench_checks.check(report, {way: run.lines for way, run in runs.items()})
        if name == "caps":
            check_capabilities(report, runs["bare"].lines, runs["testudo"].lines)
        if name == "exits":
            check_reasons(report, runs["bare"].lines)
        if name == "insn" and cpu == CPU:
            refusals.check(report, runs["testudo"].lines)
        return runs
    return test


PROTECTION = "cet, pks, uintr"
PROTECTED = re.compile(r"(cet|pkrs|uinv)\.")


def protection(report):
    """What the models that start OVMF lack: their newest Bochs can add it, and Bochs before 3.1 cannot (docs/emulators.md)."""
    program = newest()
    if not program:
        report.skip("there is no Bochs 3.1, as tools/fetch-bochs keeps it")
        return
    runs = {part: report.machine(part, files=disks.guest("hyper", testudo, ["log = debug"]), cpu=CPU, seconds=SECONDS, features=PROTECTION,
                                 program=program)
            for part, testudo in (("bare", 0), ("testudo", 1))}
    found = {part: {name: result for name, result in results(run.lines).items() if PROTECTED.match(name)} for part, run in runs.items()}
    bad = {part: {name for name in complaints(run.lines) if PROTECTED.match(name)} for part, run in runs.items()}
    wrong = [f"{part}: {run}" for part, run in runs.items() if run.end != "shutdown"]
    wrong += [f"on Testudo {name} is not as it should be" for name in sorted(bad["testudo"])]
    wrong += [f"bare {name} is not as it should be" for name in sorted(bad["bare"] - set(SCENARIOS))]
    wrong += [f"{name} differs" for name in sorted(set(found["bare"]) | set(found["testudo"]))
              if found["bare"].get(name) != found["testudo"].get(name) and name not in SCENARIOS]
    if len(found["testudo"]) < 12:
        wrong.append(f"only {len(found['testudo'])} scenarios ran")
    report.judge(wrong, "", f"{len(found['testudo'])} scenarios of CET, PKRS and UINV")


def add(suite):
    for image in sorted((disks.BUILD / "guests").glob("*.efi")):
        if image.stem not in ELSEWHERE:
            suite.add(f"guests/{image.stem}", guest(image.stem))
    # Where L1's VMREAD and VMWRITE all exit, other parts of L0 do the work.
    for name in WITHOUT_SHADOWING:
        suite.add(f"guests/{name}-without-shadowing", guest(name, CPU_WITHOUT_SHADOWING, "software"))
    # Sub-page write permissions, and what else this model has.
    suite.add("guests/hyper-protection", protection)
    suite.add("guests/hyper-icelake", guest("hyper", CPU_WITH_SUB_PAGES))
