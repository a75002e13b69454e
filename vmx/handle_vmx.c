/* SPDX-License-Identifier: MIT */
/*
 * L1's VMX instructions, but those in handle_vmcs.c that work on a VMCS's
 * content: fetch the operands, ask nested/insn.c, apply the result. SDM "VMX
 * Instruction Reference"; the order of the steps is the SDM's.
 */

#include "vmx/handle_vmx.h"

#include "arch/atomic.h"
#include "arch/x86.h"
#include "drivers/console.h"
#include "vmx/emulate.h"
#include "vmx/events.h"
#include "vmx/exits.h"
#include "vmx/handle_cr.h"
#include "vmx/handle_vmfail.h"
#include "vmx/nested/merge.h"
#include "vmx/nested/nested.h"
#include "vmx/nested/shadow12.h"
#include "vmx/shutdown.h"
#include "vmx/vmx_operand.h"

static void set_flags(struct vcpu *vcpu, u64 set)
{
	const u64 status = RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF;

	nested_write(vcpu, VMCS_GUEST_RFLAGS, (vmcs_read(vcpu->running, VMCS_GUEST_RFLAGS) & ~status) | set);
}

void handle_vmx_apply(struct vcpu *vcpu, struct insn_result result)
{
	struct nested_slot *slot = vcpu->nested->current;

	switch ((enum insn_outcome)result.outcome) {
	case INSN_DONE:
		return;
	case INSN_FAULT:
		if (result.vector == VECTOR_PF)
			emulate_page_fault(vcpu, result.cr2, result.error_code);
		else
			emulate_exception(vcpu, result.vector, result.error_code);
		return;
	case INSN_FAIL_INVALID:
		handle_vmfail_explain(vcpu, result);
		set_flags(vcpu, RFLAGS_CF);
		break;
	case INSN_FAIL_VALID:
		handle_vmfail_explain(vcpu, result);
		set_flags(vcpu, RFLAGS_ZF);
		vmcs12_set(slot->vmcs12, VMCS_VM_INSTRUCTION_ERROR, result.error);
		if (slot_is_shadow(slot))
			shadow_update_field(vcpu, slot, &vmcs_fields[VMCS_INDEX_VM_INSTRUCTION_ERROR]);
		break;
	case INSN_OK:
		set_flags(vcpu, 0);
		break;
	}
	emulate_advance(vcpu);
}

static bool has_current(const struct vcpu *vcpu)
{
	return vcpu->nested->current != NULL;
}

/* VMCLEAR and VMPTRLD alike: the checks before any operand, then the address that it holds. */
static struct insn_result fetch_pointer(struct vcpu *vcpu, const struct vm_exit *exit, u64 *pointer)
{
	struct insn_mode mode = operand_mode(vcpu);
	struct insn_result result = insn_check_mode(&mode);

	if (result.outcome == INSN_OK)
		result = operand_read(vcpu, exit, pointer, sizeof(*pointer));
	return result;
}

/* What may be wrong with it. */
static struct insn_result judge_pointer(const struct vcpu *vcpu, u64 pointer, enum vm_instruction_error bad_address,
					enum vm_instruction_error is_vmxon_pointer)
{
	if (!insn_is_region_address(vcpu->nested->memory, pointer))
		return insn_fail(has_current(vcpu), bad_address);
	if (pointer == vcpu->nested->vmxon_pointer)
		return insn_fail(has_current(vcpu), is_vmxon_pointer);
	return insn_ok();
}

/* --- VMXON, VMXOFF ----------------------------------------------------------- */

static struct insn_result vmxon_l1(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct nested *nested = vcpu->nested;
	struct insn_mode mode = operand_mode(vcpu);
	struct insn_result result;
	u64 pointer;
	u32 revision;

	if (mode.in_vmx_operation) {
		result = insn_check_mode(&mode);
		return result.outcome != INSN_OK ? result : insn_fail(has_current(vcpu), VMERR_VMXON_IN_ROOT);
	}
	result = insn_check_vmxon(&mode, &nested->offered);
	if (result.outcome == INSN_OK)
		result = operand_read(vcpu, exit, &pointer, sizeof(pointer));
	if (result.outcome != INSN_OK)
		return result;
	if (!insn_is_region_address(nested->memory, pointer))
		return insn_fail(false, VMERR_VMCLEAR_ADDRESS);
	l1_read(nested->memory, l1_gpa(pointer), &revision, sizeof(revision));
	if (revision != VMCS12_REVISION)
		return insn_fail(false, VMERR_VMPTRLD_REVISION);
	nested->vmxon_pointer = pointer;
	nested->state = NESTED_ROOT;
	handle_cr_update_masks(vcpu);
	return insn_ok();
}

void handle_vmxon(struct vcpu *vcpu, const struct vm_exit *exit)
{
	handle_vmx_apply(vcpu, vmxon_l1(vcpu, exit));
}

void handle_vmxoff(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct nested *nested = vcpu->nested;
	struct insn_mode mode = operand_mode(vcpu);
	struct insn_result result = insn_check_mode(&mode);

	if (result.outcome == INSN_OK) {
		slots_release_all(vcpu);
		nested->state = NESTED_OUTSIDE;
		nested->vmxon_pointer = NO_ADDRESS;
		handle_cr_update_masks(vcpu);
	}
	handle_vmx_apply(vcpu, result);
	if (result.outcome == INSN_OK && (nested->waiting & WAITING_INIT)) {
		nested->waiting &= (u8)~WAITING_INIT;
		handle_init_signal(vcpu, exit);
	}
}

