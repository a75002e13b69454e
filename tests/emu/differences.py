# SPDX-License-Identifier: MIT
"""Where the emulator goes another way than the SDM, so that the bare machine gives another answer than Testudo: all such places, and nothing else.

Each is one scenario by its exact name, or one rule of VM entry by the exact text in which Testudo gives it as the reason, with the title of the
SDM's section that the emulator departs from. Never a pattern. `make same` tells which entries a run did not need.
"""
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    name: str           # the scenario, or the rule
    section: str        # of the SDM
    why: str
    both: bool = False  # a scenario that goes wrong on Testudo too, since the work is the emulator's there as well
    field: int = 0      # a rule: only where this is changed, to one of these values
    values: tuple = ()

    def explains(self, changes):
        return not self.field or changes.get(self.field) in self.values

    def __str__(self):
        return f"SDM \"{self.section}\": {self.why}"


BLOCKED_INITS = ("at_launch", "at_resume", "with_exception", "with_software_interrupt", "with_msr_list", "with_blocking", "with_debug_trap",
                 "with_monitor_trap_flag", "with_timer", "with_timer_at_zero", "after_failed_launch", "after_failed_resume",
                 "in_wait_for_sipi", "at_vmxoff", "storm_in_root")

SCENARIOS = {fault.name: fault for fault in [
    Fault("guest.nmi_with_nmi_blocking_and_virtual_nmis", "Checks on Guest Non-Register State", "Bochs 3.0 does not check this at entry",
          both=True),
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
    Fault("init.apic_mode", "x2APIC State Transitions", "Bochs 3.0's INIT leaves x2APIC mode"),
] + [Fault(f"init.blocked.{name}", "Restrictions on VMX Operation", "Bochs 3.0 loses an INIT that comes in VMX root operation")
     for name in BLOCKED_INITS]}

GUEST_SS_SELECTOR = 0x804
# Rules about SS that apply to a usable one, whatever its selector.
OF_A_USABLE_SS = ("guest SS base: bits 63:32 are not 0",) + tuple(f"guest SS access rights: {rule}" for rule in (
    "type is not that of accessed, writable data", "S is 0", "DPL differs from the selector's RPL", "P is 0", "bits 11:8 are not 0",
    "G is 1, but bits 11:0 of the limit are not all 1", "G is 0, but bits 31:20 of the limit are not 0", "bits 31:17 are not 0"))

# Testudo refuses the entry for this rule, and the emulator does not check it (or not in this place).
RULES = {fault.name: fault for fault in [
    Fault("guest IA32_DEBUGCTL: a reserved bit is 1", "Checks on Guest Control Registers, Debug Registers, and MSRs",
          "Bochs takes every value"),
    Fault("guest pending debug exceptions: a reserved bit is 1", "Checks on Guest Non-Register State", "Bochs looks at bits 31:0 only"),
    Fault("guest RIP: bits beyond the linear-address width are not alike", "Checks on Guest RIP, RFLAGS, and SSP",
          "Bochs does not check RIP in 64-bit mode"),
    Fault("VM-entry MSR-load count: more than IA32_VMX_MISC recommends", "VM-Entry Controls for MSRs",
          "a count above the maximum is undefined there; Bochs goes through the list, Testudo refuses"),
    Fault("guest IA32_PERF_GLOBAL_CTRL: a reserved bit is 1", "Checks on Guest Control Registers, Debug Registers, and MSRs",
          "Bochs takes every value"),
    Fault("host IA32_PERF_GLOBAL_CTRL: a reserved bit is 1", "Checks on Host Control Registers, MSRs, and SSP", "Bochs takes every value"),
    Fault("guest pending debug exceptions: BS does not fit RFLAGS.TF and BTF", "Checks on Guest Non-Register State",
          "Bochs does not compare BS with RFLAGS.TF"),
    Fault("guest CR0.PG: 0 in an IA-32e mode guest", "Checks on Guest Control Registers, Debug Registers, and MSRs",
          "Bochs enters an unrestricted guest in IA-32e mode without CR0.PG"),
    Fault("guest RFLAGS.VM: 1 with CR0.PE 0", "Checks on Guest RIP, RFLAGS, and SSP", "Bochs does not compare RFLAGS.VM with CR0.PE"),
    Fault("guest activity state: it blocks the injected event", "Checks on Guest Non-Register State",
          "Bochs takes every injected event into the HLT state"),
    Fault("posted interrupts without virtual-interrupt delivery", "VM-Execution Control Fields",
          "Bochs does not compare the two"),
    Fault("VM-entry MSR-load area: the entry of this number may not be loaded", "Loading MSRs",
          "unknown MSRs do not fault in Bochs as these runs use it", field=0x8005, values=(0x79, 0x9b)),
] + [Fault(rule, "Checks on Guest Segment Registers", "Bochs checks no more of SS in 64-bit mode when its selector is null",
           field=GUEST_SS_SELECTOR, values=(0, 1, 2, 3)) for rule in OF_A_USABLE_SS]}

# A field that one of the two runs saved with another value, all else being the same.
SAVED = {0x2802: Fault("saved GUEST_IA32_DEBUGCTL", "Saving Control Registers, Debug Registers, and MSRs",
                       "Bochs leaves the field as it was, whether IA32_DEBUGCTL was loaded from it or not")}
