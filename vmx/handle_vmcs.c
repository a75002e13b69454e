/* SPDX-License-Identifier: MIT */
/*
 * L1's VMREAD and VMWRITE that hardware shadowing did not take, and INVEPT and
 * INVVPID. SDM "VMX Instruction Reference".
 */

#include "arch/x86.h"
#include "vmx/emulate.h"
#include "vmx/exits.h"
#include "vmx/handle_vmx.h"
#include "vmx/nested/merge.h"
#include "vmx/nested/nested.h"
#include "vmx/nested/quick_switch.h"
#include "vmx/nested/shadow12.h"
#include "vmx/nested/sync.h"
#include "vmx/vmx_operand.h"

/* A field that vmcs02 still holds is fetched before anyone looks at it. */
static void fetch_if_rare(struct vcpu *vcpu, u64 encoding, bool write)
{
	struct nested *nested = vcpu->nested;
	const struct vmcs_field_info *info = insn_field(&nested->offered, encoding);

	quick_settle(vcpu, nested->current);
	if (info && slot_is_shadow(nested->current))
		shadow_fetch_field(vcpu, nested->current, info);
	else if (info && (nested->is_rare[info->field.index] || (write && nested_decides_about_rare(info))))
		slots_fetch_rare(vcpu, nested->current);
}

void handle_field_written(struct vcpu *vcpu, const struct vmcs_field_info *info)
{
	struct nested_slot *slot = vcpu->nested->current;

	check_forget(&slot->memo);
	slot->dirty = true;
	slot->quick.ready = false;
	shadow_push_field(vcpu, slot, info);
	shadow_learn(vcpu, slot, info, true);
}

static struct insn_result read_field(struct vcpu *vcpu, u64 encoding, u64 *value)
{
	struct nested *nested = vcpu->nested;
	const struct vmcs_field_info *info = insn_field(&nested->offered, encoding);
	struct insn_result result;

	if (info && shadow_is_soft(nested, info, false)) {
		*value = shadow_soft_read(nested->current, info, encoding);
		return insn_ok();
	}
	fetch_if_rare(vcpu, encoding, false);
	result = insn_vmread(nested->current->vmcs12, &nested->offered, encoding, value);
	if (result.outcome == INSN_OK)
		shadow_learn(vcpu, nested->current, info, false);
	return result;
}

static struct insn_result write_field(struct vcpu *vcpu, u64 encoding, u64 value)
{
	struct nested *nested = vcpu->nested;
	const struct vmcs_field_info *info = insn_field(&nested->offered, encoding);
	struct insn_result result;

	if (info && shadow_is_soft(nested, info, true)) {
		shadow_soft_write(nested->current, info, encoding, value);
		return insn_ok();
	}
	fetch_if_rare(vcpu, encoding, true);
	result = insn_vmwrite(nested->current->vmcs12, &nested->offered, encoding, value);
	if (result.outcome == INSN_OK)
		handle_field_written(vcpu, info);
	return result;
}

static struct insn_result vmread(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct nested *nested = vcpu->nested;
	struct insn_mode mode = operand_mode(vcpu);
	struct insn_result result = insn_check_mode(&mode);
	struct insn_info info = operand_info(vcpu);
	u64 encoding, value;

	if (result.outcome != INSN_OK)
		return result;
	if (!nested->current)
		return insn_fail(false, VMERR_UNSUPPORTED_FIELD);
	encoding = operand_register(vcpu, info.reg2);
	result = read_field(vcpu, encoding, &value);
	if (result.outcome != INSN_OK)
		return result;
	if (!info.is_register)
		return operand_write(vcpu, exit, &value, operand_size(vcpu));
	operand_set_register(vcpu, info.reg1, value);
	return result;
}

/* L2's, with L1's VMCS shadowing: what hardware did not carry out is L1's exit, or fails. */
static void access_by_l2(struct vcpu *vcpu, const struct vm_exit *exit, bool write)
{
	const struct shadow12_access access = {
		.vmcs12 = vcpu->nested->current->vmcs12,
		.offered = &vcpu->nested->offered,
		.memory = vcpu->nested->memory,
		.encoding = operand_register(vcpu, operand_info(vcpu).reg2),
		.write = write,
		.cpl = emulate_cpl(vcpu),
	};
	struct insn_result result;

	if (shadow12_exits(&access, &result))
		switch_leave_l2(vcpu, exit);
	else
		handle_vmx_apply(vcpu, result);
}

void handle_vmread(struct vcpu *vcpu, const struct vm_exit *exit)
{
	if (nested_in_l2(vcpu)) {
		access_by_l2(vcpu, exit, false);
		return;
	}
	count(COUNTER_VMREAD_EXITS);
	handle_vmx_apply(vcpu, vmread(vcpu, exit));
}

