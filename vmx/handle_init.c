/* SPDX-License-Identifier: MIT */
/*
 * INIT and SIPI of L1's processors. SDM "Processor State After Reset",
 * "Multiple-Processor (MP) Initialization".
 */

#include "arch/ops.h"
#include "arch/vmx_ops.h"
#include "arch/x86.h"
#include "vmx/apic_reset.h"
#include "vmx/events.h"
#include "vmx/exits.h"
#include "vmx/nested/merge.h"
#include "vmx/nested/nested.h"
#include "vmx/nested/windows.h"
#include "vmx/shutdown.h"
#include "vmx/stop.h"

#define APIC_BASE_BSP BIT(8)

struct reset_value {
	vmcs_field field;
	u64 value;
};

#define R(name, value) { VMCS_FIELD(name), value }
/* SDM "IA-32 and Intel 64 Processor States Following Power-up, Reset, or INIT". */
static const struct reset_value reset_values[] = {
	R(GUEST_RFLAGS, RFLAGS_FIXED), R(GUEST_RIP, 0xfff0), R(GUEST_RSP, 0), R(GUEST_CR3, 0),
	R(GUEST_CR4, CR4_VMXE), R(CR4_READ_SHADOW, 0), R(GUEST_DR7, DR7_FIXED), R(GUEST_IA32_EFER, 0),
	R(GUEST_CS_SELECTOR, 0xf000), R(GUEST_CS_BASE, 0xffff0000), R(GUEST_CS_LIMIT, 0xffff), R(GUEST_CS_ACCESS_RIGHTS, 0x9b),
	R(GUEST_SS_SELECTOR, 0), R(GUEST_SS_BASE, 0), R(GUEST_SS_LIMIT, 0xffff), R(GUEST_SS_ACCESS_RIGHTS, 0x93),
	R(GUEST_DS_SELECTOR, 0), R(GUEST_DS_BASE, 0), R(GUEST_DS_LIMIT, 0xffff), R(GUEST_DS_ACCESS_RIGHTS, 0x93),
	R(GUEST_ES_SELECTOR, 0), R(GUEST_ES_BASE, 0), R(GUEST_ES_LIMIT, 0xffff), R(GUEST_ES_ACCESS_RIGHTS, 0x93),
	R(GUEST_FS_SELECTOR, 0), R(GUEST_FS_BASE, 0), R(GUEST_FS_LIMIT, 0xffff), R(GUEST_FS_ACCESS_RIGHTS, 0x93),
	R(GUEST_GS_SELECTOR, 0), R(GUEST_GS_BASE, 0), R(GUEST_GS_LIMIT, 0xffff), R(GUEST_GS_ACCESS_RIGHTS, 0x93),
	R(GUEST_GDTR_BASE, 0), R(GUEST_GDTR_LIMIT, 0xffff), R(GUEST_IDTR_BASE, 0), R(GUEST_IDTR_LIMIT, 0xffff),
	R(GUEST_LDTR_SELECTOR, 0), R(GUEST_LDTR_BASE, 0), R(GUEST_LDTR_LIMIT, 0xffff), R(GUEST_LDTR_ACCESS_RIGHTS, 0x82),
	R(GUEST_TR_SELECTOR, 0), R(GUEST_TR_BASE, 0), R(GUEST_TR_LIMIT, 0xffff), R(GUEST_TR_ACCESS_RIGHTS, 0x8b),
	R(GUEST_PENDING_DEBUG_EXCEPTIONS, 0), R(GUEST_INTERRUPTIBILITY_STATE, 0), R(ENTRY_INTERRUPTION_INFORMATION, 0),
	R(GUEST_ACTIVITY_STATE, ACTIVITY_WAIT_FOR_SIPI),
};
#undef R

