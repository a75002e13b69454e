/* SPDX-License-Identifier: MIT */
/*
 * VM entry's checks on guest registers, non-register state and PDPTEs: each row
 * breaks one rule of a valid vmcs12, and every rule has a row.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/refusals.h"
#include "vmx/events.h"

#define NOT_CANONICAL UINT64_C(0x0100000000000000)
#define BEYOND (UINT64_C(1) << BUILDER_PHYSICAL_BITS)
#define ENTRY(name) WITH(ENTRY_CONTROLS, CONTROL_MASK(ENTRY, name))
#define NO_ENTRY(name) WITHOUT(ENTRY_CONTROLS, CONTROL_MASK(ENTRY, name))
#define INJECT(value) TO(ENTRY_INTERRUPTION_INFORMATION, value)
#define EXTERNAL_INTERRUPT 0x80000020
#define NMI 0x80000202
#define MACHINE_CHECK 0x80000312
#define DEBUG_EXCEPTION 0x80000301
#define BLOCKING(bits) TO(GUEST_INTERRUPTIBILITY_STATE, bits)
#define ACTIVITY(state) TO(GUEST_ACTIVITY_STATE, state)
#define PENDING(bits) TO(GUEST_PENDING_DEBUG_EXCEPTIONS, bits)
#define CR0_RULE "guest CR0: a bit that must be 1 in VMX operation is 0"
#define EVENT_RULE "guest activity state: it blocks the injected event"
#define STEP_RULE "guest pending debug exceptions: BS does not fit RFLAGS.TF and BTF"
#define RTM_RULE "guest pending debug exceptions: RTM with other causes or with MOV SS"
#define LINK_PAGE_RULE "VMCS link pointer: not page aligned, or beyond the physical-address width"
#define LINK_REVISION_RULE "VMCS link pointer: the region has another revision or shadow-VMCS indicator"

static const struct refusal refusals[] = {
	/* control registers, debug registers, MSRs */
	{ "cr0_without_ne", BUILD_LONG, { WITHOUT(GUEST_CR0, CR0_NE) }, CR0_RULE, 0 },
	{ "cr0_without_protection_in_a_restricted_guest", BUILD_V8086, { WITHOUT(GUEST_CR0, CR0_PE) }, CR0_RULE, 0 },
	{ "cr0_without_paging_in_an_unrestricted_guest", BUILD_REAL, { WITH(GUEST_CR0, CR0_PE) }, NULL, 0 },
	{ "cr0_cd_and_nw_are_not_looked_at", BUILD_LONG, { WITH(GUEST_CR0, CR0_CD | CR0_NW) }, NULL, 0 },
	{ "paging_without_protection", BUILD_REAL, { WITH(GUEST_CR0, CR0_PG) }, "guest CR0.PG without CR0.PE", 0 },
	{ "cr4_without_vmxe", BUILD_LONG, { WITHOUT(GUEST_CR4, CR4_VMXE) }, "guest CR4: a bit that must be 1 in VMX operation is 0", 0 },
	{ "cr0_with_bit_32", BUILD_LONG, { WITH(GUEST_CR0, 1ull << 32) },
	  "guest CR0: a bit that must be 0 in VMX operation is 1", 0 },
	{ "cr4_with_a_reserved_bit", BUILD_LONG, { WITH(GUEST_CR4, 1u << 15) },
	  "guest CR4: a bit that must be 0 in VMX operation is 1", 0 },
	{ "cet_without_write_protect", BUILD_LONG, { WITH(GUEST_CR4, CR4_CET), WITHOUT(GUEST_CR0, CR0_WP) },
	  "guest CR4.CET without CR0.WP", 0 },
	{ "cet_with_write_protect", BUILD_LONG, { WITH(GUEST_CR4, CR4_CET) }, NULL, 0 },
	{ "debugctl_with_a_reserved_bit", BUILD_LONG, { TO(GUEST_IA32_DEBUGCTL, 4) },
	  "guest IA32_DEBUGCTL: a reserved bit is 1", 0 },
	{ "long_mode_without_paging", BUILD_LONG,
	  { WITH(SECONDARY_PROCESSOR_BASED_CONTROLS, CONTROL_MASK(PROC2, UNRESTRICTED_GUEST)), WITHOUT(GUEST_CR0, CR0_PG) },
	  "guest CR0.PG: 0 in an IA-32e mode guest", 0 },
	{ "long_mode_without_pae", BUILD_LONG, { WITHOUT(GUEST_CR4, CR4_PAE) }, "guest CR4.PAE: 0 in an IA-32e mode guest", 0 },
	{ "pcid_outside_long_mode", BUILD_PAE, { WITH(GUEST_CR4, CR4_PCIDE) }, "guest CR4.PCIDE outside IA-32e mode", 0 },
	{ "pcid_in_long_mode", BUILD_LONG, { WITH(GUEST_CR4, CR4_PCIDE) }, NULL, 0 },
	{ "cr3_beyond_the_width", BUILD_LONG, { WITH(GUEST_CR3, BEYOND) },
	  "guest CR3: a bit beyond the physical-address width", 0 },
	{ "dr7_with_bit_32", BUILD_LONG, { WITH(GUEST_DR7, 1ull << 32) }, "guest DR7: bits 63:32 are not 0", 0 },
	{ "debug_state_that_is_not_loaded", BUILD_LONG,
	  { NO_ENTRY(LOAD_DEBUG_CONTROLS), TO(GUEST_DR7, UINT64_MAX), TO(GUEST_IA32_DEBUGCTL, UINT64_MAX) }, NULL, 0 },
	{ "sysenter_esp_is_not_canonical", BUILD_LONG, { TO(GUEST_IA32_SYSENTER_ESP, NOT_CANONICAL) },
	  "guest IA32_SYSENTER_ESP: not canonical", 0 },
	{ "sysenter_eip_is_not_canonical", BUILD_LONG, { TO(GUEST_IA32_SYSENTER_EIP, NOT_CANONICAL) },
	  "guest IA32_SYSENTER_EIP: not canonical", 0 },
	{ "perf_global_ctrl_with_a_reserved_bit", BUILD_LONG,
	  { ENTRY(LOAD_IA32_PERF_GLOBAL_CTRL), TO(GUEST_IA32_PERF_GLOBAL_CTRL, 1ull << 40) },
	  "guest IA32_PERF_GLOBAL_CTRL: a reserved bit is 1", 0 },
	{ "perf_global_ctrl_by_the_rules", BUILD_LONG,
	  { ENTRY(LOAD_IA32_PERF_GLOBAL_CTRL), TO(GUEST_IA32_PERF_GLOBAL_CTRL, 0x70000000f) }, NULL, 0 },
	{ "pat_with_type_3", BUILD_LONG, { ENTRY(LOAD_IA32_PAT), TO(GUEST_IA32_PAT, 3ull << 56) },
	  "guest IA32_PAT: a reserved memory type", 0 },
	{ "pat_that_is_not_loaded", BUILD_LONG, { TO(GUEST_IA32_PAT, UINT64_MAX) }, NULL, 0 },
	{ "s_cet_with_a_reserved_bit", BUILD_LONG, { ENTRY(LOAD_CET_STATE), TO(GUEST_IA32_S_CET, 1u << 7) },
	  "guest IA32_S_CET: a reserved bit is 1", 0 },
	{ "s_cet_with_suppress_and_tracker", BUILD_LONG, { ENTRY(LOAD_CET_STATE), TO(GUEST_IA32_S_CET, 0xc00) },
	  "guest IA32_S_CET: SUPPRESS and TRACKER both set", 0 },
	{ "s_cet_by_the_rules", BUILD_LONG, { ENTRY(LOAD_CET_STATE), TO(GUEST_IA32_S_CET, 0x883f) }, NULL, 0 },
	{ "ssp_table_is_not_canonical", BUILD_LONG, { ENTRY(LOAD_CET_STATE), TO(GUEST_IA32_INTERRUPT_SSP_TABLE, 1ull << 60) },
	  "guest IA32_INTERRUPT_SSP_TABLE_ADDR: not canonical", 0 },
	{ "ssp_with_bit_1", BUILD_LONG, { ENTRY(LOAD_CET_STATE), TO(GUEST_SSP, 2) }, "guest SSP: bits 1:0 are not 0", 0 },
	{ "ssp_beyond_the_width", BUILD_LONG, { ENTRY(LOAD_CET_STATE), TO(GUEST_SSP, 1ull << 57) },
	  "guest SSP: bits beyond the linear-address width are not alike", 0 },
	{ "ssp_that_is_not_canonical_but_alike", BUILD_LONG, { ENTRY(LOAD_CET_STATE), TO(GUEST_SSP, 1ull << 56) }, NULL, 0 },
	{ "ssp_in_the_upper_half", BUILD_LONG, { ENTRY(LOAD_CET_STATE), TO(GUEST_SSP, 0xff00000000000000ull) }, NULL, 0 },
	{ "cet_state_that_is_not_loaded", BUILD_LONG,
	  { TO(GUEST_IA32_S_CET, UINT64_MAX), TO(GUEST_SSP, (1ull << 60) | 3), TO(GUEST_IA32_INTERRUPT_SSP_TABLE, 1ull << 60) }, NULL, 0 },
	{ "pkrs_with_bit_63", BUILD_LONG, { ENTRY(LOAD_PKRS), TO(GUEST_IA32_PKRS, 1ull << 63) },
	  "guest IA32_PKRS: bits 63:32 are not 0", 0 },
	{ "pkrs_with_all_keys", BUILD_LONG, { ENTRY(LOAD_PKRS), TO(GUEST_IA32_PKRS, UINT32_MAX) }, NULL, 0 },
	{ "pkrs_that_is_not_loaded", BUILD_LONG, { TO(GUEST_IA32_PKRS, UINT64_MAX) }, NULL, 0 },
	{ "uinv_with_bit_8", BUILD_LONG, { ENTRY(LOAD_UINV), TO(GUEST_UINV, 0x100) }, "guest UINV: bits 15:8 are not 0", 0 },
	{ "uinv_with_vector_255", BUILD_LONG, { ENTRY(LOAD_UINV), TO(GUEST_UINV, 0xff) }, NULL, 0 },
	{ "uinv_that_is_not_loaded", BUILD_LONG, { TO(GUEST_UINV, 0x100) }, NULL, 0 },
	{ "efer_with_a_reserved_bit", BUILD_LONG, { WITH(GUEST_IA32_EFER, 1u << 15) },
	  "guest IA32_EFER: a reserved bit is 1", 0 },
	{ "efer_without_lma_in_long_mode", BUILD_LONG, { WITHOUT(GUEST_IA32_EFER, EFER_LMA | EFER_LME) },
	  "guest IA32_EFER.LMA disagrees with IA-32e mode guest", 0 },
	{ "efer_with_lma_outside_long_mode", BUILD_PAE, { WITH(GUEST_IA32_EFER, EFER_LMA | EFER_LME) },
	  "guest IA32_EFER.LMA disagrees with IA-32e mode guest", 0 },
	{ "efer_with_lme_alone_while_paging", BUILD_PAE, { WITH(GUEST_IA32_EFER, EFER_LME) },
	  "guest IA32_EFER.LME disagrees with LMA while paging", 0 },
	{ "efer_with_lme_alone_without_paging", BUILD_REAL, { WITH(GUEST_IA32_EFER, EFER_LME) }, NULL, 0 },
	{ "efer_that_is_not_loaded", BUILD_LONG, { NO_ENTRY(LOAD_IA32_EFER), TO(GUEST_IA32_EFER, UINT64_MAX) }, NULL, 0 },

	{ "virtual_8086_mode_by_the_rules", BUILD_V8086, { WITH(GUEST_RFLAGS, RFLAGS_IF) }, NULL, 0 },
	{ "virtual_8086_mode_without_protection", BUILD_V8086,
	  { WITH(SECONDARY_PROCESSOR_BASED_CONTROLS, CONTROL_MASK(PROC2, UNRESTRICTED_GUEST)), WITHOUT(GUEST_CR0, CR0_PG | CR0_PE) },
	  "guest RFLAGS.VM: 1 with CR0.PE 0", 0 },
	/* descriptor tables, RIP, RFLAGS */
	{ "gdtr_base_is_not_canonical", BUILD_LONG, { TO(GUEST_GDTR_BASE, NOT_CANONICAL) },
	  "guest GDTR base: not canonical", 0 },
	{ "idtr_base_is_not_canonical", BUILD_LONG, { TO(GUEST_IDTR_BASE, NOT_CANONICAL) },
	  "guest IDTR base: not canonical", 0 },
	{ "gdtr_limit_of_17_bits", BUILD_LONG, { TO(GUEST_GDTR_LIMIT, 0x10000) }, "guest GDTR limit: bits 31:16 are not 0", 0 },
	{ "idtr_limit_of_17_bits", BUILD_LONG, { TO(GUEST_IDTR_LIMIT, 0x10000) }, "guest IDTR limit: bits 31:16 are not 0", 0 },
	{ "rip_of_33_bits_outside_long_mode", BUILD_PAE, { TO(GUEST_RIP, 1ull << 32) },
	  "guest RIP: bits 63:32 are not 0 outside 64-bit mode", 0 },
	{ "rip_of_33_bits_in_compatibility_mode", BUILD_LONG, { TO(GUEST_CS_ACCESS_RIGHTS, 0xc09b) },
	  "guest RIP: bits 63:32 are not 0 outside 64-bit mode", 0 },
	{ "rip_with_mixed_unused_bits", BUILD_LONG, { TO(GUEST_RIP, 1ull << 60) },
	  "guest RIP: bits beyond the linear-address width are not alike", 0 },
	{ "rip_that_is_not_canonical_but_alike", BUILD_LONG, { TO(GUEST_RIP, NOT_CANONICAL) }, NULL, 0 },
	{ "rflags_without_bit_1", BUILD_LONG, { TO(GUEST_RFLAGS, 0) }, "guest RFLAGS: a reserved bit has the wrong value", 0 },
	{ "rflags_with_bit_22", BUILD_LONG, { WITH(GUEST_RFLAGS, 1u << 22) },
	  "guest RFLAGS: a reserved bit has the wrong value", 0 },
	{ "external_interrupt_with_if_0", BUILD_LONG, { INJECT(EXTERNAL_INTERRUPT) },
	  "guest RFLAGS.IF: 0 while an external interrupt is injected", 0 },
	{ "external_interrupt_with_if_1", BUILD_LONG, { INJECT(EXTERNAL_INTERRUPT), WITH(GUEST_RFLAGS, RFLAGS_IF) }, NULL, 0 },

	/* activity */
	{ "activity_state_4", BUILD_LONG, { ACTIVITY(4) }, "guest activity state: not one that IA32_VMX_MISC offers", 0 },
	{ "hlt_at_cpl_3", BUILD_LONG,
	  { ACTIVITY(ACTIVITY_HLT), TO(GUEST_SS_SELECTOR, 0x13), TO(GUEST_CS_SELECTOR, 0x13), TO(GUEST_SS_ACCESS_RIGHTS, 0xc0f3),
	    TO(GUEST_CS_ACCESS_RIGHTS, 0xa0fb) },
	  "guest activity state: HLT with SS's DPL not 0", 0 },
	{ "hlt_after_sti", BUILD_LONG,
	  { ACTIVITY(ACTIVITY_HLT), BLOCKING(INTERRUPTIBILITY_STI), WITH(GUEST_RFLAGS, RFLAGS_IF) },
	  "guest activity state: not active with blocking by STI or MOV SS", 0 },
	{ "hlt_and_an_nmi", BUILD_LONG, { ACTIVITY(ACTIVITY_HLT), INJECT(NMI) }, NULL, 0 },
	{ "hlt_and_a_debug_exception", BUILD_LONG, { ACTIVITY(ACTIVITY_HLT), INJECT(DEBUG_EXCEPTION) }, NULL, 0 },
	{ "hlt_and_a_machine_check", BUILD_LONG, { ACTIVITY(ACTIVITY_HLT), INJECT(MACHINE_CHECK) }, NULL, 0 },
	{ "shutdown_and_a_debug_exception", BUILD_LONG, { ACTIVITY(ACTIVITY_SHUTDOWN), INJECT(DEBUG_EXCEPTION) }, EVENT_RULE, 0 },
	{ "hlt_and_a_pending_mtf", BUILD_LONG, { ACTIVITY(ACTIVITY_HLT), INJECT(0x80000700) }, NULL, 0 },
	{ "hlt_and_a_general_protection", BUILD_LONG, { ACTIVITY(ACTIVITY_HLT), INJECT(0x80000b0d) }, EVENT_RULE, 0 },
	{ "hlt_and_a_software_interrupt", BUILD_LONG, { ACTIVITY(ACTIVITY_HLT), INJECT(0x80000480) }, EVENT_RULE, 0 },
	{ "shutdown_and_an_nmi", BUILD_LONG, { ACTIVITY(ACTIVITY_SHUTDOWN), INJECT(NMI) }, NULL, 0 },
	{ "shutdown_and_a_machine_check", BUILD_LONG, { ACTIVITY(ACTIVITY_SHUTDOWN), INJECT(MACHINE_CHECK) }, NULL, 0 },
	{ "shutdown_and_an_external_interrupt", BUILD_LONG,
	  { ACTIVITY(ACTIVITY_SHUTDOWN), INJECT(EXTERNAL_INTERRUPT), WITH(GUEST_RFLAGS, RFLAGS_IF) }, EVENT_RULE, 0 },
	{ "wait_for_sipi_and_an_nmi", BUILD_LONG, { ACTIVITY(ACTIVITY_WAIT_FOR_SIPI), INJECT(NMI) }, EVENT_RULE, 0 },

	/* interruptibility */
	{ "interruptibility_bit_5", BUILD_LONG, { BLOCKING(0x20) }, "guest interruptibility: a reserved bit is 1", 0 },
	{ "blocking_by_sti_and_by_mov_ss", BUILD_LONG, { BLOCKING(3), WITH(GUEST_RFLAGS, RFLAGS_IF) },
	  "guest interruptibility: blocking by STI and by MOV SS at once", 0 },
	{ "blocking_by_sti_with_if_0", BUILD_LONG, { BLOCKING(1) },
	  "guest interruptibility: blocking by STI with RFLAGS.IF 0", 0 },
	{ "external_interrupt_after_mov_ss", BUILD_LONG,
	  { BLOCKING(2), INJECT(EXTERNAL_INTERRUPT), WITH(GUEST_RFLAGS, RFLAGS_IF) },
	  "guest interruptibility: blocking by STI or MOV SS while an external interrupt is injected", 0 },
	{ "nmi_after_mov_ss", BUILD_LONG, { BLOCKING(2), INJECT(NMI) },
	  "guest interruptibility: blocking by MOV SS while an NMI is injected", 0 },
	{ "nmi_after_sti", BUILD_LONG, { BLOCKING(1), INJECT(NMI), WITH(GUEST_RFLAGS, RFLAGS_IF) },
	  NULL, 0 },
	{ "blocking_by_smi", BUILD_LONG, { BLOCKING(4) }, "guest interruptibility: blocking by SMI outside SMM", 0 },
	{ "virtual_nmi_while_blocked", BUILD_LONG,
	  { BLOCKING(8), INJECT(NMI), WITH(PIN_BASED_CONTROLS, CONTROL_MASK(PIN, NMI_EXITING) | CONTROL_MASK(PIN, VIRTUAL_NMIS)) },
	  "guest interruptibility: blocking by NMI while a virtual NMI is injected", 0 },
	{ "nmi_while_blocked_without_virtual_nmis", BUILD_LONG, { BLOCKING(8), INJECT(NMI) }, NULL, 0 },
	{ "virtual_nmi_that_is_not_blocked", BUILD_LONG,
	  { INJECT(NMI), WITH(PIN_BASED_CONTROLS, CONTROL_MASK(PIN, NMI_EXITING) | CONTROL_MASK(PIN, VIRTUAL_NMIS)) }, NULL, 0 },
	{ "enclave_interruption_after_mov_ss", BUILD_LONG, { BLOCKING(0x12) },
	  "guest interruptibility: enclave interruption with blocking by MOV SS", 0 },

	/* pending debug exceptions */
	{ "pending_debug_bus_lock_of_another_processor", BUILD_LONG, { PENDING(0x800) },
	  "guest pending debug exceptions: a reserved bit is 1", 0 },
	{ "pending_debug_bit_13", BUILD_LONG, { PENDING(0x2000) }, "guest pending debug exceptions: a reserved bit is 1", 0 },
	{ "single_step_after_mov_ss_without_bs", BUILD_LONG, { BLOCKING(2), WITH(GUEST_RFLAGS, RFLAGS_TF) }, STEP_RULE, 0 },
	{ "single_step_after_mov_ss_with_bs", BUILD_LONG,
	  { BLOCKING(2), WITH(GUEST_RFLAGS, RFLAGS_TF), PENDING(PENDING_DEBUG_BS) }, NULL, 0 },
	{ "branch_step_after_mov_ss_with_bs", BUILD_LONG,
	  { BLOCKING(2), WITH(GUEST_RFLAGS, RFLAGS_TF), PENDING(PENDING_DEBUG_BS), TO(GUEST_IA32_DEBUGCTL, 2) }, STEP_RULE, 0 },
	{ "bs_in_hlt_without_tf", BUILD_LONG, { ACTIVITY(ACTIVITY_HLT), PENDING(PENDING_DEBUG_BS) }, STEP_RULE, 0 },
	{ "bs_anywhere_else", BUILD_LONG, { PENDING(PENDING_DEBUG_BS) }, NULL, 0 },
	{ "rtm_without_enabled_breakpoint", BUILD_LONG, { PENDING(0x10000) }, RTM_RULE, 0 },
	{ "rtm_after_mov_ss", BUILD_LONG, { PENDING(0x11000), BLOCKING(2) }, RTM_RULE, 0 },
	{ "rtm_by_the_rules", BUILD_LONG, { PENDING(0x11000) }, NULL, 0 },

	/* link pointer */
	{ "link_pointer_is_not_aligned", BUILD_LONG, { TO(VMCS_LINK_POINTER, BUILDER_REGION + 8) },
	  LINK_PAGE_RULE, ENTRY_FAIL_LINK_POINTER },
	{ "link_pointer_is_beyond_the_width", BUILD_LONG, { TO(VMCS_LINK_POINTER, BEYOND) },
	  LINK_PAGE_RULE, ENTRY_FAIL_LINK_POINTER },
	{ "link_pointer_to_another_revision", BUILD_LONG, { TO(VMCS_LINK_POINTER, BUILDER_OTHER) }, LINK_REVISION_RULE,
	  ENTRY_FAIL_LINK_POINTER },
	{ "link_pointer_to_a_shadow_vmcs_without_shadowing", BUILD_LONG, { TO(VMCS_LINK_POINTER, BUILDER_SHADOW) },
	  LINK_REVISION_RULE, ENTRY_FAIL_LINK_POINTER },
	{ "link_pointer_to_an_ordinary_vmcs", BUILD_LONG, { TO(VMCS_LINK_POINTER, BUILDER_REGION) }, NULL, 0 },
	{ "link_pointer_to_a_shadow_vmcs_with_shadowing", BUILD_EVERYTHING,
	  { TO(VMCS_LINK_POINTER, BUILDER_SHADOW),
	    WITH(SECONDARY_PROCESSOR_BASED_CONTROLS, CONTROL_MASK(PROC2, VMCS_SHADOWING)) }, NULL, 0 },
	{ "link_pointer_to_itself", BUILD_LONG, { TO(VMCS_LINK_POINTER, BUILDER_VMCS12) },
	  "VMCS link pointer: it is the current VMCS",
	  ENTRY_FAIL_LINK_POINTER },

	/* PDPTEs */
	{ "pdpte0_with_a_reserved_bit", BUILD_PAE, { TO(GUEST_PDPTE0, 0x3) },
	  "guest PDPTE0: present with a reserved bit that is 1", ENTRY_FAIL_PDPTE },
	{ "pdpte1_with_a_reserved_bit", BUILD_PAE, { TO(GUEST_PDPTE1, 0x21) },
	  "guest PDPTE1: present with a reserved bit that is 1", ENTRY_FAIL_PDPTE },
	{ "pdpte2_beyond_the_width", BUILD_PAE, { TO(GUEST_PDPTE2, BEYOND | 1) },
	  "guest PDPTE2: present with a reserved bit that is 1", ENTRY_FAIL_PDPTE },
	{ "pdpte3_with_execute_disable", BUILD_PAE, { TO(GUEST_PDPTE3, 1ull << 63 | 1) },
	  "guest PDPTE3: present with a reserved bit that is 1", ENTRY_FAIL_PDPTE },
	{ "pdpte_that_is_not_present", BUILD_PAE, { TO(GUEST_PDPTE0, ~1ull) }, NULL, 0 },
	{ "pdptes_of_a_long_mode_guest_are_not_looked_at", BUILD_LONG, { TO(GUEST_PDPTE0, UINT64_MAX) }, NULL, 0 },
	{ "pdptes_of_a_real_mode_guest_are_not_looked_at", BUILD_REAL,
	  { TO(GUEST_PDPTE0, UINT64_MAX), WITH(GUEST_CR4, CR4_PAE) }, NULL, 0 },
};

