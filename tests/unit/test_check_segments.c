/* SPDX-License-Identifier: MIT */
/*
 * VM entry's checks on guest segment registers, mode by mode: each row breaks
 * one rule of a valid vmcs12, and every rule of every register has a row.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/refusals.h"

#define NOT_CANONICAL UINT64_C(0x0100000000000000)
#define UNUSABLE 0x10000
#define IN_BYTES "access rights: G is 0, but bits 31:20 of the limit are not 0"
#define IN_PAGES "access rights: G is 1, but bits 11:0 of the limit are not all 1"
#define RIGHTS(register_name, rule) "guest " #register_name " access rights: " rule

/* One property of one register; and of several in turn. */
#define ONE(name, kind, register_name, property, operation, value, rule) \
	{ #register_name "_" name, kind, { { operation, VMCS_FIELD(GUEST_##register_name##_##property), value } }, \
	  "guest " #register_name " " rule, 0 }
#define DATA(name, kind, property, operation, value, rule) \
	ONE(name, kind, DS, property, operation, value, rule), ONE(name, kind, ES, property, operation, value, rule), \
		ONE(name, kind, FS, property, operation, value, rule), ONE(name, kind, GS, property, operation, value, rule)
#define SIX(name, kind, property, operation, value, rule) \
	ONE(name, kind, CS, property, operation, value, rule), ONE(name, kind, SS, property, operation, value, rule), \
		DATA(name, kind, property, operation, value, rule)
#define SYSTEM(name, kind, property, operation, value, rule) \
	ONE(name, kind, TR, property, operation, value, rule), ONE(name, kind, LDTR, property, operation, value, rule)

static const struct refusal refusals[] = {
	SYSTEM("is_in_the_ldt", BUILD_LONG, SELECTOR, SET_BITS, 4, "selector: TI is not 0"),
	{ "ss_rpl_differs_from_cs_rpl", BUILD_LONG, { WITH(GUEST_CS_SELECTOR, 3) },
	  "guest SS selector: RPL differs from CS's", 0 },
	{ "ss_rpl_differs_in_an_unrestricted_guest", BUILD_REAL, { TO(GUEST_CS_SELECTOR, 0xf000) }, NULL, 0 },

	SIX("base_is_not_the_selector_times_16", BUILD_V8086, BASE, ASSIGN, 0x1000,
	    "base: not the selector times 16 in virtual-8086 mode"),
	SYSTEM("base_is_not_canonical", BUILD_LONG, BASE, ASSIGN, NOT_CANONICAL, "base: not canonical"),
	ONE("base_is_not_canonical", BUILD_LONG, FS, BASE, ASSIGN, NOT_CANONICAL, "base: not canonical"),
	ONE("base_is_not_canonical", BUILD_LONG, GS, BASE, ASSIGN, NOT_CANONICAL, "base: not canonical"),
	ONE("base_is_above_4_gigabytes", BUILD_LONG, CS, BASE, ASSIGN, 1ull << 32, "base: bits 63:32 are not 0"),
	ONE("base_is_above_4_gigabytes", BUILD_LONG, SS, BASE, ASSIGN, 1ull << 32, "base: bits 63:32 are not 0"),
	ONE("base_is_above_4_gigabytes", BUILD_LONG, DS, BASE, ASSIGN, 1ull << 32, "base: bits 63:32 are not 0"),
	ONE("base_is_above_4_gigabytes", BUILD_LONG, ES, BASE, ASSIGN, 1ull << 32, "base: bits 63:32 are not 0"),
	{ "unusable_ds_may_have_any_base", BUILD_LONG, { TO(GUEST_DS_BASE, UINT64_MAX), TO(GUEST_DS_ACCESS_RIGHTS, UNUSABLE) },
	  NULL, 0 },
	{ "unusable_ldtr_may_hold_anything", BUILD_LONG,
	  { TO(GUEST_LDTR_BASE, NOT_CANONICAL), TO(GUEST_LDTR_SELECTOR, 7), TO(GUEST_LDTR_ACCESS_RIGHTS, UNUSABLE | 0xf00) }, NULL, 0 },

	SIX("limit_is_not_64_k", BUILD_V8086, LIMIT, ASSIGN, UINT32_MAX, "limit: not FFFFH in virtual-8086 mode"),
	SIX("rights_are_of_kernel_data", BUILD_V8086, ACCESS_RIGHTS, ASSIGN, 0x93, "access rights: not F3H in virtual-8086 mode"),

	ONE("is_data", BUILD_LONG, CS, ACCESS_RIGHTS, ASSIGN, 0xa093, "access rights: type is not that of accessed code"),
	ONE("is_not_accessed", BUILD_LONG, CS, ACCESS_RIGHTS, CLEAR_BITS, 1, "access rights: type is not that of accessed code"),
	{ "cs_is_data_in_an_unrestricted_guest", BUILD_REAL, { TO(GUEST_CS_ACCESS_RIGHTS, 0x93) }, NULL, 0 },
	{ "cs_is_expand_down_data_in_an_unrestricted_guest", BUILD_REAL, { TO(GUEST_CS_ACCESS_RIGHTS, 0x97) },
	  RIGHTS(CS, "type is not that of accessed code"), 0 },
	ONE("is_code", BUILD_LONG, SS, ACCESS_RIGHTS, ASSIGN, 0xc09b, "access rights: type is not that of accessed, writable data"),
	{ "ss_expands_down", BUILD_LONG, { TO(GUEST_SS_ACCESS_RIGHTS, 0xc097) }, NULL, 0 },
	{ "ss_is_unusable", BUILD_LONG, { TO(GUEST_SS_ACCESS_RIGHTS, UNUSABLE) }, NULL, 0 },
	DATA("is_not_accessed", BUILD_LONG, ACCESS_RIGHTS, CLEAR_BITS, 1, "access rights: type is not accessed"),
	DATA("is_code_to_execute_only", BUILD_LONG, ACCESS_RIGHTS, ASSIGN, 0xc099, "access rights: type is code that is not readable"),
	{ "ds_is_readable_code", BUILD_LONG, { TO(GUEST_DS_ACCESS_RIGHTS, 0xc09b) }, NULL, 0 },
	SIX("is_a_system_segment", BUILD_LONG, ACCESS_RIGHTS, CLEAR_BITS, 0x10, "access rights: S is 0"),

	ONE("of_cpl_3_with_ss_of_cpl_0", BUILD_LONG, CS, ACCESS_RIGHTS, SET_BITS, 0x60,
	    "access rights: DPL differs from SS's DPL, but the code is not conforming"),
	{ "conforming_cs_of_cpl_3_with_ss_of_cpl_0", BUILD_LONG, { TO(GUEST_CS_ACCESS_RIGHTS, 0xa0ff) },
	  RIGHTS(CS, "DPL is above SS's DPL"), 0 },
	{ "conforming_cs_of_cpl_0_with_ss_of_cpl_3", BUILD_LONG,
	  { TO(GUEST_CS_ACCESS_RIGHTS, 0xa09f), TO(GUEST_CS_SELECTOR, 0x13), TO(GUEST_SS_SELECTOR, 0x1b),
	    TO(GUEST_SS_ACCESS_RIGHTS, 0xc0f3) }, NULL, 0 },
	{ "cs_data_of_an_unrestricted_guest_with_dpl_3", BUILD_REAL, { TO(GUEST_CS_ACCESS_RIGHTS, 0xf3) },
	  RIGHTS(CS, "DPL is not 0 with a data segment in CS"), 0 },
	{ "ss_dpl_differs_from_its_rpl", BUILD_LONG, { TO(GUEST_SS_ACCESS_RIGHTS, 0xc0f3), TO(GUEST_CS_ACCESS_RIGHTS, 0xa0fb) },
	  RIGHTS(SS, "DPL differs from the selector's RPL"), 0 },
	{ "ss_dpl_3_in_real_mode", BUILD_REAL, { TO(GUEST_SS_ACCESS_RIGHTS, 0xf3), TO(GUEST_CS_ACCESS_RIGHTS, 0xfb) },
	  RIGHTS(SS, "DPL is not 0 with CR0.PE 0"), 0 },
	{ "ss_dpl_3_in_protected_mode", BUILD_REAL,
	  { WITH(GUEST_CR0, CR0_PE), TO(GUEST_SS_ACCESS_RIGHTS, 0xf3), TO(GUEST_CS_ACCESS_RIGHTS, 0xfb) }, NULL, 0 },
	{ "ss_dpl_3_with_data_in_cs", BUILD_REAL,
	  { WITH(GUEST_CR0, CR0_PE), TO(GUEST_CS_ACCESS_RIGHTS, 0x93), TO(GUEST_SS_ACCESS_RIGHTS, 0xf3) },
	  RIGHTS(SS, "DPL is not 0 with a data segment in CS"), 0 },
	DATA("rpl_exceeds_dpl", BUILD_LONG, SELECTOR, SET_BITS, 3, "access rights: DPL is less than the selector's RPL"),
	{ "ds_rpl_exceeds_dpl_of_readable_code", BUILD_LONG, { TO(GUEST_DS_SELECTOR, 3), TO(GUEST_DS_ACCESS_RIGHTS, 0xc09b) },
	  RIGHTS(DS, "DPL is less than the selector's RPL"), 0 },
	{ "ds_rpl_exceeds_dpl_of_conforming_code", BUILD_LONG, { TO(GUEST_DS_SELECTOR, 3), TO(GUEST_DS_ACCESS_RIGHTS, 0xc09f) },
	  NULL, 0 },
	SIX("is_not_present", BUILD_LONG, ACCESS_RIGHTS, CLEAR_BITS, 0x80, "access rights: P is 0"),
	SIX("has_bit_9_set", BUILD_LONG, ACCESS_RIGHTS, SET_BITS, 0x200, "access rights: bits 11:8 are not 0"),
	ONE("is_of_64_and_32_bits_at_once", BUILD_LONG, CS, ACCESS_RIGHTS, SET_BITS, 0x4000,
	    "access rights: D/B and L both set"),
	{ "cs_l_is_ignored_outside_long_mode", BUILD_PAE, { WITH(GUEST_CS_ACCESS_RIGHTS, 0x2000) }, NULL, 0 },
	SIX("has_4_gigabytes_in_bytes", BUILD_LONG, ACCESS_RIGHTS, CLEAR_BITS, 0x8000, IN_BYTES),
	SIX("has_pages_that_are_not_whole", BUILD_LONG, LIMIT, ASSIGN, 0xfffff0ff, IN_PAGES),
	SIX("has_bit_17_set", BUILD_LONG, ACCESS_RIGHTS, SET_BITS, 0x20000, "access rights: bits 31:17 are not 0"),
	{ "unusable_cs_is_still_checked", BUILD_LONG, { TO(GUEST_CS_ACCESS_RIGHTS, UNUSABLE) },
	  RIGHTS(CS, "type is not that of accessed code"), 0 },

	ONE("is_not_busy", BUILD_LONG, TR, ACCESS_RIGHTS, ASSIGN, 0x89, "access rights: type is not a busy TSS of this mode"),
	ONE("is_of_16_bits", BUILD_LONG, TR, ACCESS_RIGHTS, ASSIGN, 0x83, "access rights: type is not a busy TSS of this mode"),
	{ "tr_is_of_16_bits_outside_long_mode", BUILD_PAE, { TO(GUEST_TR_ACCESS_RIGHTS, 0x83) }, NULL, 0 },
	ONE("is_unusable", BUILD_LONG, TR, ACCESS_RIGHTS, SET_BITS, UNUSABLE, "access rights: unusable"),
	ONE("is_a_task_gate", BUILD_LONG, LDTR, ACCESS_RIGHTS, ASSIGN, 0x85, "access rights: type is not LDT"),
	SYSTEM("is_code_or_data", BUILD_LONG, ACCESS_RIGHTS, SET_BITS, 0x10, "access rights: S is not 0"),
	SYSTEM("is_not_present", BUILD_LONG, ACCESS_RIGHTS, CLEAR_BITS, 0x80, "access rights: P is 0"),
	SYSTEM("has_bit_8_set", BUILD_LONG, ACCESS_RIGHTS, SET_BITS, 0x100, "access rights: bits 11:8 are not 0"),
	SYSTEM("has_a_megabyte_in_bytes", BUILD_LONG, LIMIT, ASSIGN, 0x100000, IN_BYTES),
	ONE("has_pages_that_are_not_whole", BUILD_LONG, TR, ACCESS_RIGHTS, SET_BITS, 0x8000, IN_PAGES),
	{ "ldtr_has_pages_that_are_not_whole", BUILD_LONG, { WITH(GUEST_LDTR_ACCESS_RIGHTS, 0x8000), TO(GUEST_LDTR_LIMIT, 0xffe) },
	  "guest LDTR " IN_PAGES, 0 },
	SYSTEM("has_bit_31_set", BUILD_LONG, ACCESS_RIGHTS, SET_BITS, 1u << 31, "access rights: bits 31:17 are not 0"),
};

static void valid_guests_are_accepted(void **state)
{
	(void)state;
	refusals_accept_valid(check_guest);
}

static void every_rule_has_a_case_that_breaks_it(void **state)
{
	(void)state;
	refusals_cover(refusals, array_size(refusals), &check_guest_segments_section);
}

static void run(void **state)
{
	refusal_run(*state, check_guest);
}

static const struct CMUnitTest others[] = {
	cmocka_unit_test(valid_guests_are_accepted),
	cmocka_unit_test(every_rule_has_a_case_that_breaks_it),
};

int main(void)
{
	struct CMUnitTest tests[array_size(refusals) + array_size(others)];

	for (u32 i = 0; i < array_size(refusals); i++)
		tests[i] = (struct CMUnitTest){ .name = refusals[i].name, .test_func = run,
						.initial_state = (void *)(uintptr_t)&refusals[i] };
	memcpy(&tests[array_size(refusals)], others, sizeof(others));
	return cmocka_run_group_tests_name("check_segments", tests, NULL, NULL);
}
