# SPDX-License-Identifier: MIT
"""Where the emulator goes another way than the SDM, so that the bare machine gives another answer than Testudo: all such places, and nothing else.

Each is one scenario by its exact name, or one rule of VM entry by the exact text in which Testudo gives it as the reason, with the title of the
SDM's section that the emulator departs from. Never a pattern. A rule has a condition, too: what the launch had changed must break it, whatever
Testudo says. `make same` tells which entries a run did not need.
"""
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    name: str           # the scenario, or the rule
    section: str        # of the SDM
    why: str
    both: bool = False  # a scenario that goes wrong on Testudo too, since the work is the emulator's there as well
    broken: Callable = None  # a rule: is it, by what this launch of borders.py has changed?

    def __str__(self):
        return f"SDM \"{self.section}\": {self.why}"


BLOCKED_INITS = ("at_launch", "at_resume", "with_exception", "with_software_interrupt", "with_msr_list", "with_blocking", "with_debug_trap",
                 "with_monitor_trap_flag", "with_timer", "with_timer_at_zero", "after_failed_launch", "after_failed_resume",
                 "in_wait_for_sipi", "at_vmxoff", "storm_in_root")

SCENARIOS = {fault.name: fault for fault in [
    Fault("guest.nmi_with_nmi_blocking_and_virtual_nmis", "Checks on Guest Non-Register State", "Bochs 3.0 does not check this at entry"),
    Fault("guest.long_mode_without_paging", "Checks on Guest Control Registers, Debug Registers, and MSRs",
          "Bochs 3.0 enters an unrestricted guest in IA-32e mode without CR0.PG"),
    Fault("guest.debugctl_reserved", "Checks on Guest Control Registers, Debug Registers, and MSRs", "Bochs 3.0 takes every value"),
    Fault("guest.perf_global_ctrl_reserved", "Checks on Guest Control Registers, Debug Registers, and MSRs", "Bochs 3.0 takes every value"),
    Fault("guest.rip_unused_bits_differ", "Checks on Guest RIP, RFLAGS, and SSP", "Bochs 3.0 does not check RIP in 64-bit mode"),
    Fault("guest.pending_step_without_tf", "Checks on Guest Non-Register State", "Bochs 3.0 does not compare BS with RFLAGS.TF"),
    Fault("guest.tf_without_pending_step", "Checks on Guest Non-Register State", "Bochs 3.0 does not compare BS with RFLAGS.TF"),
    Fault("guest.nmi_with_sti_blocking", "VM-Entry Failures During or After Loading Guest State",
          "Bochs 3.0 refuses it with qualification 0", both=True),
    Fault("v8086.without_protection", "Checks on Guest RIP, RFLAGS, and SSP", "Bochs 3.0 does not compare RFLAGS.VM with CR0.PE"),
    Fault("feature.posting_without_delivery", "VM-Execution Control Fields",
          "Bochs 3.0 does not compare posted interrupts with virtual-interrupt delivery"),
    Fault("feature.host_perf_global_ctrl_reserved", "Checks on Host Control Registers, MSRs, and SSP", "Bochs 3.0 takes every value"),
    Fault("unpaged.vmxon", "Restrictions on VMX Operation", "Bochs 3.0's VMXON does not ask for CR0.PG"),
    Fault("init.control_registers", "Processor State After Reset", "Bochs 3.0's INIT keeps CR2, clears EDX and sets CR0.CD and NW"),
    Fault("init.interrupts_before_sipi", "Local APIC State After It Has Been Software Disabled", "Bochs 3.0's takes interrupts all the same"),
    Fault("state.refused_in_hlt", "Checks on Guest Non-Register State", "Bochs 3.0 takes every injected event into the HLT state"),
    Fault("shadow_vmcs.vm_entry", "Basic VM-Entry Checks", "Bochs 3.0 does not look for a shadow VMCS there"),
    Fault("ve.eptp_index", "EPTP Switching", "Bochs 3.0 takes the EPTP index from the last VMFUNC, not from the VMCS at VM entry"),
    Fault("pml.violation_when_full", "Page-Modification Logging", "Bochs 3.0 asks for room where no flag of EPT must be set"),
    Fault("mode_execute.data_violation", "Exit Qualification for EPT Violations", "Bochs 3.0 tells bit 6 of fetches only"),
    Fault("pkrs.entry_checks", "Checks on Host Control Registers, MSRs, and SSP", "Bochs 3.1 lets bits 63:32 of PKRS pass, guest's and host's"),
    Fault("ve.monitor_trap_flag", "Saving RIP, RSP, RFLAGS, and SSP",
          "Bochs 3.0 with several processors saves the RIP before an exception that was delivered in the guest"),
    Fault("init.apic_mode", "x2APIC State Transitions", "Bochs 3.0's INIT leaves x2APIC mode"),
] + [Fault(f"init.blocked.{name}", "Restrictions on VMX Operation", "Bochs 3.0 loses an INIT that comes in VMX root operation")
     for name in BLOCKED_INITS]}