#define RULE_VM "guest RFLAGS.VM: 1 in an IA-32e mode guest"

/* A vmcs12 with RFLAGS.VM and valid virtual-8086 segments, but in IA-32e mode. */
static void virtual_8086_in_long_mode_is_refused(void **state)
{
	static struct builder builder;
	struct entry_failure failure;

	(void)state;
	builder_init(&builder, BUILD_V8086);
	vmcs12_set(&builder.vmcs12, VMCS_ENTRY_CONTROLS,
		   vmcs12_control(&builder.vmcs12, WORD_ENTRY) | ENTRY_IA32E_MODE_GUEST);
	vmcs12_set(&builder.vmcs12, VMCS_GUEST_IA32_EFER, EFER_LMA | EFER_LME);
	vmcs12_set(&builder.vmcs12, VMCS_GUEST_CR4, CR4_VMXE | CR4_PAE);
	assert_false(check_guest(&builder.context, &failure));
	assert_string_equal(failure.rule, RULE_VM);
}

/* Expect: it is no reason to refuse, but one to tell when the processor did. */
static void blocking_by_sti_explains_the_refusal_of_an_nmi(void **state)
{
	static struct builder builder;
	struct entry_failure failure;

	(void)state;
	builder_init(&builder, BUILD_LONG);
	assert_true(check_left_to_processor(&builder.context, &failure));
	vmcs12_set(&builder.vmcs12, VMCS_GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_STI);
	assert_true(check_left_to_processor(&builder.context, &failure));
	vmcs12_set(&builder.vmcs12, VMCS_ENTRY_INTERRUPTION_INFORMATION, NMI);
	assert_false(check_left_to_processor(&builder.context, &failure));
	assert_string_equal(failure.rule, "guest interruptibility: blocking by STI while an NMI is injected");
	assert_int_equal(failure.qualification, ENTRY_FAIL_NMI);
}

