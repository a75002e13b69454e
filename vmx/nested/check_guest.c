/* SPDX-License-Identifier: MIT */
/*
 * Checks on guest control registers, MSRs, descriptor tables, RIP and RFLAGS.
 * A failure is a VM exit with reason 33. SDM "Checks on the Guest State Area".
 * Pure.
 */
#include "vmx/events.h"
#include "vmx/nested/check_common.h"
#include "vmx/nested/check_protection.h"

/* --- control registers, debug registers, MSRs ------------------------------ */

/* VM entry leaves NW and CD alone; an unrestricted guest may be without protection or paging. */
static u64 cr0_free(const struct entry_context *context)
{
	return CR0_NW | CR0_CD | (is_unrestricted(context) ? CR0_PE | CR0_PG : 0);
}

static bool cr0_ones(const struct entry_context *context, maybe_unused u32 which)
{
	return check_fixed_to_1(get(context, VMCS_GUEST_CR0), context->caps->cr0_fixed0, cr0_free(context));
}

static bool cr0_zeros(const struct entry_context *context, maybe_unused u32 which)
{
	return check_fixed_to_0(get(context, VMCS_GUEST_CR0), context->caps->cr0_fixed1, cr0_free(context));
}

static bool paging_is_protected(const struct entry_context *context, maybe_unused u32 which)
{
	return (get(context, VMCS_GUEST_CR0) & (CR0_PG | CR0_PE)) != CR0_PG;
}

static bool cr4_ones(const struct entry_context *context, maybe_unused u32 which)
{
	return check_fixed_to_1(get(context, VMCS_GUEST_CR4), context->caps->cr4_fixed0, 0);
}

static bool cr4_zeros(const struct entry_context *context, maybe_unused u32 which)
{
	return check_fixed_to_0(get(context, VMCS_GUEST_CR4), context->caps->cr4_fixed1, 0);
}

static bool cet_with_wp(const struct entry_context *context, maybe_unused u32 which)
{
	return (get(context, VMCS_GUEST_CR4) & CR4_CET) == 0 || (get(context, VMCS_GUEST_CR0) & CR0_WP) != 0;
}

static bool loads_debug(const struct entry_context *context)
{
	return has(context, WORD_ENTRY, ENTRY_LOAD_DEBUG_CONTROLS);
}

static bool debugctl(const struct entry_context *context, maybe_unused u32 which)
{
	return !loads_debug(context) || (get(context, VMCS_GUEST_IA32_DEBUGCTL) & ~context->caps->debugctl_valid) == 0;
}

static bool long_mode_paging(const struct entry_context *context, maybe_unused u32 which)
{
	return !is_ia32e_guest(context) || (get(context, VMCS_GUEST_CR0) & CR0_PG) != 0;
}

static bool long_mode_pae(const struct entry_context *context, maybe_unused u32 which)
{
	return !is_ia32e_guest(context) || (get(context, VMCS_GUEST_CR4) & CR4_PAE) != 0;
}

static bool pcid_in_long_mode(const struct entry_context *context, maybe_unused u32 which)
{
	return is_ia32e_guest(context) || (get(context, VMCS_GUEST_CR4) & CR4_PCIDE) == 0;
}

static bool cr3(const struct entry_context *context, maybe_unused u32 which)
{
	return check_is_cr3_valid(context, get(context, VMCS_GUEST_CR3));
}

static bool dr7(const struct entry_context *context, maybe_unused u32 which)
{
	return !loads_debug(context) || (get(context, VMCS_GUEST_DR7) >> 32) == 0;
}

static bool sysenter_esp(const struct entry_context *context, maybe_unused u32 which)
{
	return is_canonical_base(context, get(context, VMCS_GUEST_IA32_SYSENTER_ESP));
}

static bool sysenter_eip(const struct entry_context *context, maybe_unused u32 which)
{
	return is_canonical_base(context, get(context, VMCS_GUEST_IA32_SYSENTER_EIP));
}

static bool perf_global_ctrl(const struct entry_context *context, maybe_unused u32 which)
{
	return !has(context, WORD_ENTRY, ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL) ||
	       (get(context, VMCS_GUEST_IA32_PERF_GLOBAL_CTRL) & ~context->caps->perf_global_ctrl_valid) == 0;
}

static bool pat(const struct entry_context *context, maybe_unused u32 which)
{
	return !has(context, WORD_ENTRY, ENTRY_LOAD_IA32_PAT) || check_is_pat_valid(get(context, VMCS_GUEST_IA32_PAT));
}

static bool loads_efer(const struct entry_context *context)
{
	return has(context, WORD_ENTRY, ENTRY_LOAD_IA32_EFER);
}

