/* SPDX-License-Identifier: MIT */
/*
 * L1's MOV to CR0 and CR4 where they touch a bit that VMX fixes: the whole
 * instruction is carried out here, with its faults and its change of mode. SDM
 * "Control Registers", "Initializing IA-32e Mode".
 */

#include "vmx/handle_cr.h"

#include "arch/ops.h"
#include "arch/vmx_ops.h"
#include "arch/x86.h"
#include "vmx/emulate.h"
#include "vmx/exits.h"
#include "vmx/nested/check.h"
#include "vmx/nested/merge.h"
#include "vmx/nested/nested.h"
#include "vmx/nested/task_priority.h"
#include "vmx/nested/threshold.h"
#include "vmx/vmx_operand.h"

#define CR_NUMBER BITS(3, 0)
#define CR_ACCESS_TYPE BITS(5, 4)
#define CR_REGISTER BITS(11, 8)
enum { ACCESS_MOV_TO, ACCESS_MOV_FROM, ACCESS_CLTS, ACCESS_LMSW };

void handle_cr_update_masks(struct vcpu *vcpu)
{
	const struct nested *nested = vcpu->nested;
	bool in_vmx = nested->state != NESTED_OUTSIDE;
	u64 cr0_mask = in_vmx ? nested->offered.cr0_fixed0 | CR0_NE : CR0_NE;
	u64 cr0 = vmcs_read(&vcpu->vmcs01, VMCS_GUEST_CR0);
	u64 old_mask = vmcs_read(&vcpu->vmcs01, VMCS_CR0_GUEST_HOST_MASK);
	u64 shadow = vmcs_read(&vcpu->vmcs01, VMCS_CR0_READ_SHADOW);

	vcpu->nested->known01 = 0;
	/* Bits newly owned read as they are. */
	vmcs_write(&vcpu->vmcs01, VMCS_CR0_READ_SHADOW, (cr0 & ~old_mask) | (shadow & old_mask));
	vmcs_write(&vcpu->vmcs01, VMCS_CR0_GUEST_HOST_MASK, cr0_mask);
}

/* PDPTEs of PAE paging, as the processor loads them; false: a reserved bit is set. SDM "PDPTE Registers". */
static bool load_pdptes(struct vcpu *vcpu)
{
	const struct l1_memory *memory = vcpu->nested->memory;
	u64 cr3 = vmcs_read(&vcpu->vmcs01, VMCS_GUEST_CR3);
	u64 pdpte[4];

	for (u64 i = 0; i < 4; i++)
		pdpte[i] = l1_read64(memory, l1_gpa((cr3 & BITS(31, 5)) + 8 * i));
	if (!check_pdptes(&vcpu->nested->offered, pdpte))
		return false;
	for (u32 i = 0; i < 4; i++)
		vmcs_write(&vcpu->vmcs01, vmcs_fields[VMCS_INDEX_GUEST_PDPTE0 + i].field, pdpte[i]);
	return true;
}

static void flush_l1(const struct vcpu *vcpu)
{
	if (caps_allow(vcpu->nested->hardware, WORD_PROC2, PROC2_ENABLE_VPID))
		(void)invvpid(INVVPID_SINGLE, VPID01, 0);
}

static bool has_16bit_tss(const struct vcpu *vcpu)
{
	const u64 busy_16bit_tss = 3;

	return (vmcs_read(&vcpu->vmcs01, VMCS_GUEST_TR_ACCESS_RIGHTS) & BITS(3, 0)) == busy_16bit_tss;
}

/* #GP conditions of MOV to CR0. SDM "MOV-Move to/from Control Registers". */
static bool is_cr0_refused(const struct vcpu *vcpu, const struct insn_mode *mode, u64 value)
{
	const struct nested *nested = vcpu->nested;
	bool paging_on = (value & CR0_PG) && !(mode->cr0 & CR0_PG);
	bool paging_off = !(value & CR0_PG) && (mode->cr0 & CR0_PG);

	if ((value >> 32) || ((value & CR0_PG) && !(value & CR0_PE)) || ((value & CR0_NW) && !(value & CR0_CD)))
		return true;
	if (mode->in_vmx_operation &&
	    ((value & nested->offered.cr0_fixed0) != nested->offered.cr0_fixed0 || (value & ~nested->offered.cr0_fixed1)))
		return true;
	if (paging_on && (mode->efer & EFER_LME) && (!(mode->cr4 & CR4_PAE) || mode->cs_l || has_16bit_tss(vcpu)))
		return true;
	if (paging_off && (((mode->efer & EFER_LMA) && mode->cs_l) || (mode->cr4 & CR4_PCIDE)))
		return true;
	return !(value & CR0_WP) && (mode->cr4 & CR4_CET);
}

static void set_long_mode(struct vcpu *vcpu, u64 efer, bool active)
{
	u64 entry = vmcs_read(&vcpu->vmcs01, VMCS_ENTRY_CONTROLS);

	vmcs_write(&vcpu->vmcs01, VMCS_GUEST_IA32_EFER, active ? efer | EFER_LMA : efer & ~EFER_LMA);
	vmcs_write(&vcpu->vmcs01, VMCS_ENTRY_CONTROLS,
		   active ? entry | ENTRY_IA32E_MODE_GUEST : entry & ~(u64)ENTRY_IA32E_MODE_GUEST);
}

/*
 * No VM entry and no VM exit touches CD and NW: the processor's own are L1's. SDM
 * "Loading Guest Control Registers, Debug Registers, and MSRs".
 */