# Encodings, and what lies in memory, as the guest `borders` numbers them.
SS_SELECTOR, DEBUGCTL, GUEST_PERF, HOST_PERF, PIN, PROC, PROC2 = 0x804, 0x2802, 0x2808, 0x2c04, 0x4000, 0x4002, 0x401e
ENTRY, LOAD_COUNT, INJECTED, INTERRUPTIBILITY, ACTIVITY = 0x4012, 0x4014, 0x4016, 0x4824, 0x4826
CR0, RIP, RFLAGS, PENDING, MSR_INDEX = 0x6800, 0x681e, 0x6820, 0x6822, 0x8005
LONG_MODE = ("ia32e", "compatibility")
HLT = 1


def kind_of(launch):
    return launch.kind.split(".")[0]


# As tests/guests/borders/kinds.c has it.
MANY_CONTROLS = ("ia32e.rich", "compatibility.no_ept", "paging32.no_ept", "pae.rich", "virtual8086.no_ept", "real.rich")


def has_many_controls(launch):
    return launch.kind in MANY_CONTROLS


def bit(launch, field, number, unchanged):
    """Of the field as the launch has it; `unchanged` is what its kind of L2 has."""
    value = launch.changes.get(field)
    return bool(unchanged if value is None else value >> number & 1)


def changed(launch, field, mask):
    return bool((launch.changes.get(field) or 0) & mask)


def step_does_not_fit(launch):
    blocked = bit(launch, INTERRUPTIBILITY, 0, 0) or bit(launch, INTERRUPTIBILITY, 1, 0) or launch.changes.get(ACTIVITY) == HLT
    branches = bit(launch, DEBUGCTL, 1, 0) and bit(launch, ENTRY, 2, 1)
    return blocked and bit(launch, PENDING, 14, 0) != (bit(launch, RFLAGS, 8, 0) and not branches)


def injects_blocked_nmi(launch):
    injected = launch.changes.get(INJECTED, 0)
    return injected >> 31 and injected >> 8 & 7 == 2 and bit(launch, INTERRUPTIBILITY, 3, 0) and bit(launch, PIN, 5, has_many_controls(launch))


def is_long_mode(launch):
    return bit(launch, ENTRY, 9, kind_of(launch) in LONG_MODE)


# Rules about SS that apply to a usable one, whatever its selector.
OF_A_USABLE_SS = ("guest SS base: bits 63:32 are not 0",) + tuple(f"guest SS access rights: {rule}" for rule in (
    "type is not that of accessed, writable data", "S is 0", "DPL differs from the selector's RPL", "P is 0", "bits 11:8 are not 0",
    "G is 1, but bits 11:0 of the limit are not all 1", "G is 0, but bits 31:20 of the limit are not 0", "bits 31:17 are not 0"))

