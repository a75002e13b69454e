/* SPDX-License-Identifier: MIT */
/*
 * VM entry's checks on the host-state area: each row breaks one rule of a valid
 * vmcs12, and every rule has a row.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/refusals.h"

#define NOT_CANONICAL UINT64_C(0x0100000000000000)
#define NOT_CANONICAL_48 UINT64_C(0x0000800000000000)
#define BEYOND (UINT64_C(1) << BUILDER_PHYSICAL_BITS)
#define EXIT(name) WITH(EXIT_CONTROLS, CONTROL_MASK(EXIT, name))
#define ENTRY(name) WITH(ENTRY_CONTROLS, CONTROL_MASK(ENTRY, name))

static const struct refusal refusals[] = {
	{ "host_cr0_without_ne", BUILD_LONG, { WITHOUT(HOST_CR0, CR0_NE) },
	  "host CR0: a bit that must be 1 in VMX operation is 0", 0 },
	{ "host_cr0_without_paging", BUILD_LONG, { WITHOUT(HOST_CR0, CR0_PG) },
	  "host CR0: a bit that must be 1 in VMX operation is 0", 0 },
	{ "host_cr0_with_bit_32", BUILD_LONG, { WITH(HOST_CR0, 1ull << 32) },
	  "host CR0: a bit that must be 0 in VMX operation is 1", 0 },
	{ "host_cr0_cd_and_nw_are_not_looked_at", BUILD_LONG, { WITH(HOST_CR0, CR0_CD | CR0_NW) }, NULL, 0 },
	{ "host_cr4_without_vmxe", BUILD_LONG, { WITHOUT(HOST_CR4, CR4_VMXE) },
	  "host CR4: a bit that must be 1 in VMX operation is 0", 0 },
	{ "host_cr4_with_a_reserved_bit", BUILD_LONG, { WITH(HOST_CR4, 1u << 15) },
	  "host CR4: a bit that must be 0 in VMX operation is 1", 0 },
	{ "host_cet_without_write_protect", BUILD_LONG, { WITH(HOST_CR4, CR4_CET), WITHOUT(HOST_CR0, CR0_WP) },
	  "host CR4.CET without CR0.WP", 0 },
	{ "host_cet_with_write_protect", BUILD_LONG, { WITH(HOST_CR4, CR4_CET) }, NULL, 0 },
	{ "host_cr3_beyond_the_width", BUILD_LONG, { WITH(HOST_CR3, BEYOND) },
	  "host CR3: a bit beyond the physical-address width", 0 },
	{ "host_sysenter_esp_is_not_canonical", BUILD_LONG, { TO(HOST_IA32_SYSENTER_ESP, NOT_CANONICAL) },
	  "host IA32_SYSENTER_ESP: not canonical", 0 },
	{ "host_sysenter_eip_is_not_canonical", BUILD_LONG, { TO(HOST_IA32_SYSENTER_EIP, NOT_CANONICAL) },
	  "host IA32_SYSENTER_EIP: not canonical", 0 },
	{ "host_perf_global_ctrl_with_a_reserved_bit", BUILD_LONG,
	  { EXIT(LOAD_IA32_PERF_GLOBAL_CTRL), TO(HOST_IA32_PERF_GLOBAL_CTRL, 1ull << 40) },
	  "host IA32_PERF_GLOBAL_CTRL: a reserved bit is 1", 0 },
	{ "host_perf_global_ctrl_that_is_not_loaded", BUILD_LONG, { TO(HOST_IA32_PERF_GLOBAL_CTRL, UINT64_MAX) }, NULL, 0 },
	{ "host_perf_global_ctrl_by_the_rules", BUILD_LONG,
	  { EXIT(LOAD_IA32_PERF_GLOBAL_CTRL), TO(HOST_IA32_PERF_GLOBAL_CTRL, 0x70000000f) }, NULL, 0 },
	{ "host_pat_with_type_2", BUILD_LONG, { EXIT(LOAD_IA32_PAT), TO(HOST_IA32_PAT, 0x0200) },
	  "host IA32_PAT: a reserved memory type", 0 },
	{ "host_pat_with_type_8", BUILD_LONG, { EXIT(LOAD_IA32_PAT), TO(HOST_IA32_PAT, 0x08) },
	  "host IA32_PAT: a reserved memory type", 0 },
	{ "host_pat_by_the_rules", BUILD_LONG, { EXIT(LOAD_IA32_PAT), TO(HOST_IA32_PAT, 0x0706050401000607ull) }, NULL, 0 },
	{ "host_efer_with_a_reserved_bit", BUILD_LONG, { WITH(HOST_IA32_EFER, 2) }, "host IA32_EFER: a reserved bit is 1", 0 },
	{ "host_efer_that_is_not_loaded", BUILD_LONG,
	  { WITHOUT(EXIT_CONTROLS, CONTROL_MASK(EXIT, LOAD_IA32_EFER)), TO(HOST_IA32_EFER, UINT64_MAX) }, NULL, 0 },
	{ "host_efer_without_lme", BUILD_LONG, { WITHOUT(HOST_IA32_EFER, EFER_LME) },
	  "host IA32_EFER: LMA and LME disagree with host address-space size", 0 },
	{ "host_efer_of_a_32_bit_host_with_lma", BUILD_32_BIT_HOST, { WITH(HOST_IA32_EFER, EFER_LMA | EFER_LME) },
	  "host IA32_EFER: LMA and LME disagree with host address-space size", 0 },

	{ "host_s_cet_with_a_reserved_bit", BUILD_LONG, { EXIT(LOAD_CET_STATE), TO(HOST_IA32_S_CET, 1u << 6) },
	  "host IA32_S_CET: a reserved bit is 1", 0 },
	{ "host_s_cet_with_bit_9", BUILD_LONG, { EXIT(LOAD_CET_STATE), TO(HOST_IA32_S_CET, 1u << 9) },
	  "host IA32_S_CET: a reserved bit is 1", 0 },
	{ "host_s_cet_with_suppress_and_tracker", BUILD_LONG, { EXIT(LOAD_CET_STATE), TO(HOST_IA32_S_CET, 0xc00) },
	  "host IA32_S_CET: SUPPRESS and TRACKER both set", 0 },
	{ "host_s_cet_with_suppress", BUILD_LONG, { EXIT(LOAD_CET_STATE), TO(HOST_IA32_S_CET, 0x43f) }, NULL, 0 },
	{ "host_s_cet_with_tracker", BUILD_LONG, { EXIT(LOAD_CET_STATE), TO(HOST_IA32_S_CET, 0x83f) }, NULL, 0 },
	{ "host_ssp_table_is_not_canonical", BUILD_LONG, { EXIT(LOAD_CET_STATE), TO(HOST_IA32_INTERRUPT_SSP_TABLE, NOT_CANONICAL) },
	  "host IA32_INTERRUPT_SSP_TABLE_ADDR: not canonical", 0 },
	{ "host_ssp_with_bit_0", BUILD_LONG, { EXIT(LOAD_CET_STATE), TO(HOST_SSP, 1) }, "host SSP: bits 1:0 are not 0", 0 },
	{ "host_ssp_with_bit_1", BUILD_LONG, { EXIT(LOAD_CET_STATE), TO(HOST_SSP, 2) }, "host SSP: bits 1:0 are not 0", 0 },
	{ "host_ssp_of_4_bytes", BUILD_LONG, { EXIT(LOAD_CET_STATE), TO(HOST_SSP, 4) }, NULL, 0 },
	{ "host_cet_state_that_is_not_loaded", BUILD_LONG,
	  { TO(HOST_IA32_S_CET, NOT_CANONICAL | 0xfff), TO(HOST_SSP, NOT_CANONICAL | 3), TO(HOST_IA32_INTERRUPT_SSP_TABLE, NOT_CANONICAL) },
	  NULL, 0 },
	{ "host_pkrs_with_bit_32", BUILD_LONG, { EXIT(LOAD_PKRS), TO(HOST_IA32_PKRS, 1ull << 32) },
	  "host IA32_PKRS: bits 63:32 are not 0", 0 },
	{ "host_pkrs_with_all_keys", BUILD_LONG, { EXIT(LOAD_PKRS), TO(HOST_IA32_PKRS, UINT32_MAX) }, NULL, 0 },
	{ "host_pkrs_that_is_not_loaded", BUILD_LONG, { TO(HOST_IA32_PKRS, UINT64_MAX) }, NULL, 0 },

	{ "host_cs_with_rpl_3", BUILD_LONG, { WITH(HOST_CS_SELECTOR, 3) }, "host CS selector: RPL or TI is not 0", 0 },
	{ "host_ss_in_the_ldt", BUILD_LONG, { WITH(HOST_SS_SELECTOR, 4) }, "host SS selector: RPL or TI is not 0", 0 },
	{ "host_ds_with_rpl_1", BUILD_LONG, { WITH(HOST_DS_SELECTOR, 1) }, "host DS selector: RPL or TI is not 0", 0 },
	{ "host_es_with_rpl_2", BUILD_LONG, { WITH(HOST_ES_SELECTOR, 2) }, "host ES selector: RPL or TI is not 0", 0 },
	{ "host_fs_with_rpl_3", BUILD_LONG, { WITH(HOST_FS_SELECTOR, 3) }, "host FS selector: RPL or TI is not 0", 0 },
	{ "host_gs_in_the_ldt", BUILD_LONG, { WITH(HOST_GS_SELECTOR, 4) }, "host GS selector: RPL or TI is not 0", 0 },
	{ "host_tr_in_the_ldt", BUILD_LONG, { WITH(HOST_TR_SELECTOR, 4) }, "host TR selector: RPL or TI is not 0", 0 },
	{ "host_cs_is_null", BUILD_LONG, { TO(HOST_CS_SELECTOR, 0) }, "host CS selector: 0", 0 },
	{ "host_tr_is_null", BUILD_LONG, { TO(HOST_TR_SELECTOR, 0) }, "host TR selector: 0", 0 },
	{ "host_ss_is_null_for_64_bits", BUILD_LONG, { TO(HOST_SS_SELECTOR, 0) }, NULL, 0 },
	{ "host_ss_is_null_for_32_bits", BUILD_32_BIT_HOST, { TO(HOST_SS_SELECTOR, 0) },
	  "host SS selector: 0 for a host of 32 bits", 0 },
	{ "host_fs_base_is_not_canonical", BUILD_LONG, { TO(HOST_FS_BASE, NOT_CANONICAL) }, "host FS base: not canonical", 0 },
	{ "host_gs_base_is_not_canonical", BUILD_LONG, { TO(HOST_GS_BASE, NOT_CANONICAL) }, "host GS base: not canonical", 0 },
	{ "host_gdtr_base_is_not_canonical", BUILD_LONG, { TO(HOST_GDTR_BASE, NOT_CANONICAL) }, "host GDTR base: not canonical", 0 },
	{ "host_idtr_base_is_not_canonical", BUILD_LONG, { TO(HOST_IDTR_BASE, NOT_CANONICAL) }, "host IDTR base: not canonical", 0 },
	{ "host_tr_base_is_not_canonical", BUILD_LONG, { TO(HOST_TR_BASE, NOT_CANONICAL) }, "host TR base: not canonical", 0 },
	{ "host_bases_go_by_the_width_of_the_processor", BUILD_LONG, { TO(HOST_FS_BASE, NOT_CANONICAL_48) }, NULL, 0 },

	{ "long_mode_guest_from_outside_long_mode", BUILD_32_BIT_HOST, { ENTRY(IA32E_MODE_GUEST) },
	  "IA-32e mode guest, but VM entry is made outside IA-32e mode", 0 },
	{ "64_bit_host_from_outside_long_mode", BUILD_32_BIT_HOST,
	  { EXIT(HOST_ADDRESS_SPACE_SIZE), TO(HOST_IA32_EFER, EFER_LMA | EFER_LME) },
	  "host address-space size differs from IA32_EFER.LMA at VM entry", 0 },
	{ "32_bit_host_from_long_mode", BUILD_LONG,
	  { WITHOUT(EXIT_CONTROLS, CONTROL_MASK(EXIT, HOST_ADDRESS_SPACE_SIZE)), TO(HOST_IA32_EFER, 0) },
	  "host address-space size differs from IA32_EFER.LMA at VM entry", 0 },
	{ "32_bit_host_with_pcid", BUILD_32_BIT_HOST, { WITH(HOST_CR4, CR4_PCIDE) },
	  "host CR4.PCIDE without host address-space size", 0 },
	{ "32_bit_host_with_64_bit_rip", BUILD_32_BIT_HOST, { TO(HOST_RIP, 1ull << 32) },
	  "host RIP: bits 63:32 are not 0 for a host of 32 bits", 0 },
	{ "64_bit_host_without_pae", BUILD_LONG, { WITHOUT(HOST_CR4, CR4_PAE) }, "host CR4.PAE: 0 with host address-space size", 0 },
	{ "host_rip_is_not_canonical_with_4_levels", BUILD_LONG, { TO(HOST_RIP, NOT_CANONICAL_48) }, "host RIP: not canonical", 0 },
	{ "32_bit_host_with_64_bit_s_cet", BUILD_32_BIT_HOST, { EXIT(LOAD_CET_STATE), TO(HOST_IA32_S_CET, 1ull << 32) },
	  "host IA32_S_CET: bits 63:32 are not 0 for a host of 32 bits", 0 },
	{ "32_bit_host_with_64_bit_ssp", BUILD_32_BIT_HOST, { EXIT(LOAD_CET_STATE), TO(HOST_SSP, 1ull << 32) },
	  "host SSP: bits 63:32 are not 0 for a host of 32 bits", 0 },
	{ "32_bit_host_with_high_cet_state_that_is_not_loaded", BUILD_32_BIT_HOST,
	  { TO(HOST_IA32_S_CET, 1ull << 32), TO(HOST_SSP, 1ull << 32) }, NULL, 0 },
	{ "32_bit_host_with_32_bit_cet_state", BUILD_32_BIT_HOST,
	  { EXIT(LOAD_CET_STATE), TO(HOST_IA32_S_CET, 0xfffff000), TO(HOST_SSP, 0xfffffff8) }, NULL, 0 },
	{ "host_s_cet_is_not_canonical", BUILD_LONG, { EXIT(LOAD_CET_STATE), TO(HOST_IA32_S_CET, NOT_CANONICAL & ~0xfffull) },
	  "host IA32_S_CET: not canonical", 0 },
	{ "host_ssp_is_not_canonical", BUILD_LONG, { EXIT(LOAD_CET_STATE), TO(HOST_SSP, NOT_CANONICAL & ~3ull) },
	  "host SSP: not canonical", 0 },
	{ "64_bit_host_with_64_bit_cet_state", BUILD_LONG,
	  { EXIT(LOAD_CET_STATE), TO(HOST_IA32_S_CET, 0xffff800000001000ull), TO(HOST_SSP, 0xffff800000001000ull) }, NULL, 0 },
	{ "host_rip_is_canonical_with_5_levels", BUILD_LONG, { TO(HOST_RIP, NOT_CANONICAL_48), WITH(HOST_CR4, CR4_LA57) }, NULL, 0 },
};

/* A 64-bit guest under a 32-bit host fails an earlier rule too, unless L1 lies between the modes. */
#define RULE_GUEST_HOST "IA-32e mode guest without host address-space size"

