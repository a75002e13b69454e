/* SPDX-License-Identifier: MIT */
/*
 * Checks on the host-state area of vmcs12, where L1 lands when L2 exits. A
 * failure is VMfail 8. SDM "Checks on Host Control Registers, MSRs, and SSP" and
 * the two sections after it. Pure.
 */
#include "vmx/nested/check_common.h"
#include "vmx/nested/check_protection.h"

#define SELECTOR_RPL_TI BITS(2, 0)

static bool is_64bit_host(const struct entry_context *context)
{
	return has(context, WORD_EXIT, EXIT_HOST_ADDRESS_SPACE_SIZE);
}

/* --- control registers and MSRs ------------------------------------------- */

/* A VM exit leaves NW and CD alone, so they are not looked at. */
#define CR0_FREE (CR0_NW | CR0_CD)

static bool cr0_ones(const struct entry_context *context, maybe_unused u32 which)
{
	return check_fixed_to_1(get(context, VMCS_HOST_CR0), context->caps->cr0_fixed0, CR0_FREE);
}

static bool cr0_zeros(const struct entry_context *context, maybe_unused u32 which)
{
	return check_fixed_to_0(get(context, VMCS_HOST_CR0), context->caps->cr0_fixed1, CR0_FREE);
}

static bool cr4_ones(const struct entry_context *context, maybe_unused u32 which)
{
	return check_fixed_to_1(get(context, VMCS_HOST_CR4), context->caps->cr4_fixed0, 0);
}

static bool cr4_zeros(const struct entry_context *context, maybe_unused u32 which)
{
	return check_fixed_to_0(get(context, VMCS_HOST_CR4), context->caps->cr4_fixed1, 0);
}

static bool cet_with_wp(const struct entry_context *context, maybe_unused u32 which)
{
	return (get(context, VMCS_HOST_CR4) & CR4_CET) == 0 || (get(context, VMCS_HOST_CR0) & CR0_WP) != 0;
}

static bool cr3(const struct entry_context *context, maybe_unused u32 which)
{
	return check_is_cr3_valid(context, get(context, VMCS_HOST_CR3));
}

static bool sysenter_esp(const struct entry_context *context, maybe_unused u32 which)
{
	return is_canonical_base(context, get(context, VMCS_HOST_IA32_SYSENTER_ESP));
}

static bool sysenter_eip(const struct entry_context *context, maybe_unused u32 which)
{
	return is_canonical_base(context, get(context, VMCS_HOST_IA32_SYSENTER_EIP));
}

static bool perf_global_ctrl(const struct entry_context *context, maybe_unused u32 which)
{
	return !has(context, WORD_EXIT, EXIT_LOAD_IA32_PERF_GLOBAL_CTRL) ||
	       (get(context, VMCS_HOST_IA32_PERF_GLOBAL_CTRL) & ~context->caps->perf_global_ctrl_valid) == 0;
}

static bool pat(const struct entry_context *context, maybe_unused u32 which)
{
	return !has(context, WORD_EXIT, EXIT_LOAD_IA32_PAT) || check_is_pat_valid(get(context, VMCS_HOST_IA32_PAT));
}

static bool efer_reserved(const struct entry_context *context, maybe_unused u32 which)
{
	return !has(context, WORD_EXIT, EXIT_LOAD_IA32_EFER) ||
	       (get(context, VMCS_HOST_IA32_EFER) & ~context->caps->efer_valid) == 0;
}

static bool efer_long_mode(const struct entry_context *context, maybe_unused u32 which)
{
	u64 expected = is_64bit_host(context) ? EFER_LMA | EFER_LME : 0;

	return !has(context, WORD_EXIT, EXIT_LOAD_IA32_EFER) ||
	       (get(context, VMCS_HOST_IA32_EFER) & (EFER_LMA | EFER_LME)) == expected;
}