static void activity_states_need_the_capability(void **state)
{
	static struct builder builder;
	struct entry_failure failure;

	(void)state;
	for (u32 activity = ACTIVITY_HLT; activity <= ACTIVITY_WAIT_FOR_SIPI; activity++) {
		builder_init(&builder, BUILD_LONG);
		vmcs12_set(&builder.vmcs12, VMCS_GUEST_ACTIVITY_STATE, activity);
		assert_true(check_guest(&builder.context, &failure));
		builder.offered.misc &= ~(VMX_MISC_ACTIVITY_HLT << (activity - 1));
		assert_false(check_guest(&builder.context, &failure));
		assert_string_equal(failure.rule, "guest activity state: not one that IA32_VMX_MISC offers");
	}
}

static void check_pdptes_accepts_what_a_move_to_cr3_accepts(void **state)
{
	static struct builder builder;
	const u64 good[4] = { 0x1001, 0x2001 | BIT(9) | BIT(3), 0, ~UINT64_C(1) };
	const u64 bad[4] = { 0x1001, 0, 0, 0x1003 };

	(void)state;
	builder_init(&builder, BUILD_PAE);
	assert_true(check_pdptes(&builder.offered, good));
	assert_false(check_pdptes(&builder.offered, bad));
	assert_true(check_uses_pae_paging(&builder.vmcs12));
	builder_init(&builder, BUILD_LONG);
	assert_false(check_uses_pae_paging(&builder.vmcs12));
	builder_init(&builder, BUILD_REAL);
	assert_false(check_uses_pae_paging(&builder.vmcs12));
}