static bool efer_reserved(const struct entry_context *context, maybe_unused u32 which)
{
	return !loads_efer(context) || (get(context, VMCS_GUEST_IA32_EFER) & ~context->caps->efer_valid) == 0;
}

static bool efer_lma(const struct entry_context *context, maybe_unused u32 which)
{
	return !loads_efer(context) || ((get(context, VMCS_GUEST_IA32_EFER) & EFER_LMA) != 0) == is_ia32e_guest(context);
}

static bool efer_lme(const struct entry_context *context, maybe_unused u32 which)
{
	u64 efer = get(context, VMCS_GUEST_IA32_EFER);

	return !loads_efer(context) || (get(context, VMCS_GUEST_CR0) & CR0_PG) == 0 ||
	       ((efer & EFER_LMA) != 0) == ((efer & EFER_LME) != 0);
}

static const struct entry_check register_checks[] = {
	CHECK(400, cr0_ones, GUEST_CR0, "guest CR0: a bit that must be 1 in VMX operation is 0"),
	CHECK(401, cr0_zeros, GUEST_CR0, "guest CR0: a bit that must be 0 in VMX operation is 1"),
	CHECK(402, paging_is_protected, GUEST_CR0, "guest CR0.PG without CR0.PE"),
	CHECK(403, cr4_ones, GUEST_CR4, "guest CR4: a bit that must be 1 in VMX operation is 0"),
	CHECK(404, cr4_zeros, GUEST_CR4, "guest CR4: a bit that must be 0 in VMX operation is 1"),
	CHECK(405, cet_with_wp, GUEST_CR0, "guest CR4.CET without CR0.WP"),
	CHECK(406, debugctl, GUEST_IA32_DEBUGCTL, "guest IA32_DEBUGCTL: a reserved bit is 1"),
	CHECK(407, long_mode_paging, GUEST_CR0, "guest CR0.PG: 0 in an IA-32e mode guest"),
	CHECK(408, long_mode_pae, GUEST_CR4, "guest CR4.PAE: 0 in an IA-32e mode guest"),
	CHECK(409, pcid_in_long_mode, GUEST_CR4, "guest CR4.PCIDE outside IA-32e mode"),
	CHECK(410, cr3, GUEST_CR3, "guest CR3: a bit beyond the physical-address width"),
	CHECK(411, dr7, GUEST_DR7, "guest DR7: bits 63:32 are not 0"),
	CHECK(412, sysenter_esp, GUEST_IA32_SYSENTER_ESP, "guest IA32_SYSENTER_ESP: not canonical"),
	CHECK(413, sysenter_eip, GUEST_IA32_SYSENTER_EIP, "guest IA32_SYSENTER_EIP: not canonical"),
	CHECK(414, perf_global_ctrl, GUEST_IA32_PERF_GLOBAL_CTRL, "guest IA32_PERF_GLOBAL_CTRL: a reserved bit is 1"),
	CHECK(415, pat, GUEST_IA32_PAT, "guest IA32_PAT: a reserved memory type"),
	CHECK(416, efer_reserved, GUEST_IA32_EFER, "guest IA32_EFER: a reserved bit is 1"),
	CHECK(417, efer_lma, GUEST_IA32_EFER, "guest IA32_EFER.LMA disagrees with IA-32e mode guest"),
	CHECK(418, efer_lme, GUEST_IA32_EFER, "guest IA32_EFER.LME disagrees with LMA while paging"),
	CHECK_OF(419, check_s_cet_reserved, SIDE_GUEST, GUEST_IA32_S_CET, "guest IA32_S_CET: a reserved bit is 1"),
	CHECK_OF(420, check_s_cet_tracker, SIDE_GUEST, GUEST_IA32_S_CET, "guest IA32_S_CET: SUPPRESS and TRACKER both set"),
	CHECK_OF(421, check_ssp_table, SIDE_GUEST, GUEST_IA32_INTERRUPT_SSP_TABLE, "guest IA32_INTERRUPT_SSP_TABLE_ADDR: not canonical"),
	CHECK_OF(422, check_pkrs, SIDE_GUEST, GUEST_IA32_PKRS, "guest IA32_PKRS: bits 63:32 are not 0"),
};

/* --- descriptor tables ----------------------------------------------------- */

enum { GDTR, IDTR };

static_assert(VMCS_INDEX_GUEST_IDTR_BASE == VMCS_INDEX_GUEST_GDTR_BASE + IDTR &&
		      VMCS_INDEX_GUEST_IDTR_LIMIT == VMCS_INDEX_GUEST_GDTR_LIMIT + IDTR,
	      "descriptor tables are counted by rows");

static bool table_base(const struct entry_context *context, u32 which)
{
	return is_canonical_base(context, get_below(context, VMCS_GUEST_GDTR_BASE, which));
}