static const struct entry_check register_checks[] = {
	CHECK(300, cr0_ones, HOST_CR0, "host CR0: a bit that must be 1 in VMX operation is 0"),
	CHECK(301, cr0_zeros, HOST_CR0, "host CR0: a bit that must be 0 in VMX operation is 1"),
	CHECK(302, cr4_ones, HOST_CR4, "host CR4: a bit that must be 1 in VMX operation is 0"),
	CHECK(303, cr4_zeros, HOST_CR4, "host CR4: a bit that must be 0 in VMX operation is 1"),
	CHECK(304, cet_with_wp, HOST_CR0, "host CR4.CET without CR0.WP"),
	CHECK(305, cr3, HOST_CR3, "host CR3: a bit beyond the physical-address width"),
	CHECK(306, sysenter_esp, HOST_IA32_SYSENTER_ESP, "host IA32_SYSENTER_ESP: not canonical"),
	CHECK(307, sysenter_eip, HOST_IA32_SYSENTER_EIP, "host IA32_SYSENTER_EIP: not canonical"),
	CHECK(308, perf_global_ctrl, HOST_IA32_PERF_GLOBAL_CTRL, "host IA32_PERF_GLOBAL_CTRL: a reserved bit is 1"),
	CHECK(309, pat, HOST_IA32_PAT, "host IA32_PAT: a reserved memory type"),
	CHECK(310, efer_reserved, HOST_IA32_EFER, "host IA32_EFER: a reserved bit is 1"),
	CHECK(311, efer_long_mode, HOST_IA32_EFER, "host IA32_EFER: LMA and LME disagree with host address-space size"),
	CHECK_OF(312, check_s_cet_reserved, SIDE_HOST, HOST_IA32_S_CET, "host IA32_S_CET: a reserved bit is 1"),
	CHECK_OF(313, check_s_cet_tracker, SIDE_HOST, HOST_IA32_S_CET, "host IA32_S_CET: SUPPRESS and TRACKER both set"),
	CHECK_OF(314, check_ssp_table, SIDE_HOST, HOST_IA32_INTERRUPT_SSP_TABLE, "host IA32_INTERRUPT_SSP_TABLE_ADDR: not canonical"),
	CHECK_OF(315, check_ssp_aligned, SIDE_HOST, HOST_SSP, "host SSP: bits 1:0 are not 0"),
	CHECK_OF(316, check_pkrs, SIDE_HOST, HOST_IA32_PKRS, "host IA32_PKRS: bits 63:32 are not 0"),
};

/* --- segments and descriptor tables --------------------------------------- */

/* Host selectors in the table's order; there is none for LDTR. */
enum { HOST_ES, HOST_CS, HOST_SS, HOST_DS, HOST_FS, HOST_GS, HOST_TR };

static_assert(VMCS_INDEX_HOST_CS_SELECTOR == VMCS_INDEX_HOST_ES_SELECTOR + HOST_CS &&
		      VMCS_INDEX_HOST_TR_SELECTOR == VMCS_INDEX_HOST_ES_SELECTOR + HOST_TR,
	      "selectors are counted by rows");

static bool selector_bits(const struct entry_context *context, u32 which)
{
	return (get_below(context, VMCS_HOST_ES_SELECTOR, which) & SELECTOR_RPL_TI) == 0;
}

static bool selector_not_null(const struct entry_context *context, u32 which)
{
	return get_below(context, VMCS_HOST_ES_SELECTOR, which) != 0;
}

static bool ss_not_null(const struct entry_context *context, maybe_unused u32 which)
{
	return is_64bit_host(context) || get(context, VMCS_HOST_SS_SELECTOR) != 0;
}

/* Bases in the table's order. */
enum { BASE_FS, BASE_GS, BASE_TR, BASE_GDTR, BASE_IDTR };

static_assert(VMCS_INDEX_HOST_IDTR_BASE == VMCS_INDEX_HOST_FS_BASE + BASE_IDTR, "bases are counted by rows");

static bool base(const struct entry_context *context, u32 which)
{
	return is_canonical_base(context, get_below(context, VMCS_HOST_FS_BASE, which));
}

static const struct entry_check segment_checks[] = {
	CHECK_OF(340, selector_bits, HOST_CS, HOST_CS_SELECTOR, "host CS selector: RPL or TI is not 0"),
	CHECK_OF(341, selector_bits, HOST_SS, HOST_SS_SELECTOR, "host SS selector: RPL or TI is not 0"),
	CHECK_OF(342, selector_bits, HOST_DS, HOST_DS_SELECTOR, "host DS selector: RPL or TI is not 0"),
	CHECK_OF(343, selector_bits, HOST_ES, HOST_ES_SELECTOR, "host ES selector: RPL or TI is not 0"),
	CHECK_OF(344, selector_bits, HOST_FS, HOST_FS_SELECTOR, "host FS selector: RPL or TI is not 0"),
	CHECK_OF(345, selector_bits, HOST_GS, HOST_GS_SELECTOR, "host GS selector: RPL or TI is not 0"),
	CHECK_OF(346, selector_bits, HOST_TR, HOST_TR_SELECTOR, "host TR selector: RPL or TI is not 0"),
	CHECK_OF(347, selector_not_null, HOST_CS, HOST_CS_SELECTOR, "host CS selector: 0"),
	CHECK_OF(348, selector_not_null, HOST_TR, HOST_TR_SELECTOR, "host TR selector: 0"),
	CHECK(349, ss_not_null, HOST_SS_SELECTOR, "host SS selector: 0 for a host of 32 bits"),
	CHECK_OF(350, base, BASE_FS, HOST_FS_BASE, "host FS base: not canonical"),
	CHECK_OF(351, base, BASE_GS, HOST_GS_BASE, "host GS base: not canonical"),
	CHECK_OF(352, base, BASE_GDTR, HOST_GDTR_BASE, "host GDTR base: not canonical"),
	CHECK_OF(353, base, BASE_IDTR, HOST_IDTR_BASE, "host IDTR base: not canonical"),
	CHECK_OF(354, base, BASE_TR, HOST_TR_BASE, "host TR base: not canonical"),
};