static void linear_address_masking_bits_of_cr3_need_the_feature(void **state)
{
	static struct builder builder;
	struct entry_failure failure;

	(void)state;
	builder_init(&builder, BUILD_LONG);
	vmcs12_set(&builder.vmcs12, VMCS_GUEST_CR3, 0x60000 | BIT(61) | BIT(62));
	assert_false(check_guest(&builder.context, &failure));
	builder.offered.cr4_fixed1 |= BIT(28);
	assert_true(check_guest(&builder.context, &failure));
}

static void every_rule_has_a_case_that_breaks_it(void **state)
{
	struct refusal all[array_size(refusals) + 1];

	(void)state;
	memcpy(all, refusals, sizeof(refusals));
	all[array_size(refusals)] = (struct refusal){ .rule = RULE_VM };
	refusals_cover(all, array_size(all), &check_guest_registers_section);
	refusals_cover(all, array_size(all), &check_guest_tables_section);
	refusals_cover(all, array_size(all), &check_guest_rip_section);
	refusals_cover(all, array_size(all), &check_guest_non_register_section);
	refusals_cover(all, array_size(all), &check_link_pointer_section);
	refusals_cover(all, array_size(all), &check_guest_pdptes_section);
}

static void run(void **state)
{
	refusal_run(*state, check_guest);
}

static const struct CMUnitTest others[] = {
	cmocka_unit_test(virtual_8086_in_long_mode_is_refused),
	cmocka_unit_test(blocking_by_sti_explains_the_refusal_of_an_nmi),
	cmocka_unit_test(activity_states_need_the_capability),
	cmocka_unit_test(check_pdptes_accepts_what_a_move_to_cr3_accepts),
	cmocka_unit_test(linear_address_masking_bits_of_cr3_need_the_feature),
	cmocka_unit_test(every_rule_has_a_case_that_breaks_it),
};

int main(void)
{
	struct CMUnitTest tests[array_size(refusals) + array_size(others)];

	for (u32 i = 0; i < array_size(refusals); i++)
		tests[i] = (struct CMUnitTest){ .name = refusals[i].name, .test_func = run,
						.initial_state = (void *)(uintptr_t)&refusals[i] };
	memcpy(&tests[array_size(refusals)], others, sizeof(others));
	return cmocka_run_group_tests_name("check_guest", tests, NULL, NULL);
}
