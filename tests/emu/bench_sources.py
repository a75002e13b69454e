# SPDX-License-Identifier: MIT
"""Where the rows come from: a run of a machine each, and what is read from its lines.

A source is a function that gets a Runner and returns Rows; SOURCES is the list of all. **To add one**, write the function and its line
there. Must not know how rows are shown.
"""
import re
from dataclasses import dataclass, replace

import bench_rows
import disks
from machine import ROOT, Options, run
from results import CPU, ran
from suite_linux import ticks

LOGS = ROOT / "build" / "logs"
QUIET = ["log = quiet"]


class Broken(Exception):
    """A source whose machine did not do what it is for."""


class Runner:
    """Runs machines for the sources, with a sign of life."""
    def __init__(self, progress, cpu=CPU):
        self.progress, self.cpu = progress, cpu

    def machine(self, what, seconds=900, **options):
        name = what.replace(" ", "-")
        result = run(Options(on_second=lambda passed: self.progress.status(f"bench: {what}, {passed} s"), seconds=seconds,
                             log=LOGS / f"bench-{name}.log", emulator_log=LOGS / f"bench-{name}.emulator.log", **options))
        if not result.orderly:
            raise Broken(f"the machine ended by {result}")
        return result


def good_rows(result, subject):
    """The guest's rows, if all its scenarios went as they should."""
    wrong = ran(result, frozenset())
    if wrong:
        raise Broken("; ".join(wrong))
    return bench_rows.of_guest(result.lines, subject)


def guest(subject, settings=()):
    def source(runner):
        result = runner.machine(f"guest {subject}", files=disks.guest("bench", subject == "testudo", [*QUIET, *settings]), cpu=runner.cpu)
        return good_rows(result, subject)
    return source


def guest_on_kvm(runner):
    """On Linux/KVM on the bare machine, where a VMM of ours starts it: how many exits there were KVM tells, and nobody how many accesses."""
    return good_rows(runner.machine("guest kvm", files=disks.guest_on_kvm("bench"), cpu=runner.cpu, memory=768), "kvm")


WITHOUT_SHADOWING = ("l2_cpuid", "l2_cpuid_like_kvm")


def without_shadowing(subject):
    """The same guest, VMCS shadowing switched off in L0: two rows of it are of interest."""
    def source(runner):
        if subject == "kvm":
            files = disks.guest_on_kvm("bench", parameters=["enable_shadow_vmcs=0"])
        else:
            files = disks.guest("bench", True, [*QUIET, "shadowing = off"])
        rows = good_rows(runner.machine(f"guest {subject} without shadowing", files=files, cpu=runner.cpu, memory=768), subject)
        return [replace(row, name=f"{row.name}_without_shadowing") for row in rows if row.name in WITHOUT_SHADOWING]
    return source


def named(rows, name, new_name, subject):
    """One row of a run in which another hypervisor is L1: its counters are that one's, and what L0 did nobody tells."""
    ticks_ = next((row.ticks for row in rows if row.name == name), None)
    if ticks_ is None:
        raise Broken(f"there is no row {name}")
    return [bench_rows.Row(new_name, subject, ticks_)]


def on_levels(count):
    """The guest on some Testudos, one upon the other: its L2 is L3 then, or L4."""
    def source(runner):
        files = disks.guest("bench", count, QUIET, "short=1")
        rows = good_rows(runner.machine(f"guest on {count} testudos", files=files, cpu=runner.cpu), "testudo")
        return named(rows, "l2_cpuid", f"l{count + 1}_cpuid_testudo", "testudo")
    return source


def content(lines):
    """Every Linux of a run has to be, and each of them says it."""
    return "VERDICT: PASS" in lines and "VERDICT: FAIL" not in lines


def linux_rounds(subject, row, deep=0, level_below=None):
    """CPUID of a tiny guest of Linux/KVM, `deep` of them more beneath it. Where KVM is the lowest hypervisor and so is L0 in this row, it is L1 of
    the row of one level less that has no L0: the same run, as `level_below` bare."""
    def source(runner):
        what = f"linux {row} {subject}"
        files = disks.linux_rounds(subject == "testudo", row, deep, QUIET)
        lines = runner.machine(what, files=files, memory=1024 if deep > 1 else 768, seconds=1800).lines
        rows = [found for found in bench_rows.of_guest(lines, subject) if found.name == row]
        if not rows or not content(lines):
            raise Broken("the guest's rounds did not go as they should")
        return rows + ([bench_rows.make(level_below, "bare", rows[0].ticks)] if level_below else [])
    return source


