/* SPDX-License-Identifier: MIT */
/*
 * What Testudo does without, but uses or hands on to L1 where the processor has it, as one
 * table of bits with what each is for. Touches no hardware itself. A
 * test holds it against vmx/controls.def, docs/hardware.md tells since when they are there.
 */
#include "arch/bits.h"
#include "boot/uefi/machine_check.h"

#define WORD(member) MACHINE_WORD(member)
#define ALLOWED_1(bit) MACHINE_ALLOWED_1(bit)
#define PIN(bit, what, purpose) { WORD(pin), ALLOWED_1(bit), what " (pin-based control " #bit ")", purpose }
#define PROC(bit, what, purpose) { WORD(proc), ALLOWED_1(bit), what " (processor-based control " #bit ")", purpose }
#define PROC2(bit, what, purpose) { WORD(proc2), ALLOWED_1(bit), what " (secondary control " #bit ")", purpose }
#define EXIT(bit, what, purpose) { WORD(exit), ALLOWED_1(bit), what " (VM-exit control " #bit ")", purpose }
#define ENTRY(bit, what, purpose) { WORD(entry), ALLOWED_1(bit), what " (VM-entry control " #bit ")", purpose }
#define EPT(position, what, purpose) { WORD(ept_vpid), BIT(position), what " (IA32_VMX_EPT_VPID_CAP bit " #position ")", purpose }
#define MISC(position, what, purpose) { WORD(misc), BIT(position), what " (IA32_VMX_MISC bit " #position ")", purpose }

static const struct machine_bit options[] = {
	PROC2(14, "VMCS shadowing", "most VMREADs and VMWRITEs of L1 without exits"),
	EPT(17, "EPT with 1 GB pages", "12 MB less of memory for Testudo, fewer TLB misses"),
	PROC2(5, "VPID", "entries and exits keep the TLB"),
	EPT(32, "INVVPID", "of one's own TLB entries"),
	EPT(40, "INVVPID of an address", "for L1's hypervisor"),
	EPT(41, "INVVPID of a context", "for L1's hypervisor"),
	EPT(42, "INVVPID of all contexts", "for L1's hypervisor"),
	EPT(43, "INVVPID of a context but for globals", "for L1's hypervisor"),
	EPT(25, "INVEPT of a context", "for L1's hypervisor"),
	EPT(0, "EPT with pages only to execute", "for L1's hypervisor"),
	EPT(21, "EPT with accessed and dirty flags", "L1's hypervisor sees which pages are used"),
	EPT(22, "EPT violations with more information", "for L1's hypervisor"),
	PIN(3, "NMI exiting", "for L1's hypervisor, and an NMI that meets Testudo"),
	PIN(5, "virtual NMIs", "for L1's hypervisor, and an NMI that meets Testudo"),
	PIN(6, "VMX-preemption timer", "for L1's hypervisor; events for L2 that must not wait"),
	EXIT(22, "save the VMX-preemption timer", "for L1's hypervisor"),
	PIN(7, "posted interrupts", "interrupts for L2 without exits"),
	PROC(21, "TPR shadow", "task priority of L2 without exits"),
	PROC2(0, "virtual APIC page", "accesses of L2 to its APIC"),
	PROC2(4, "x2APIC virtualization", "accesses of L2 to its x2APIC"),
	PROC2(8, "APIC-register virtualization", "reads of L2's APIC without exits"),
	PROC2(9, "virtual-interrupt delivery", "interrupts for L2 without exits"),
	PROC(27, "monitor trap flag", "L1's hypervisor steps by instructions"),
	PROC2(2, "descriptor-table exiting", "for L1's hypervisor"),
	PROC2(3, "RDTSCP in guests", "L1 and L2 may use it"),
	PROC2(6, "WBINVD exiting", "for L1's hypervisor"),
	PROC2(10, "PAUSE-loop exiting", "for L1's hypervisor"),
	PROC2(11, "RDRAND exiting", "for L1's hypervisor"),
	PROC2(12, "INVPCID in guests", "L1 and L2 may use it"),
	PROC2(13, "VM functions", "for L1's hypervisor"),
	{ WORD(vmfunc), BIT(0), "EPTP switching (IA32_VMX_VMFUNC bit 0)", "L2 changes its EPT without exits" },
	PROC2(15, "ENCLS exiting", "for L1's hypervisor, with SGX"),
	PROC2(16, "RDSEED exiting", "for L1's hypervisor"),
	PROC2(17, "page-modification log, PML", "L1's hypervisor logs which pages are written"),
	PROC2(18, "virtualization exceptions, #VE", "EPT violations that L2 handles"),
	PROC2(20, "XSAVES in guests", "L1 and L2 may use it"),
	PROC2(22, "mode-based execute control of EPT", "L1's hypervisor tells user code from kernel code"),
	PROC2(23, "sub-page write permissions, SPP", "for L1's hypervisor"),
	PROC2(25, "TSC scaling", "L2 with a time-stamp counter of another speed"),
	PROC2(26, "user wait and pause", "L1 and L2 may use TPAUSE, UMONITOR, UMWAIT"),
	PROC2(28, "ENCLV exiting", "for L1's hypervisor, with SGX"),
	PROC2(31, "instruction timeout", "for L1's hypervisor"),
	EXIT(18, "save IA32_PAT", "L1's own PAT"),
	EXIT(19, "load IA32_PAT at exits", "Testudo's own PAT"),
	ENTRY(14, "load IA32_PAT at entries", "L1's own PAT"),
	EXIT(12, "load IA32_PERF_GLOBAL_CTRL at exits", "for L1's hypervisor"),
	EXIT(30, "save IA32_PERF_GLOBAL_CTRL", "for L1's hypervisor"),
	ENTRY(13, "load IA32_PERF_GLOBAL_CTRL at entries", "for L1's hypervisor"),
	EXIT(28, "load CET state at exits", "for L1's hypervisor, control-flow enforcement"),
	ENTRY(20, "load CET state at entries", "for L1's hypervisor, control-flow enforcement"),
	EXIT(29, "load PKRS at exits", "for L1's hypervisor, supervisor protection keys"),
	ENTRY(22, "load PKRS at entries", "for L1's hypervisor, supervisor protection keys"),
	EXIT(27, "clear UINV", "for L1's hypervisor, user interrupts"),
	ENTRY(19, "load UINV", "for L1's hypervisor, user interrupts"),
	MISC(8, "activity state wait-for-SIPI", "more than one processor: L1 starts them by INIT and SIPI"),
	MISC(29, "VMWRITE to any field", "for L1's hypervisor"),
	MISC(30, "injection of instructions of length 0", "for L1's hypervisor"),
};

void machine_options(const struct machine *machine, machine_tell *tell, void *context)
{
	for (size_t i = 0; i < array_size(options); i++) {
		struct machine_finding finding = { MACHINE_UNKNOWN, options[i].what, options[i].purpose, NULL, NULL };

		if (machine->has_vmx)
			finding.state = machine_has(machine, &options[i]) ? MACHINE_FOUND : MACHINE_MISSING;
		tell(context, &finding);
	}
}