static struct insn_result vmwrite(struct vcpu *vcpu, const struct vm_exit *exit)
{
	struct nested *nested = vcpu->nested;
	struct insn_mode mode = operand_mode(vcpu);
	struct insn_result result = insn_check_mode(&mode);
	struct insn_info info = operand_info(vcpu);
	u64 value = 0;

	if (result.outcome != INSN_OK)
		return result;
	if (!nested->current)
		return insn_fail(false, VMERR_UNSUPPORTED_FIELD);
	if (info.is_register)
		value = operand_register(vcpu, info.reg1);
	else
		result = operand_read(vcpu, exit, &value, operand_size(vcpu));
	if (result.outcome != INSN_OK)
		return result;
	return write_field(vcpu, operand_register(vcpu, info.reg2), value);
}

void handle_vmwrite(struct vcpu *vcpu, const struct vm_exit *exit)
{
	if (nested_in_l2(vcpu)) {
		access_by_l2(vcpu, exit, true);
		return;
	}
	count(COUNTER_VMWRITE_EXITS);
	handle_vmx_apply(vcpu, vmwrite(vcpu, exit));
}

/* INVEPT or INVVPID, as nested/insn.c judges them. */
struct invalidation {
	u64 capability;
	struct insn_result (*check_type)(const struct vmx_caps *offered, u64 type, bool has_current);
	struct insn_result (*check_descriptor)(const struct vmx_caps *offered, u64 type, const u64 descriptor[2], bool has_current);
};

static const struct invalidation of_ept = { EPT_CAP_INVEPT, insn_check_invept, insn_check_invept_descriptor };
static const struct invalidation of_vpids = { VPID_CAP_INVVPID, insn_check_invvpid, insn_check_invvpid_descriptor };

/* The type counts before the descriptor is fetched, and again, where it changes nothing, with it. */
static struct insn_result fetch_invalidation(struct vcpu *vcpu, const struct vm_exit *exit, const struct invalidation *what,
					     u64 *type, u64 descriptor[2])
{
	struct nested *nested = vcpu->nested;
	struct insn_mode mode = operand_mode(vcpu);
	struct insn_result result = insn_check_invalidation(&mode, &nested->offered, what->capability);

	*type = operand_register(vcpu, operand_info(vcpu).reg2);
	if (result.outcome == INSN_OK)
		result = what->check_type(&nested->offered, *type, nested->current);
	if (result.outcome == INSN_OK)
		result = operand_read(vcpu, exit, descriptor, 2 * sizeof(u64));
	return result;
}

static struct insn_result judge(const struct nested *nested, const struct invalidation *what, u64 type, const u64 descriptor[2])
{
	struct insn_result result;

	if (!(nested->offered.ept_vpid & what->capability))
		return insn_fault(VECTOR_UD);
	result = what->check_type(&nested->offered, type, nested->current);
	return result.outcome == INSN_OK ? what->check_descriptor(&nested->offered, type, descriptor, nested->current) : result;
}

struct insn_result handle_invept_of(struct vcpu *vcpu, u64 type, const u64 descriptor[2])
{
	struct insn_result result = judge(vcpu->nested, &of_ept, type, descriptor);

	if (result.outcome != INSN_OK)
		return result;
	if (type == INVEPT_SINGLE)
		ept02_invalidate_single(&vcpu->nested->ept02, descriptor[0]);
	else
		ept02_invalidate_all(&vcpu->nested->ept02);
	return result;
}

void handle_invept(struct vcpu *vcpu, const struct vm_exit *exit)
{
	u64 type, descriptor[2];
	struct insn_result result = fetch_invalidation(vcpu, exit, &of_ept, &type, descriptor);

	handle_vmx_apply(vcpu, result.outcome == INSN_OK ? handle_invept_of(vcpu, type, descriptor) : result);
}

/* All types are offered; a processor that lacks one flushes more than L1 asked for. */
static void flush_vpid(u64 type, u16 vpid02, u64 address)
{
	if (invvpid(type, type == INVVPID_ALL ? 0 : vpid02, address) == VMX_OK)
		return;
	if (invvpid(INVVPID_SINGLE, vpid02, 0) != VMX_OK && invvpid(INVVPID_ALL, 0, 0) != VMX_OK)
		(void)invept(INVEPT_ALL, 0);
}

struct insn_result handle_invvpid_of(struct vcpu *vcpu, u64 type, const u64 descriptor[2])
{
	struct insn_result result = judge(vcpu->nested, &of_vpids, type, descriptor);

	if (result.outcome == INSN_OK)
		flush_vpid(type, merge_vpid02((u16)descriptor[0]), descriptor[1]);
	return result;
}

void handle_invvpid(struct vcpu *vcpu, const struct vm_exit *exit)
{
	u64 type, descriptor[2];
	struct insn_result result = fetch_invalidation(vcpu, exit, &of_vpids, &type, descriptor);

	handle_vmx_apply(vcpu, result.outcome == INSN_OK ? handle_invvpid_of(vcpu, type, descriptor) : result);
}