static bool table_limit(const struct entry_context *context, u32 which)
{
	return get_below(context, VMCS_GUEST_GDTR_LIMIT, which) <= UINT16_MAX;
}

static const struct entry_check table_checks[] = {
	CHECK_OF(440, table_base, GDTR, GUEST_GDTR_BASE, "guest GDTR base: not canonical"),
	CHECK_OF(441, table_base, IDTR, GUEST_IDTR_BASE, "guest IDTR base: not canonical"),
	CHECK_OF(442, table_limit, GDTR, GUEST_GDTR_LIMIT, "guest GDTR limit: bits 31:16 are not 0"),
	CHECK_OF(443, table_limit, IDTR, GUEST_IDTR_LIMIT, "guest IDTR limit: bits 31:16 are not 0"),
};

/* --- RIP and RFLAGS -------------------------------------------------------- */

#define RFLAGS_RESERVED (BITS(63, 22) | BIT(15) | BIT(5) | BIT(3))

static bool runs_64bit_code(const struct entry_context *context)
{
	return is_ia32e_guest(context) && (get(context, VMCS_GUEST_CS_ACCESS_RIGHTS) & ACCESS_RIGHTS_L) != 0;
}

static bool rip_32bit(const struct entry_context *context, maybe_unused u32 which)
{
	return runs_64bit_code(context) || (get(context, VMCS_GUEST_RIP) >> 32) == 0;
}

/* Unused address bits must be alike; those are of the processor, whatever CR4.LA57 says. */
static bool rip_unused_bits(const struct entry_context *context, maybe_unused u32 which)
{
	u64 unused_bits = get(context, VMCS_GUEST_RIP) >> context->caps->linear_address_bits;

	return !runs_64bit_code(context) || unused_bits == 0 || unused_bits == UINT64_MAX >> context->caps->linear_address_bits;
}

static bool rflags_reserved(const struct entry_context *context, maybe_unused u32 which)
{
	return (get(context, VMCS_GUEST_RFLAGS) & (RFLAGS_RESERVED | RFLAGS_FIXED)) == RFLAGS_FIXED;
}

static bool v8086_not_in_long_mode(const struct entry_context *context, maybe_unused u32 which)
{
	return (get(context, VMCS_GUEST_RFLAGS) & RFLAGS_VM) == 0 || !is_ia32e_guest(context);
}

static bool v8086_in_protected_mode(const struct entry_context *context, maybe_unused u32 which)
{
	return (get(context, VMCS_GUEST_RFLAGS) & RFLAGS_VM) == 0 || (get(context, VMCS_GUEST_CR0) & CR0_PE) != 0;
}

static bool rflags_if(const struct entry_context *context, maybe_unused u32 which)
{
	u64 information = get(context, VMCS_ENTRY_INTERRUPTION_INFORMATION);

	return (information & INTERRUPTION_VALID) == 0 || interruption_type(information) != INTERRUPTION_EXTERNAL ||
	       (get(context, VMCS_GUEST_RFLAGS) & RFLAGS_IF) != 0;
}

static const struct entry_check rip_checks[] = {
	CHECK(450, rip_32bit, GUEST_RIP, "guest RIP: bits 63:32 are not 0 outside 64-bit mode"),
	CHECK(451, rip_unused_bits, GUEST_RIP, "guest RIP: bits beyond the linear-address width are not alike"),
	CHECK(452, rflags_reserved, GUEST_RFLAGS, "guest RFLAGS: a reserved bit has the wrong value"),
	CHECK(453, v8086_not_in_long_mode, GUEST_RFLAGS, "guest RFLAGS.VM: 1 in an IA-32e mode guest"),
	CHECK(454, v8086_in_protected_mode, GUEST_RFLAGS, "guest RFLAGS.VM: 1 with CR0.PE 0"),
	CHECK(455, rflags_if, GUEST_RFLAGS, "guest RFLAGS.IF: 0 while an external interrupt is injected"),
	CHECK_OF(456, check_ssp_aligned, SIDE_GUEST, GUEST_SSP, "guest SSP: bits 1:0 are not 0"),
	CHECK(457, check_guest_ssp_unused_bits, GUEST_SSP, "guest SSP: bits beyond the linear-address width are not alike"),
};

const struct entry_section check_guest_registers_section =
	SECTION(REFUSAL_GUEST, "Checks on Guest Control Registers, Debug Registers, and MSRs", register_checks);
const struct entry_section check_guest_tables_section =
	SECTION(REFUSAL_GUEST, "Checks on Guest Descriptor-Table Registers", table_checks);
const struct entry_section check_guest_rip_section =
	SECTION(REFUSAL_GUEST, "Checks on Guest RIP, RFLAGS, and SSP", rip_checks);
