# SPDX-License-Identifier: MIT
"""The launches of the guest `borders`: its lines, the reasons that Testudo gives for its refusals, and where two runs differ.

A line is `L number kind field=value ... > verdict`, and on Testudo `because rule field value` where it refused: the guest asks for the rule by
CPUID (docs/cpuid.md), and docs/refusals.md has its words. Every difference is explained exactly - by a rule that the emulator lacks
(differences.py), by a control that L1 is not offered, by two failures at once - or it is ours.
"""
import re
from dataclasses import dataclass

from differences import ENTRY, RULES, SAVED
from machine import ROOT

LINE = re.compile(r"L (\d+) (\S+)(.*) > (.*?)(?: because (\d+) (\S+) (\S+))?$")
RULE_ROW = re.compile(r"^\| (\d+) \| (.*?) \| `", re.MULTILINE)
CAPABILITY = re.compile(r"I capability (0x[0-9a-f]+) (0x[0-9a-f]+|\d)$")
FIELD_ROW = re.compile(r"^F\((0x[0-9a-f]+), *(\w+)", re.MULTILINE)
REFUSED = re.compile(r"VMfailValid [78]$|exit 3[34] failed")

# Words of controls and the capability MSR whose upper half tells which bits may be 1.
CONTROLS = {0x4000: 0x48d, 0x4002: 0x48e, 0x401e: 0x48b, 0x400c: 0x48f, 0x4012: 0x490}
IN_MEMORY = {0x8000: "VTPR", 0x8001: "PDPTE0 in memory", 0x8002: "PDPTE1 in memory", 0x8003: "PDPTE2 in memory", 0x8004: "PDPTE3 in memory",
             0x8005: "MSR in the VM-entry MSR-load list", 0x8006: "value in the VM-entry MSR-load list"}
# How far an entry came. SDM "VM Entries": controls, host state, guest state, MSRs.
FAILURES = ("VMfailValid 7", "VMfailValid 8", "exit 33 failed", "exit 34 failed")
LINK_POINTER, DEBUGCTL = 0x2800, 0x2802
# Failures of guest state of which the qualification tells; what has 0 may come before or after them.
QUALIFICATION = re.compile(r"exit 33 failed q=(\w+)")
NOT_OFFERED = "not offered"
TWO_FAILURES = "two failures"


@dataclass
class Launch:
    kind: str
    changes: dict                # field: value; None where the processor has no such field
    verdict: str
    rule: str = ""               # Testudo's reason, in the words of docs/refusals.md
    shown_by: tuple = ()         # the field and its value


@dataclass
class Run:
    launches: dict
    capabilities: dict


def number(text):
    return int(text, 0)


def is_gap(launch):
    """The processor refused what all of Testudo's rules let pass: right for L1, but the reason is missing."""
    return "Testudo lacks the check" in launch.rule


def rule_texts():
    return dict(RULE_ROW.findall((ROOT / "docs" / "refusals.md").read_text(encoding="utf-8")))


def read_run(lines):
    run, rules = Run({}, {}), rule_texts()
    for line in lines:
        if (match := CAPABILITY.match(line)):
            run.capabilities[number(match[1])] = number(match[2])
        elif (match := LINE.match(line)):
            words = re.findall(r"(\S+?)(?:=(\S+)| absent)", match[3])
            changes = {number(name): number(value) if value else None for name, value in words}
            run.launches[int(match[1])] = Launch(match[2], changes, match[4], rules.get(match[5] or "", ""), match.group(6, 7))
    return run


def field_names():
    text = (ROOT / "vmx/vmcs_fields.def").read_text(encoding="utf-8")
    return {number(encoding): name for encoding, name in FIELD_ROW.findall(text)} | IN_MEMORY


def same_changes(one, other):
    """A field that one of the two machines does not have is no change there."""
    return one.kind == other.kind and list(one.changes) == list(other.changes) and all(
        None in (value, other.changes[name]) or value == other.changes[name] for name, value in one.changes.items())


def is_not_offered(bare, testudo, launch):
    """A control that the processor has and L1 is not shown was set to 1, and that is what Testudo says."""
    hidden = any(word in launch.changes and launch.changes[word] & ~(testudo.capabilities[msr] >> 32) & (bare.capabilities[msr] >> 32)
                 for word, msr in CONTROLS.items())
    return hidden and launch.verdict == "VMfailValid 7" and launch.rule.endswith("reserved or not offered")


def how_far(verdict):
    return next((i for i, failure in enumerate(FAILURES) if verdict.startswith(failure)), len(FAILURES))


def saved_otherwise(one, other):
    """Testudo has saved IA32_DEBUGCTL as L2 had it, not loaded from the field and so 0, and Bochs has not touched the field."""
    return other.verdict == f"{one.verdict} {DEBUGCTL:#x}:0" and DEBUGCTL in other.changes and not other.changes.get(ENTRY, 4) & 4


def are_two_failures(one, other):
    """SDM "Checks on the Guest State Area": in any order, so of the link pointer's failure and another one either may be told."""
    told = [QUALIFICATION.match(launch.verdict) for launch in (one, other)]
    return (all(told) and sorted(match[1] for match in told) == ["0", "4"] and LINK_POINTER in other.changes and len(other.changes) > 1
            and (number(other.shown_by[0]) == LINK_POINTER) == (told[1][1] == "4"))


def explanation(bare, testudo, one, other):
    """The name of the fault in differences.py, or one of the two words above, that explains why it went another way on Testudo; or None."""
    if is_not_offered(bare, testudo, other):
        return NOT_OFFERED
    if saved_otherwise(one, other):
        return SAVED[DEBUGCTL].name
    # The emulator lets it pass, and so comes at least as far.
    if other.rule in RULES and how_far(one.verdict) >= how_far(other.verdict) and RULES[other.rule].broken(other):
        return other.rule
    return TWO_FAILURES if are_two_failures(one, other) else None


def describe(launch, other, names):
    changes = ", ".join(f"{names.get(name, hex(name))} = {value:#x}" if value is not None else f"{names.get(name, hex(name))} (no such field)"
                        for name, value in launch.changes.items())
    why = "no reason"
    if other.rule:
        why = f"{other.rule}: {names.get(number(other.shown_by[0]), other.shown_by[0])} = {other.shown_by[1]}"
    return f"{launch.kind} with {changes or 'no change'}: bare \"{launch.verdict}\", on Testudo \"{other.verdict}\" ({why})"


def unexplained(bare, testudo):
    """(differences as {name: text}, how often each explanation served, refusals by Testudo without a reason)."""
    names, differences, served, silent = field_names(), {}, {}, []
    for where, has, lacks in (("bare", testudo, bare), ("on Testudo", bare, testudo)):
        if missing := sorted(set(has.launches) - set(lacks.launches)):
            differences[f"launch-{missing[0]}"] = f"missing {where}" + (f", and {len(missing) - 1} more" if len(missing) > 1 else "")
    for key in sorted(set(bare.launches) & set(testudo.launches)):
        one, other = bare.launches[key], testudo.launches[key]
        if REFUSED.match(other.verdict) and (not other.rule or is_gap(other)):
            silent.append(f"{key}, {describe(one, other, names)}")
        if not same_changes(one, other):
            differences[f"launch-{key}"] = f"the changes are not the same: {describe(one, other, names)}; there {other.changes}"
        elif one.verdict != other.verdict:
            why = explanation(bare, testudo, one, other)
            if why:
                served[why] = served.get(why, 0) + 1
            else:
                differences[f"launch-{key}"] = describe(one, other, names)
    return differences, served, silent