/* --- address-space size --------------------------------------------------- */

static bool guest_needs_long_mode(const struct entry_context *context, maybe_unused u32 which)
{
	return context->l1_in_long_mode || !is_ia32e_guest(context);
}

static bool host_is_as_now(const struct entry_context *context, maybe_unused u32 which)
{
	return context->l1_in_long_mode == is_64bit_host(context);
}

static bool guest_needs_64bit_host(const struct entry_context *context, maybe_unused u32 which)
{
	return is_64bit_host(context) || !is_ia32e_guest(context);
}

static bool pcid_needs_64bit_host(const struct entry_context *context, maybe_unused u32 which)
{
	return is_64bit_host(context) || (get(context, VMCS_HOST_CR4) & CR4_PCIDE) == 0;
}

static bool rip_32bit(const struct entry_context *context, maybe_unused u32 which)
{
	return is_64bit_host(context) || (get(context, VMCS_HOST_RIP) >> 32) == 0;
}

static bool pae_for_64bit_host(const struct entry_context *context, maybe_unused u32 which)
{
	return !is_64bit_host(context) || (get(context, VMCS_HOST_CR4) & CR4_PAE) != 0;
}

/* RIP goes by the paging that the exit turns on, unlike bases. */
static bool rip_canonical(const struct entry_context *context, maybe_unused u32 which)
{
	u8 width = (get(context, VMCS_HOST_CR4) & CR4_LA57) != 0 ? 57 : 48;

	return !is_64bit_host(context) || is_canonical(get(context, VMCS_HOST_RIP), width);
}

static const struct entry_check size_checks[] = {
	CHECK(370, guest_needs_long_mode, ENTRY_CONTROLS, "IA-32e mode guest, but VM entry is made outside IA-32e mode"),
	CHECK(371, host_is_as_now, EXIT_CONTROLS, "host address-space size differs from IA32_EFER.LMA at VM entry"),
	CHECK(372, guest_needs_64bit_host, ENTRY_CONTROLS, "IA-32e mode guest without host address-space size"),
	CHECK(373, pcid_needs_64bit_host, HOST_CR4, "host CR4.PCIDE without host address-space size"),
	CHECK(374, rip_32bit, HOST_RIP, "host RIP: bits 63:32 are not 0 for a host of 32 bits"),
	CHECK(375, pae_for_64bit_host, HOST_CR4, "host CR4.PAE: 0 with host address-space size"),
	CHECK(376, rip_canonical, HOST_RIP, "host RIP: not canonical"),
	CHECK_OF(377, check_host_cet_32bit, FIELD_S_CET, HOST_IA32_S_CET, "host IA32_S_CET: bits 63:32 are not 0 for a host of 32 bits"),
	CHECK_OF(378, check_host_cet_32bit, FIELD_SSP, HOST_SSP, "host SSP: bits 63:32 are not 0 for a host of 32 bits"),
	CHECK_OF(379, check_host_cet_canonical, FIELD_S_CET, HOST_IA32_S_CET, "host IA32_S_CET: not canonical"),
	CHECK_OF(380, check_host_cet_canonical, FIELD_SSP, HOST_SSP, "host SSP: not canonical"),
};

const struct entry_section check_host_registers_section =
	SECTION(REFUSAL_HOST, "Checks on Host Control Registers, MSRs, and SSP", register_checks);
const struct entry_section check_host_segments_section =
	SECTION(REFUSAL_HOST, "Checks on Host Segment and Descriptor-Table Registers", segment_checks);
const struct entry_section check_address_space_section = SECTION(REFUSAL_HOST, "Checks Related to Address-Space Size", size_checks);
