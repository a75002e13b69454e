# SPDX-License-Identifier: MIT
"""What each row is, what it is meant to cost at most, and what KVM was once measured to cost. Data, and the few functions that read it.

REFERENCE is from one measurement on the same emulator: Debian's kernel 6.1 as L0, its KVM with EPT and VMCS shadowing, haswell_4770,
mitigations off, medians of another small guest hypervisor. It stands in for the subject `kvm` only where that was not measured, and is
marked then.
"""
from dataclasses import dataclass

TOUCHED_PAGES = 16384           # of 4 KB in 64 MB
OWN_EXITS = 2                   # of a sweep: L1's VMRESUME and L2's VMCALL


@dataclass(frozen=True)
class Limit:
    """At most so much: of a count of the row on Testudo, or of its ticks in parts of something else's."""
    what: str                   # ticks, exits, accesses; or "bare": the row's ticks there; or the name of another row
    most: float
    exact: bool = False


@dataclass(frozen=True)
class Known:
    name: str
    text: str
    limits: tuple = ()
    picture: bool = False


REFLECTED = (Limit("ticks", 450), Limit("exits", 2, exact=True), Limit("accesses", 50))
STRETCH = 350                   # ticks of a reflected exit: what would be better still

GROUPS = {
    "An exit, reflected to L1 and resumed": [
        Known("l2_cpuid", "L2 CPUID", REFLECTED, True),
        Known("l2_cpuid_like_kvm", "L2 CPUID, L1 touches the fields that KVM does", (Limit("exits", 2, exact=True),)),
        Known("l2_vmcall", "L2 VMCALL", REFLECTED),
        Known("l2_rdmsr", "L2 RDMSR", REFLECTED, True),
        Known("l2_in", "L2 IN", REFLECTED),
        Known("l2_out", "L2 OUT", REFLECTED, True),
        Known("l2_hlt", "L2 HLT", REFLECTED),
        Known("l2_interrupt", "External interrupt while L2 runs", REFLECTED, True),
        Known("l2_cpuid_without_shadowing", "L2 CPUID, VMCS shadowing off", (Limit("ticks", 1200),), True),
        Known("l2_cpuid_like_kvm_without_shadowing", "L2 CPUID as KVM, VMCS shadowing off"),
        Known("l1_cpuid", "L1 CPUID", (Limit("ticks", 100),), True),
    ],
    "Memory of L2": [
        Known("l2_ept_violation", "EPT violation, answered by L1", (Limit("ticks", 1000), Limit("exits", 2, exact=True)), True),
        Known("ept_miss", "Miss that only L0 has to fill", (Limit("ticks", 500),), True),
        Known("ept_miss_neighbours", "The same with mapped neighbours, for a miss"),
        Known("touch_64mb_4k", "L2 touches 64 MB of 4 KB pages", (Limit("exits", TOUCHED_PAGES / 8 + OWN_EXITS),), True),
        Known("touch_64mb_4k_again", "The 4 KB pages once more"),
        Known("touch_64mb_4k_after_invept", "INVEPT, and the 4 KB pages once more", (Limit("touch_64mb_4k", 1 / 4),), True),
        Known("touch_64mb_2m", "L2 touches 64 MB of 2 MB pages", (), True),
        Known("touch_64mb_2m_again", "The 2 MB pages once more"),
        Known("touch_64mb_2m_after_invept", "INVEPT, and the 2 MB pages once more"),
    ],
    "VMCSs": [
        Known("vmptrld_pair", "VMPTRLD of two VMCSs in turn, both", (Limit("ticks", 700),), True),
        Known("l2_cpuid_alternating_2", "L2 CPUID on 2 VMCSs in turn", (), True),
        Known("l2_cpuid_alternating_4", "L2 CPUID on 4 VMCSs in turn"),
        Known("l2_cpuid_alternating_8", "L2 CPUID on 8 VMCSs in turn", (), True),
        Known("vmclear", "VMCLEAR", (), True),
        Known("vmclear_vmptrld", "VMCLEAR and VMPTRLD of the current VMCS"),
        Known("vmptrst", "VMPTRST"),
        Known("vmxon_vmxoff", "VMXOFF and VMXON", (), True),
    ],
    "Caches": [
        Known("invept_single", "INVEPT, single context", (), True),
        Known("invept_all", "INVEPT, all contexts"),
        Known("invvpid_address", "INVVPID, one address"),
        Known("invvpid_single", "INVVPID, single context", (), True),
        Known("invvpid_all", "INVVPID, all contexts"),
    ],
    "VMREAD and VMWRITE": [
        Known("vmread_first", "VMREAD that exits", (Limit("ticks", 200),), True),
        Known("vmwrite_first", "VMWRITE that exits", (Limit("ticks", 200),), True),
    ],
    "Linux, and levels": [
        Known("kvm_l2_cpuid", "L2 CPUID with Linux/KVM as L1", (Limit("ticks", 1450), Limit("exits", 2, exact=True)), True),
        Known("l3_cpuid_testudo", "L3 CPUID on two Testudos", (Limit("ticks", 5000),), True),
        Known("l4_cpuid_testudo", "L4 CPUID on three Testudos"),
        Known("l3_cpuid_kvm", "L3 CPUID with Linux/KVM as L1 and as L2", (Limit("ticks", 16000),), True),
        Known("linux_boot", "Linux boots as L1", (Limit("bare", 1.002),)),
        Known("linux_boot_l2", "Linux boots as L2, KVM as L1", (Limit("bare", 1.03),)),
    ],
}