def counts(lines, name):
    """What the lowest hypervisor had counted when Linux came to a point: a dictionary, of what is known (tests/linux/tool.c)."""
    found = next((line.split()[2:] for line in lines if line.startswith(f"COUNTS {name} ")), [])
    return {kind: int(value) for kind, value in zip(("exits", *bench_rows.ACCESSES), found) if value != "-"}


def linux_boot(subject):
    """From reset to L1's userspace, no guests; Testudo's console quiet, since its lines would be counted as the UART's slowness."""
    def source(runner):
        files = disks.linux(subject == "testudo", "l1.only=boot", QUIET)
        lines = runner.machine(f"linux boot {subject}", files=files, memory=768).lines
        count = ticks(lines, "userspace")
        if not count:
            raise Broken("Linux did not come to its userspace")
        return [bench_rows.make("linux_boot", subject, count, counts(lines, "userspace"))]
    return source


def linux_boot_l2(subject):
    """Linux/KVM as L1 boots Linux as L2: from the VMM's start until it has ended by itself. With KVM as L0 L1 is its guest, a Linux like it."""
    def source(runner):
        files = disks.linux(subject == "testudo", "l1.only=linux" + (" l1.deep=1" if subject == "kvm" else ""), QUIET)
        lines = runner.machine(f"linux l2 boot {subject}", files=files, memory=768).lines
        # L1's own lines are the later ones where L0 is Linux, too.
        later = lines[::-1]
        begin, end = ticks(later, "userspace"), ticks(later, "linux")
        if not begin or not end or not content(lines):
            raise Broken("L2 did not boot and end by itself")
        before, after = counts(later, "userspace"), counts(later, "linux")
        return [bench_rows.make("linux_boot_l2", subject, end - begin, {kind: after[kind] - before[kind] for kind in before})]
    return source


@dataclass(frozen=True)
class Source:
    name: str
    subject: str
    rows: object                # Runner -> list of Row; raises Broken
    deep: bool = False          # takes very long: only with --deep


SOURCES = [
    Source("guest", "bare", guest("bare")),
    Source("guest", "testudo", guest("testudo")),
    Source("guest", "kvm", guest_on_kvm),
    Source("without-shadowing", "testudo", without_shadowing("testudo")),
    Source("without-shadowing", "kvm", without_shadowing("kvm")),
    Source("linux-cpuid", "bare", linux_rounds("bare", "kvm_l2_cpuid")),
    Source("linux-cpuid", "testudo", linux_rounds("testudo", "kvm_l2_cpuid")),
    Source("linux-cpuid", "kvm", linux_rounds("kvm", "kvm_l2_cpuid", deep=1, level_below="l3_cpuid_kvm")),
    Source("linux-levels", "testudo", linux_rounds("testudo", "l3_cpuid_kvm", deep=1)),
    Source("linux-levels-deep", "kvm", linux_rounds("kvm", "l3_cpuid_kvm", deep=2), deep=True),
    Source("linux-boot", "bare", linux_boot("bare")),
    Source("linux-boot", "testudo", linux_boot("testudo")),
    Source("linux-boot-l2", "bare", linux_boot_l2("bare")),
    Source("linux-boot-l2", "testudo", linux_boot_l2("testudo")),
    Source("linux-boot-l2-deep", "kvm", linux_boot_l2("kvm"), deep=True),
    Source("levels", "testudo", on_levels(2)),
    Source("levels-deep", "testudo", on_levels(3), deep=True),
]


def chosen(sources, subjects, deep):
    """Those that are asked for; a name of a source or a pattern of names limits them further."""
    for source in SOURCES:
        if source.subject in subjects and (deep or not source.deep) and (not sources or any(re.fullmatch(s, source.name) for s in sources)):
            yield source