static void the_rule_on_guest_and_host_size_stands_alone(void **state)
{
	static struct builder builder;
	const struct entry_check *check = NULL;

	(void)state;
	builder_init(&builder, BUILD_LONG);
	for (u32 i = 0; i < check_address_space_section.count; i++)
		if (strcmp(check_address_space_section.checks[i].rule, RULE_GUEST_HOST) == 0)
			check = &check_address_space_section.checks[i];
	assert_non_null(check);
	assert_true(check->holds(&builder.context, check->which));
	builder.vmcs12.fields.value[VMCS_INDEX_EXIT_CONTROLS] &= ~(u64)EXIT_HOST_ADDRESS_SPACE_SIZE;
	assert_false(check->holds(&builder.context, check->which));
}

static void valid_host_states_are_accepted(void **state)
{
	(void)state;
	refusals_accept_valid(check_host);
}

static void every_rule_has_a_case_that_breaks_it(void **state)
{
	struct refusal all[array_size(refusals) + 1];

	(void)state;
	memcpy(all, refusals, sizeof(refusals));
	all[array_size(refusals)] = (struct refusal){ .rule = RULE_GUEST_HOST };
	refusals_cover(all, array_size(all), &check_host_registers_section);
	refusals_cover(all, array_size(all), &check_host_segments_section);
	refusals_cover(all, array_size(all), &check_address_space_section);
}

static void run(void **state)
{
	refusal_run(*state, check_host);
}

static const struct CMUnitTest others[] = {
	cmocka_unit_test(the_rule_on_guest_and_host_size_stands_alone),
	cmocka_unit_test(valid_host_states_are_accepted),
	cmocka_unit_test(every_rule_has_a_case_that_breaks_it),
};

int main(void)
{
	struct CMUnitTest tests[array_size(refusals) + array_size(others)];

	for (u32 i = 0; i < array_size(refusals); i++)
		tests[i] = (struct CMUnitTest){ .name = refusals[i].name, .test_func = run,
						.initial_state = (void *)(uintptr_t)&refusals[i] };
	memcpy(&tests[array_size(refusals)], others, sizeof(others));
	return cmocka_run_group_tests_name("check_host", tests, NULL, NULL);
}