FIELD_KINDS = {"control": "control", "exit_data": "exit information", "guest": "guest state", "host": "host state"}

REFERENCE = {
    "l1_cpuid": 966, "l2_cpuid": 12868, "l2_cpuid_without_shadowing": 16272, "l2_ept_violation": 19749, "ept_miss": 6623,
    "vmread_first": 1154, "vmwrite_first": 1197, "vmptrld_pair": 13915, "vmclear": 2449, "invept_single": 2334, "vmxon_vmxoff": 9807,
    "kvm_l2_cpuid": 16876, "l3_cpuid_kvm": 254000,
}
# KVM's accesses in one round, which it does not tell: counted once in a trace of the emulator's debugger, same kernel, model corei7_skylake_x.
REFERENCE_ACCESSES = {"l2_cpuid": {"vmreads": 83, "vmwrites": 115, "vmptrlds": 6, "vmclears": 2}}
REFERENCE_NAME = "Linux 6.1, measured once (docs/performance.md)"


def of_field(name):
    """A row such as vmread_32_guest_rare. A field that an L1 uses often must not exit."""
    instruction, width, *rest = name.split("_")
    rare = rest[-1] == "rare"
    kind = FIELD_KINDS["_".join(rest[:-1] if rare else rest)]
    width = width if width == "natural" else f"{width}-bit"
    return Known(name, f"{instruction.upper()}, {width} {kind}, {'rare' if rare else 'frequent'} field",
                 () if rare else (Limit("exits", 0, exact=True),))


def groups(names):
    """The groups with those rows that are there, and what is not in any at the end of the last."""
    listed = {known.name for rows in GROUPS.values() for known in rows}
    for title, rows in GROUPS.items():
        rows = [known for known in rows if known.name in names]
        if title.startswith("VMREAD"):
            rows += [of_field(name) for name in names if name.startswith(("vmread_", "vmwrite_")) and name not in listed]
            listed |= {known.name for known in rows}
        if rows:
            yield title, rows
    rest = [Known(name, name) for name in names if name not in listed]
    if rest:
        yield "Others", rest


def verdicts(known, table):
    """(limit in words, met or not, None where it was not measured) for each limit of a row; `table` is by_name() of all rows."""
    row = table.get(known.name, {}).get("testudo")
    for limit in known.limits:
        if limit.what in ("ticks", "exits", "accesses"):
            found, base, words = getattr(row, limit.what, None), 1, f"{limit.most:,.0f} {limit.what}"
        else:
            other = table.get(known.name if limit.what == "bare" else limit.what, {}).get("bare" if limit.what == "bare" else "testudo")
            found, base = getattr(row, "ticks", None), getattr(other, "ticks", None)
            words = f"{limit.most:g} of {'bare' if limit.what == 'bare' else limit.what}"
        met = None if found is None or base is None else (found == limit.most if limit.exact else found <= limit.most * base)
        yield ("" if limit.exact else "≤ ") + words, met