# Testudo refuses the entry for this rule, and the emulator does not check it (or not in this place).
RULES = {fault.name: fault for fault in [
    Fault("guest IA32_DEBUGCTL: a reserved bit is 1", "Checks on Guest Control Registers, Debug Registers, and MSRs",
          "Bochs takes every value", broken=lambda launch: changed(launch, DEBUGCTL, ~0x7fc3)),
    Fault("guest pending debug exceptions: a reserved bit is 1", "Checks on Guest Non-Register State", "Bochs looks at bits 31:0 only",
          broken=lambda launch: changed(launch, PENDING, ~0xffffffff)),
    Fault("guest RIP: bits beyond the linear-address width are not alike", "Checks on Guest RIP, RFLAGS, and SSP",
          "Bochs does not check RIP in 64-bit mode", broken=lambda launch: launch.changes.get(RIP, 0) >> 48 not in (0, 0xffff)),
    Fault("VM-entry MSR-load count: more than IA32_VMX_MISC recommends", "VM-Entry Controls for MSRs",
          "a count above the maximum is undefined there; Bochs goes through the list, Testudo refuses",
          broken=lambda launch: launch.changes.get(LOAD_COUNT, 0) > 512),
    Fault("guest IA32_PERF_GLOBAL_CTRL: a reserved bit is 1", "Checks on Guest Control Registers, Debug Registers, and MSRs",
          "Bochs takes every value", broken=lambda launch: changed(launch, GUEST_PERF, ~0) and changed(launch, ENTRY, 1 << 13)),
    Fault("host IA32_PERF_GLOBAL_CTRL: a reserved bit is 1", "Checks on Host Control Registers, MSRs, and SSP", "Bochs takes every value",
          broken=lambda launch: changed(launch, HOST_PERF, ~0)),
    Fault("guest pending debug exceptions: BS does not fit RFLAGS.TF and BTF", "Checks on Guest Non-Register State",
          "Bochs does not compare BS with RFLAGS.TF", broken=step_does_not_fit),
    Fault("guest CR0.PG: 0 in an IA-32e mode guest", "Checks on Guest Control Registers, Debug Registers, and MSRs",
          "Bochs enters an unrestricted guest in IA-32e mode without CR0.PG",
          broken=lambda launch: is_long_mode(launch) and not bit(launch, CR0, 31, kind_of(launch) not in ("unpaged", "real"))),
    Fault("guest RFLAGS.VM: 1 with CR0.PE 0", "Checks on Guest RIP, RFLAGS, and SSP", "Bochs does not compare RFLAGS.VM with CR0.PE",
          broken=lambda launch: bit(launch, RFLAGS, 17, kind_of(launch) == "virtual8086") and not bit(launch, CR0, 0, kind_of(launch) != "real")),
    Fault("guest activity state: it blocks the injected event", "Checks on Guest Non-Register State",
          "Bochs takes every injected event into the HLT state",
          broken=lambda launch: launch.changes.get(ACTIVITY) == HLT and bit(launch, INJECTED, 31, 0)),
    Fault("guest interruptibility: blocking by NMI while a virtual NMI is injected", "Checks on Guest Non-Register State",
          "Bochs does not check this at entry", broken=injects_blocked_nmi),
    Fault("posted interrupts without virtual-interrupt delivery", "VM-Execution Control Fields", "Bochs does not compare the two",
          broken=lambda launch: changed(launch, PIN, 1 << 7) and not (bit(launch, PROC2, 9, 0) and bit(launch, PROC, 31, 1))),
    Fault("VM-entry MSR-load area: the entry of this number may not be loaded", "Loading MSRs",
          "unknown MSRs do not fault in Bochs as these runs use it", broken=lambda launch: launch.changes.get(MSR_INDEX) in (0x79, 0x9b)),
] + [Fault(rule, "Checks on Guest Segment Registers", "Bochs checks no more of SS in 64-bit mode when its selector is null",
           broken=lambda launch: kind_of(launch) in LONG_MODE and launch.changes.get(SS_SELECTOR) in (0, 1, 2, 3)) for rule in OF_A_USABLE_SS]}

# A field that one of the two runs saved with another value, all else being the same.
SAVED = {0x2802: Fault("saved GUEST_IA32_DEBUGCTL", "Saving Control Registers, Debug Registers, and MSRs",
                       "Bochs leaves the field as it was, whether IA32_DEBUGCTL was loaded from it or not")}
