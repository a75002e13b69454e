/* SPDX-License-Identifier: MIT */
/* What the VMX instructions refuse, with which error. SDM "VMX Instruction Reference". */

#include "vmx/nested/insn.h"

#include "arch/x86.h"
#include "vmx/insn_info.h"
#include "vmx/nested/check.h"

struct insn_result insn_fail(bool has_current, enum vm_instruction_error error)
{
	if (!has_current)
		return (struct insn_result){ .outcome = INSN_FAIL_INVALID, .error_code = error };
	return (struct insn_result){ .outcome = INSN_FAIL_VALID, .error = (u16)error };
}

/* Real mode, virtual-8086 mode and compatibility mode have no VMX instructions. */
static bool has_no_vmx(const struct insn_mode *mode)
{
	return !(mode->cr0 & CR0_PE) || (mode->rflags & RFLAGS_VM) || ((mode->efer & EFER_LMA) && !mode->cs_l);
}

struct insn_result insn_check_mode(const struct insn_mode *mode)
{
	if (!mode->in_vmx_operation || has_no_vmx(mode))
		return insn_fault(VECTOR_UD);
	if (mode->cpl > 0)
		return insn_fault(VECTOR_GP);
	return insn_ok();
}

struct insn_result insn_check_vmxon(const struct insn_mode *mode, const struct vmx_caps *offered)
{
	if (!(mode->cr4 & CR4_VMXE) || has_no_vmx(mode))
		return insn_fault(VECTOR_UD);
	if (mode->cpl > 0)
		return insn_fault(VECTOR_GP);
	if ((mode->cr0 & offered->cr0_fixed0) != offered->cr0_fixed0 || (mode->cr0 & ~offered->cr0_fixed1) ||
	    (mode->cr4 & offered->cr4_fixed0) != offered->cr4_fixed0 || (mode->cr4 & ~offered->cr4_fixed1))
		return insn_fault(VECTOR_GP);
	return insn_ok();
}

/* An instruction that the processor does not have is undefined at every privilege level. */
struct insn_result insn_check_invalidation(const struct insn_mode *mode, const struct vmx_caps *offered, u64 capability)
{
	return offered->ept_vpid & capability ? insn_check_mode(mode) : insn_fault(VECTOR_UD);
}

bool insn_is_region_address(const struct l1_memory *memory, u64 address)
{
	return !(address & PAGE_MASK) && l1_is_legal(memory, address);
}

const struct vmcs_field_info *insn_field(const struct vmx_caps *offered, u64 encoding)
{
	const struct vmcs_field_info *info = vmcs_lookup(encoding);

	if (!info || info->class == CLASS_ABSENT || !vmcs_field_exists(info, offered))
		return NULL;
	return info;
}

struct insn_result insn_vmread(const struct vmcs12 *vmcs12, const struct vmx_caps *offered, u64 encoding, u64 *value)
{
	const struct vmcs_field_info *info = insn_field(offered, encoding);

	if (!info)
		return insn_fail(true, VMERR_UNSUPPORTED_FIELD);
	*value = vmcs12_get(vmcs12, info->field);
	if (encoding & 1)
		*value >>= 32;
	return insn_ok();
}

struct insn_result insn_vmwrite(struct vmcs12 *vmcs12, const struct vmx_caps *offered, u64 encoding, u64 value)
{
	const struct vmcs_field_info *info = insn_field(offered, encoding);
	u64 old;

	if (!info)
		return insn_fail(true, VMERR_UNSUPPORTED_FIELD);
	if (vmcs_encoding_type((u32)encoding) == TYPE_READ_ONLY && !(offered->misc & VMX_MISC_VMWRITE_ANY_FIELD))
		return insn_fail(true, VMERR_READ_ONLY_FIELD);
	old = vmcs12_get(vmcs12, info->field);
	if (encoding & 1)
		value = (old & 0xffffffff) | (value << 32);
	vmcs12_set(vmcs12, info->field, value & vmcs_width_mask(info->field.encoding));
	return insn_ok();
}

/* --- INVEPT, INVVPID -------------------------------------------------------- */

struct insn_result insn_check_invept(const struct vmx_caps *offered, u64 type, bool has_current)
{
	bool supported = (type == 1 && (offered->ept_vpid & EPT_CAP_INVEPT_SINGLE)) ||
			 (type == 2 && (offered->ept_vpid & EPT_CAP_INVEPT_ALL));

	return supported ? insn_ok() : insn_fail(has_current, VMERR_INVALIDATION_OPERAND);
}

struct insn_result insn_check_invept_descriptor(const struct vmx_caps *offered, u64 type, const u64 descriptor[2], bool has_current)
{
	if (descriptor[1] || (type == 1 && !check_is_eptp_valid(offered, descriptor[0])))
		return insn_fail(has_current, VMERR_INVALIDATION_OPERAND);
	return insn_ok();
}

struct insn_result insn_check_invvpid(const struct vmx_caps *offered, u64 type, bool has_current)
{
	static const u64 capability[] = {
		VPID_CAP_INVVPID_ADDRESS, VPID_CAP_INVVPID_SINGLE, VPID_CAP_INVVPID_ALL,
		VPID_CAP_INVVPID_SINGLE_RETAINING_GLOBALS,
	};

	if (type < array_size(capability) && (offered->ept_vpid & capability[type]))
		return insn_ok();
	return insn_fail(has_current, VMERR_INVALIDATION_OPERAND);
}

struct insn_result insn_check_invvpid_descriptor(const struct vmx_caps *offered, u64 type, const u64 descriptor[2], bool has_current)
{
	bool bad = (descriptor[0] & ~UINT64_C(0xffff)) || (type != 2 && !descriptor[0]) ||
		   (type == 0 && !is_canonical(descriptor[1], offered->linear_address_bits));

	return bad ? insn_fail(has_current, VMERR_INVALIDATION_OPERAND) : insn_ok();
}