static void set_caching(u64 cr0)
{
	const u64 caching = CR0_CD | CR0_NW;
	u64 live = read_cr0();

	if ((live ^ cr0) & caching)
		write_cr0((live & ~caching) | (cr0 & caching));
}

static struct insn_result mov_to_cr0(struct vcpu *vcpu, u64 value)
{
	const struct insn_mode mode = operand_mode(vcpu);
	bool long_mode = (value & CR0_PG) && (mode.efer & EFER_LME);
	bool pae = (value & CR0_PG) && (mode.cr4 & CR4_PAE) && !long_mode;
	u64 changed = value ^ mode.cr0;

	value |= CR0_ET;
	if (is_cr0_refused(vcpu, &mode, value))
		return insn_fault(VECTOR_GP);
	if (pae && (changed & (CR0_PG | CR0_CD | CR0_NW)) && !load_pdptes(vcpu))
		return insn_fault(VECTOR_GP);
	if (changed & CR0_PG)
		set_long_mode(vcpu, mode.efer, long_mode);
	set_caching(value);
	vcpu->nested->known01 = 0;
	vmcs_write(&vcpu->vmcs01, VMCS_GUEST_CR0, value | CR0_NE);
	vmcs_write(&vcpu->vmcs01, VMCS_CR0_READ_SHADOW, value);
	if (changed & (CR0_PG | CR0_WP | CR0_PE))
		flush_l1(vcpu);
	return insn_ok();
}

static bool is_cr4_refused(const struct vcpu *vcpu, const struct insn_mode *mode, u64 value)
{
	const struct vmx_caps *offered = &vcpu->nested->offered;
	bool long_mode = mode->efer & EFER_LMA;
	u64 changed = value ^ mode->cr4;

	if ((value & ~offered->cr4_fixed1) || (value & CR4_SMXE) || (mode->in_vmx_operation && !(value & CR4_VMXE)))
		return true;
	if (long_mode && (!(value & CR4_PAE) || (changed & CR4_LA57)))
		return true;
	if ((changed & value & CR4_PCIDE) && (!long_mode || (vmcs_read(&vcpu->vmcs01, VMCS_GUEST_CR3) & 0xfff)))
		return true;
	return (value & CR4_CET) && !(mode->cr0 & CR0_WP);
}

static struct insn_result mov_to_cr4(struct vcpu *vcpu, u64 value)
{
	const struct insn_mode mode = operand_mode(vcpu);
	const u64 translation = CR4_PAE | CR4_PGE | CR4_PSE | CR4_PCIDE | CR4_SMEP | CR4_SMAP | CR4_PKE | CR4_LA57;
	bool pae = (mode.cr0 & CR0_PG) && (value & CR4_PAE) && !(mode.efer & EFER_LMA);
	u64 changed = value ^ mode.cr4;

	if (is_cr4_refused(vcpu, &mode, value))
		return insn_fault(VECTOR_GP);
	if (pae && (changed & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP)) && !load_pdptes(vcpu))
		return insn_fault(VECTOR_GP);
	vcpu->nested->known01 = 0;
	vmcs_write(&vcpu->vmcs01, VMCS_GUEST_CR4, value | CR4_VMXE);
	vmcs_write(&vcpu->vmcs01, VMCS_CR4_READ_SHADOW, value);
	if (changed & translation)
		flush_l1(vcpu);
	return insn_ok();
}

/* LMSW loads CR0 bits 3:0 and cannot clear PE; CLTS clears a bit that L0 may own in VMX operation only. */
static struct insn_result lmsw(struct vcpu *vcpu, u64 source)
{
	u64 cr0 = operand_mode(vcpu).cr0;

	return mov_to_cr0(vcpu, (cr0 & ~BITS(3, 1)) | (source & BITS(3, 0)));
}

/* Of L2: MOV to CR8 while L0 watches its virtual task priority (vmx/nested/threshold.h). */
static void mov_to_virtual_cr8(struct vcpu *vcpu, const struct vm_exit *exit)
{
	const struct nested *nested = vcpu->nested;
	u64 number = field_get(exit->qualification, CR_REGISTER);
	u64 source = number == REG_RSP ? vmcs_read(vcpu->running, VMCS_GUEST_RSP) : vcpu->regs.gpr[number];

	if (!task_priority_write_cr8(nested->current->vmcs12, nested->memory, source)) {
		emulate_exception(vcpu, VECTOR_GP, 0);
		return;
	}
	emulate_advance(vcpu);
	threshold_judge(vcpu);
}

void handle_cr_access(struct vcpu *vcpu, const struct vm_exit *exit)
{
	u8 number = (u8)field_get(exit->qualification, CR_NUMBER);
	struct insn_result result;
	u64 source;

	if (threshold_is_watched(vcpu)) {
		mov_to_virtual_cr8(vcpu, exit);
		return;
	}
	source = operand_register(vcpu, (u8)field_get(exit->qualification, CR_REGISTER));
	switch (field_get(exit->qualification, CR_ACCESS_TYPE)) {
	case ACCESS_MOV_TO:
		result = number == 0 ? mov_to_cr0(vcpu, source) : mov_to_cr4(vcpu, source);
		break;
	case ACCESS_LMSW:
		result = lmsw(vcpu, exit->qualification >> 16);
		break;
	case ACCESS_CLTS:
		result = mov_to_cr0(vcpu, operand_mode(vcpu).cr0 & ~CR0_TS);
		break;
	default:
		handle_unexpected(vcpu, exit);
		return;
	}
	if (result.outcome == INSN_OK)
		emulate_advance(vcpu);
	else
		emulate_exception(vcpu, result.vector, 0);
}
