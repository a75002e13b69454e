# SPDX-License-Identifier: MIT
"""The launches of the guest `borders`: its lines, the reasons that Testudo gives for its refusals, and where two runs differ.

A line is `L number kind field=value ... > verdict`, and on Testudo `because rule field value` where it refused: the guest asks for the rule by
CPUID (docs/cpuid.md), and docs/refusals.md has its words. Every difference is explained exactly - by a rule that the emulator lacks (differences.py), by a control that L1 is not offered, by two failures at once - or it is ours.
"""
import re
from dataclasses import dataclass

from differences import RULES, SAVED
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


def without_saved(verdict, which):
    return re.sub(rf" {which:#x}:\S+", "", verdict)


def explanation(bare, testudo, one, other):
    """The name of the fault in differences.py, or one of the two words above, that explains why it went another way on Testudo; or None."""
    if is_not_offered(bare, testudo, other):
        return NOT_OFFERED
    for which, fault in SAVED.items():
        if without_saved(one.verdict, which) == without_saved(other.verdict, which):
            return fault.name
    if other.rule in RULES and RULES[other.rule].explains(other.changes):
        return other.rule
    # SDM "Checks on the Guest State Area": in any order, so either failure may be the one that is told.
    if one.verdict.startswith("exit 33 failed") and other.verdict.startswith("exit 33 failed") and len(other.changes) > 1:
        return TWO_FAILURES
    return None


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
    for key in sorted(set(bare.launches) | set(testudo.launches)):
        one, other = bare.launches.get(key), testudo.launches.get(key)
        if one is None or other is None:
            differences[f"launch-{key}"] = f"missing {'bare' if one is None else 'on Testudo'}"
            continue
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