/* --- VMCLEAR, VMPTRLD, VMPTRST ------------------------------------------------- */

struct insn_result handle_vmclear_of(struct vcpu *vcpu, u64 pointer)
{
	struct insn_result result = judge_pointer(vcpu, pointer, VMERR_VMCLEAR_ADDRESS, VMERR_VMCLEAR_VMXON_POINTER);
	struct nested_slot *slot;

	if (result.outcome != INSN_OK)
		return result;
	slot = slots_find(vcpu->nested, pointer);
	if (slot) {
		slot->vmcs12->launch_state = LAUNCH_STATE_CLEAR;
		slots_release(vcpu, slot);
	} else {
		slots_clear_in_memory(vcpu->nested, pointer);
	}
	return insn_ok();
}

void handle_vmclear(struct vcpu *vcpu, const struct vm_exit *exit)
{
	u64 pointer;
	struct insn_result result = fetch_pointer(vcpu, exit, &pointer);

	handle_vmx_apply(vcpu, result.outcome == INSN_OK ? handle_vmclear_of(vcpu, pointer) : result);
}

struct insn_result handle_vmptrld_of(struct vcpu *vcpu, u64 pointer)
{
	struct nested *nested = vcpu->nested;
	struct nested_slot *slot = pointer == NO_ADDRESS ? NULL : slots_find(nested, pointer);
	struct insn_result result;
	const u32 *region;

	/* One that is active has passed all this, and only its memory can have changed. */
	if (slot && slot->region && atomic_read32(slot->region) == slot->vmcs12->revision) {
		slots_set_current(vcpu, slot);
		return insn_ok();
	}
	result = judge_pointer(vcpu, pointer, VMERR_VMPTRLD_ADDRESS, VMERR_VMPTRLD_VMXON_POINTER);
	if (result.outcome != INSN_OK)
		return result;
	region = l1_look(nested->memory, l1_gpa(pointer));
	if (!region || !shadow12_is_revision(&nested->offered, atomic_read32(region)))
		return insn_fail(has_current(vcpu), VMERR_VMPTRLD_REVISION);
	slots_set_current(vcpu, slots_load(vcpu, pointer));
	return insn_ok();
}

void handle_vmptrld(struct vcpu *vcpu, const struct vm_exit *exit)
{
	u64 pointer;
	struct insn_result result = fetch_pointer(vcpu, exit, &pointer);

	handle_vmx_apply(vcpu, result.outcome == INSN_OK ? handle_vmptrld_of(vcpu, pointer) : result);
}

void handle_vmptrst(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct insn_mode mode = operand_mode(vcpu);
	struct insn_result result = insn_check_mode(&mode);
	u64 pointer = has_current(vcpu) ? vcpu->nested->current->address : NO_ADDRESS;

	if (result.outcome == INSN_OK)
		result = operand_write(vcpu, exit, &pointer, sizeof(pointer));
	handle_vmx_apply(vcpu, result);
}

/* --- VMLAUNCH, VMRESUME ----------------------------------------------------------- */

static struct insn_result enter_l1(struct vcpu *vcpu, bool launch)
{
	struct nested *nested = vcpu->nested;
	struct insn_mode mode = operand_mode(vcpu);
	struct insn_result result = insn_check_mode(&mode);
	bool launched;

	count(COUNTER_VM_ENTRY_EXITS);
	if (result.outcome != INSN_OK)
		return result;
	if (!has_current(vcpu) || slot_is_shadow(nested->current))
		return insn_fail(false, VMERR_VMLAUNCH_NOT_CLEAR);
	if (vmcs_read(&vcpu->vmcs01, VMCS_GUEST_INTERRUPTIBILITY_STATE) & INTERRUPTIBILITY_MOV_SS)
		return insn_fail(true, VMERR_MOV_SS);
	launched = nested->current->vmcs12->launch_state == LAUNCH_STATE_LAUNCHED;
	if (launch && launched)
		return insn_fail(true, VMERR_VMLAUNCH_NOT_CLEAR);
	if (!launch && !launched)
		return insn_fail(true, VMERR_VMRESUME_NOT_LAUNCHED);
	return switch_enter_l2(vcpu);
}

void handle_vmlaunch(struct vcpu *vcpu, const struct vm_exit *exit)
{
	(void)exit;
	handle_vmx_apply(vcpu, enter_l1(vcpu, true));
}

void handle_vmresume(struct vcpu *vcpu, const struct vm_exit *exit)
{
	(void)exit;
	handle_vmx_apply(vcpu, enter_l1(vcpu, false));
}

/* --- VMCALL ------------------------------------------------------------------------ */

/* There is no SMM monitor to call. SDM "VMCALL". */
void handle_vmcall(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct insn_mode mode = operand_mode(vcpu);
	struct insn_result result = insn_check_mode(&mode);

	(void)exit;
	if (result.outcome == INSN_OK)
		result = insn_fail(has_current(vcpu), VMERR_VMCALL_IN_ROOT);
	handle_vmx_apply(vcpu, result);
}
