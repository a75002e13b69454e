/* SPDX-License-Identifier: MIT */
/*
 * Builds vmcs01: see boot/root/vmcs01.h. Field groups in the SDM's order:
 * "Guest-State Area", "Host-State Area" (vmx/host_state.c), control fields.
 */
#include "boot/root/vmcs01.h"

#include "arch/x86.h"
#include "mm/page_alloc.h"
#include "mm/phys.h"
#include "vmx/heartbeat.h"
#include "vmx/host_state.h"
#include "vmx/nested/merge.h"

#define NO_VMCS UINT64_C(0xffffffffffffffff)

static u32 controls_of(const struct vcpu *vcpu, enum control_word word)
{
	return caps_l0_controls(&vcpu->machine->hardware, word);
}

static void write_segment(const struct vmcs *v, u32 index, const struct segment *segment)
{
	static const struct {
		vmcs_field selector, limit, access_rights, base;
	} fields[] = {
#define SEGMENT(name) { VMCS_FIELD(GUEST_##name##_SELECTOR), VMCS_FIELD(GUEST_##name##_LIMIT), \
			VMCS_FIELD(GUEST_##name##_ACCESS_RIGHTS), VMCS_FIELD(GUEST_##name##_BASE) }
		SEGMENT(ES), SEGMENT(CS), SEGMENT(SS), SEGMENT(DS), SEGMENT(FS), SEGMENT(GS), SEGMENT(LDTR), SEGMENT(TR),
#undef SEGMENT
	};

	vmcs_write(v, fields[index].selector, segment->selector);
	vmcs_write(v, fields[index].limit, segment->limit);
	vmcs_write(v, fields[index].access_rights, segment->access_rights);
	vmcs_write(v, fields[index].base, segment->base);
}

static void write_guest_segments(const struct vmcs *v, const struct firmware_state *state)
{
	const struct segment *segments[] = {
		&state->es, &state->cs, &state->ss, &state->ds, &state->fs, &state->gs, &state->ldtr, &state->tr
	};

	for (u32 i = 0; i < array_size(segments); i++)
		write_segment(v, i, segments[i]);
	vmcs_write(v, VMCS_GUEST_GDTR_BASE, state->gdtr.base);
	vmcs_write(v, VMCS_GUEST_GDTR_LIMIT, state->gdtr.limit);
	vmcs_write(v, VMCS_GUEST_IDTR_BASE, state->idtr.base);
	vmcs_write(v, VMCS_GUEST_IDTR_LIMIT, state->idtr.limit);
}

/* L1 sees CR0 and CR4 as it left them, though VMX operation fixes some bits. */
static void write_control_registers(const struct vcpu *vcpu, const struct firmware_state *state)
{
	const struct vmcs *v = &vcpu->vmcs01;
	const struct vmx_caps *hardware = &vcpu->machine->hardware;

	/* Unrestricted guest: PE and PG are L1's own. SDM "Restrictions on VMX Operation". */
	vmcs_write(v, VMCS_GUEST_CR0, state->cr0 | (hardware->cr0_fixed0 & ~(CR0_PE | CR0_PG)));
	vmcs_write(v, VMCS_CR0_GUEST_HOST_MASK, CR0_NE);
	vmcs_write(v, VMCS_CR0_READ_SHADOW, state->cr0);
	vmcs_write(v, VMCS_GUEST_CR3, state->cr3);
	vmcs_write(v, VMCS_GUEST_CR4, state->cr4 | hardware->cr4_fixed0);
	/* SMXE is owned so that L1 cannot set it: GETSEC is not virtualized, and CPUID does not offer it. */
	vmcs_write(v, VMCS_CR4_GUEST_HOST_MASK, CR4_VMXE | CR4_SMXE);
	vmcs_write(v, VMCS_CR4_READ_SHADOW, state->cr4 & ~CR4_SMXE);
}

static void write_guest_state(struct vcpu *vcpu, const struct firmware_state *state)
{
	const struct vmcs *v = &vcpu->vmcs01;

	write_control_registers(vcpu, state);
	write_guest_segments(v, state);
	vmcs_write(v, VMCS_GUEST_DR7, state->dr7);
	vmcs_write(v, VMCS_GUEST_RSP, state->rsp);
	vmcs_write(v, VMCS_GUEST_RIP, state->frame.return_address);
	vmcs_write(v, VMCS_GUEST_RFLAGS, state->frame.rflags);
	vmcs_write(v, VMCS_GUEST_IA32_DEBUGCTL, state->debugctl);
	vmcs_write(v, VMCS_GUEST_IA32_SYSENTER_CS, state->sysenter_cs);
	vmcs_write(v, VMCS_GUEST_IA32_SYSENTER_ESP, state->sysenter_esp);
	vmcs_write(v, VMCS_GUEST_IA32_SYSENTER_EIP, state->sysenter_eip);
	vmcs_write(v, VMCS_GUEST_IA32_EFER, state->efer);
	if (controls_of(vcpu, WORD_ENTRY) & ENTRY_LOAD_IA32_PAT)
		vmcs_write(v, VMCS_GUEST_IA32_PAT, state->pat);
	vmcs_write(v, VMCS_GUEST_ACTIVITY_STATE, 0);
	vmcs_write(v, VMCS_GUEST_INTERRUPTIBILITY_STATE, 0);
	vmcs_write(v, VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, 0);
	vmcs_write(v, VMCS_VMCS_LINK_POINTER, NO_VMCS);
	vcpu->regs = state->frame.regs;
	vcpu->regs.gpr[REG_RAX] = LAUNCH_OK;	/* what the call returns */
}

/* The one thing that L0 wants of I/O: vmx/sleep_guard.h. */
static void write_io_bitmaps(struct vcpu *vcpu)
{
	const struct vmcs *v = &vcpu->vmcs01;
	const u8 *bitmaps = vcpu->machine->io_bitmaps;

	if (bitmaps == NULL)
		return;
	vmcs_write(v, VMCS_PROCESSOR_BASED_CONTROLS, controls_of(vcpu, WORD_PROC) | PROC_USE_IO_BITMAPS);
	vmcs_write(v, VMCS_IO_BITMAP_A_ADDRESS, phys_of(bitmaps).value);
	vmcs_write(v, VMCS_IO_BITMAP_B_ADDRESS, phys_of(bitmaps + PAGE_SIZE).value);
}

/* Of features that L0 carries out itself for L2, or does not use: nothing that hardware could act upon, in vmcs01 and every vmcs02. */
static void write_unused_controls(struct vcpu *vcpu)
{
	static const vmcs_field unused[] = {
		VMCS_FIELD(VM_FUNCTION_CONTROLS), VMCS_FIELD(EPTP_LIST_ADDRESS), VMCS_FIELD(EPTP_INDEX),
		VMCS_FIELD(VIRTUALIZATION_EXCEPTION_ADDRESS), VMCS_FIELD(HOST_IA32_S_CET), VMCS_FIELD(HOST_SSP),
		VMCS_FIELD(HOST_IA32_INTERRUPT_SSP_TABLE), VMCS_FIELD(HOST_IA32_PKRS),
	};

	for (u32 i = 0; i < array_size(unused); i++)
		if (vmcs_field_exists(&vmcs_fields[unused[i].index], &vcpu->machine->hardware))
			vmcs_write(&vcpu->vmcs01, unused[i], 0);
}

static void write_execution_controls(struct vcpu *vcpu)
{
	const struct vmcs *v = &vcpu->vmcs01;
	u32 proc2 = controls_of(vcpu, WORD_PROC2);

	vmcs_write(v, VMCS_PIN_BASED_CONTROLS, controls_of(vcpu, WORD_PIN));
	vmcs_write(v, VMCS_PROCESSOR_BASED_CONTROLS, controls_of(vcpu, WORD_PROC));
	write_io_bitmaps(vcpu);
	vmcs_write(v, VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS, proc2);
	vmcs_write(v, VMCS_EXCEPTION_BITMAP, 0);
	vmcs_write(v, VMCS_PAGE_FAULT_ERROR_CODE_MASK, 0);
	vmcs_write(v, VMCS_PAGE_FAULT_ERROR_CODE_MATCH, 0);
	vmcs_write(v, VMCS_CR3_TARGET_COUNT, 0);
	vmcs_write(v, VMCS_TSC_OFFSET, 0);
	vmcs_write(v, VMCS_MSR_BITMAP_ADDRESS, phys_of(vcpu->machine->msr_bitmap).value);
	vmcs_write(v, VMCS_EPT_POINTER, vcpu->machine->eptp01);
	if (proc2 & PROC2_ENABLE_VPID)
		vmcs_write(v, VMCS_VPID, VPID01);
	if (proc2 & PROC2_ENABLE_XSAVES)
		vmcs_write(v, VMCS_XSS_EXITING_BITMAP, 0);
	write_unused_controls(vcpu);
}

static void write_exit_and_entry_controls(struct vcpu *vcpu, const struct firmware_state *state)
{
	const struct vmcs *v = &vcpu->vmcs01;
	u32 entry = controls_of(vcpu, WORD_ENTRY);

	if (state->efer & EFER_LMA)
		entry |= ENTRY_IA32E_MODE_GUEST;
	vmcs_write(v, VMCS_EXIT_CONTROLS, controls_of(vcpu, WORD_EXIT));
	vmcs_write(v, VMCS_EXIT_MSR_STORE_COUNT, 0);
	vmcs_write(v, VMCS_EXIT_MSR_LOAD_COUNT, 0);
	vmcs_write(v, VMCS_ENTRY_CONTROLS, entry);
	vmcs_write(v, VMCS_ENTRY_MSR_LOAD_COUNT, 0);
	vmcs_write(v, VMCS_ENTRY_INTERRUPTION_INFORMATION, 0);
}

enum launch_status vmcs01_build(struct vcpu *vcpu, const struct firmware_state *state)
{
	void *region = page_alloc();

	if (region == NULL)
		return LAUNCH_NO_MEMORY;
	vmcs_init(&vcpu->vmcs01, region, (u32)field_get(vcpu->machine->hardware.basic, VMX_BASIC_REVISION), "vmcs01");
	vmcs_load(&vcpu->vmcs01);
	write_guest_state(vcpu, state);
	host_state_write(&vcpu->vmcs01, controls_of(vcpu, WORD_EXIT));
	write_execution_controls(vcpu);
	write_exit_and_entry_controls(vcpu, state);
	heartbeat_begin(vcpu);
	return LAUNCH_OK;
}