static void reset_registers(struct vcpu *vcpu)
{
	u64 kept = vmcs_read(&vcpu->vmcs01, VMCS_GUEST_CR0) & (CR0_CD | CR0_NW);
	u64 entry = vmcs_read(&vcpu->vmcs01, VMCS_ENTRY_CONTROLS);

	/* Each instruction here is one more during which a SIPI is lost. */
	for (const struct reset_value *row = reset_values; row != reset_values + array_size(reset_values); row++)
		vmcs_write_known(&vcpu->vmcs01, row->field, row->value);
	count_many(COUNTER_VMWRITES, array_size(reset_values));
	vmcs_write(&vcpu->vmcs01, VMCS_GUEST_CR0, CR0_ET | CR0_NE | kept);
	vmcs_write(&vcpu->vmcs01, VMCS_CR0_READ_SHADOW, CR0_ET | kept);
	vmcs_write(&vcpu->vmcs01, VMCS_ENTRY_CONTROLS, entry & ~(u64)ENTRY_IA32E_MODE_GUEST);
	for (u32 i = 0; i < REG_COUNT; i++)
		vcpu->regs.gpr[i] = 0;
	vcpu->regs.gpr[REG_RDX] = cpuid(1, 0).eax;
	write_cr2(0);
	write_dr0(0);
	write_dr1(0);
	write_dr2(0);
	write_dr3(0);
	write_dr6(0xffff0ff0);
	/* What was cached with paging on must not be used without. */
	if (caps_allow(vcpu->nested->hardware, WORD_PROC2, PROC2_ENABLE_VPID))
		(void)invvpid(INVVPID_SINGLE, VPID01, 0);
}

/*
 * Short, and without a word on the console: a SIPI that comes before the processor waits
 * for it is lost, as SDM "Multiple-Processor (MP) Initialization" has it. So the local APIC
 * is disabled here and the rest of its reset is left to handle_sipi(): until then nothing of
 * L1 runs here. What is not reset INIT leaves as it is: MSRs, XCR0, x87 and SSE state, TSC, MTRRs.
 */
void handle_init_signal(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct nested *nested = vcpu->nested;

	(void)exit;
	if (unlikely(stop_takes_init(vcpu->cpu)))
		return;
	/* Blocked in VMX root operation. SDM "Restrictions on VMX Operation". */
	if (nested->state != NESTED_OUTSIDE) {
		nested->waiting |= WAITING_INIT;
		return;
	}
	/*
	 * The bootstrap processor does not wait for a SIPI but starts at the reset vector; the firmware that it
	 * would run there expects a machine after reset.
	 */
	if (rdmsr(IA32_APIC_BASE) & APIC_BASE_BSP)
		shutdown("INIT to the bootstrap processor");
	/* SDM "Miscellaneous Data". The loader launches no second processor there: L1 has made the bootstrap processor none. */
	if (!(nested->hardware->misc & VMX_MISC_ACTIVITY_WAIT_FOR_SIPI))
		shutdown("INIT, and the processor cannot wait for a SIPI in VMX non-root operation");
	nested->waiting = 0;
	windows_close_nmi(vcpu);
	apic_disable();
	reset_registers(vcpu);
	__atomic_store_n(&vcpu->cpu->waits_for_sipi, true, __ATOMIC_RELEASE);
}

void handle_sipi(struct vcpu *vcpu, const struct vm_exit *exit)
{
	u64 vector = exit->qualification & 0xff;

	/* It waits for RESET alone. Which activity the exit saves is not the same everywhere. */
	if (vcpu->nested->slow & SLOW_ABORTED) {
		vmcs_write(&vcpu->vmcs01, VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_WAIT_FOR_SIPI);
		return;
	}
	__atomic_store_n(&vcpu->cpu->waits_for_sipi, false, __ATOMIC_RELEASE);
	apic_reset();
	vmcs_write(&vcpu->vmcs01, VMCS_GUEST_CS_SELECTOR, vector << 8);
	vmcs_write(&vcpu->vmcs01, VMCS_GUEST_CS_BASE, vector << 12);
	vmcs_write(&vcpu->vmcs01, VMCS_GUEST_RIP, 0);
	vmcs_write(&vcpu->vmcs01, VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
	vmcs_write(&vcpu->vmcs01, VMCS_GUEST_INTERRUPTIBILITY_STATE, 0);
}
