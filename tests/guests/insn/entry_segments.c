/* SPDX-License-Identifier: MIT */
/* Exit 33: SDM "Checks on Guest Segment Registers", in a 64-bit guest. */
#include "tests/guests/insn/entry.h"

#define NON NON_CANONICAL
#define BAD EXIT_GUEST(0)
#define UNUSABLE BIT(16)
#define PRESENT BIT(7)
#define S BIT(4)
#define GRANULARITY BIT(15)
#define TYPE(field, type) { { field, 0xf, type } }
#define DPL(n) ((u64)(n) << 5)

static const struct entry_case system[] = {
	{ "tr.ti", SET(GUEST_TR_SELECTOR, 4), BAD, NULL },
	{ "tr.base", PUT(GUEST_TR_BASE, NON), BAD, NULL },
	{ "tr.type_16_bit_busy", TYPE(GUEST_TR_ACCESS_RIGHTS, 3), BAD, NULL },
	{ "tr.type_available", TYPE(GUEST_TR_ACCESS_RIGHTS, 9), BAD, NULL },
	{ "tr.s", SET(GUEST_TR_ACCESS_RIGHTS, S), BAD, NULL },
	{ "tr.not_present", CLEAR(GUEST_TR_ACCESS_RIGHTS, PRESENT), BAD, NULL },
	{ "tr.unusable", SET(GUEST_TR_ACCESS_RIGHTS, UNUSABLE), BAD, NULL },
	{ "tr.reserved_bit_8", SET(GUEST_TR_ACCESS_RIGHTS, BIT(8)), BAD, NULL },
	{ "tr.reserved_bit_17", SET(GUEST_TR_ACCESS_RIGHTS, BIT(17)), BAD, NULL },
	{ "tr.granularity_with_small_limit", SET(GUEST_TR_ACCESS_RIGHTS, GRANULARITY), BAD, NULL },
	{ "tr.large_limit_without_granularity", PUT(GUEST_TR_LIMIT, 0x100fff), BAD, NULL },
	{ "ldtr.unusable_is_not_checked", PUT(GUEST_LDTR_ACCESS_RIGHTS, 0x1ffff), ENTERED, NULL },
	{ "ldtr.good", PUT(GUEST_LDTR_ACCESS_RIGHTS, 0x82), ENTERED, NULL },
	{ "ldtr.type", PUT(GUEST_LDTR_ACCESS_RIGHTS, 0x83), BAD, NULL },
	{ "ldtr.not_present", PUT(GUEST_LDTR_ACCESS_RIGHTS, 0x02), BAD, NULL },
	{ "ldtr.s", PUT(GUEST_LDTR_ACCESS_RIGHTS, 0x92), BAD, NULL },
	{ "ldtr.ti", { { GUEST_LDTR_ACCESS_RIGHTS, ~0ull, 0x82 }, { GUEST_LDTR_SELECTOR, 0, 4 } }, BAD,
	  NULL },
	{ "ldtr.base", { { GUEST_LDTR_ACCESS_RIGHTS, ~0ull, 0x82 }, { GUEST_LDTR_BASE, ~0ull, NON } },
	  BAD, NULL },
};

static const struct entry_case code[] = {
	{ "cs.type_data", TYPE(GUEST_CS_ACCESS_RIGHTS, 3), BAD, NULL },
	{ "cs.type_not_accessed", TYPE(GUEST_CS_ACCESS_RIGHTS, 10), BAD, NULL },
	{ "cs.type_conforming", TYPE(GUEST_CS_ACCESS_RIGHTS, 15), ENTERED, NULL },
	{ "cs.system", CLEAR(GUEST_CS_ACCESS_RIGHTS, S), BAD, NULL },
	{ "cs.not_present", CLEAR(GUEST_CS_ACCESS_RIGHTS, PRESENT), BAD, NULL },
	{ "cs.dpl_3", SET(GUEST_CS_ACCESS_RIGHTS, DPL(3)), BAD, NULL },
	{ "cs.long_and_default_size", SET(GUEST_CS_ACCESS_RIGHTS, BIT(14)), BAD, NULL },
	{ "cs.reserved_bit_8", SET(GUEST_CS_ACCESS_RIGHTS, BIT(8)), BAD, NULL },
	{ "cs.limit_fffe", PUT(GUEST_CS_LIMIT, 0xfffe), BAD, NULL },
	{ "cs.large_limit_without_granularity", CLEAR(GUEST_CS_ACCESS_RIGHTS, GRANULARITY), BAD, NULL },
	{ "cs.base_bit_32", SET(GUEST_CS_BASE, BIT(32)), BAD, NULL },
	{ "ss.rpl", SET(GUEST_SS_SELECTOR, 1), BAD, NULL },
	{ "ss.dpl", SET(GUEST_SS_ACCESS_RIGHTS, DPL(1)), BAD, NULL },
	{ "ss.type_read_only", TYPE(GUEST_SS_ACCESS_RIGHTS, 1), BAD, NULL },
	{ "ss.type_code", TYPE(GUEST_SS_ACCESS_RIGHTS, 11), BAD, NULL },
	{ "ss.not_present", CLEAR(GUEST_SS_ACCESS_RIGHTS, PRESENT), BAD, NULL },
	{ "ss.reserved_bit_17", SET(GUEST_SS_ACCESS_RIGHTS, BIT(17)), BAD, NULL },
	{ "ss.base_bit_32", SET(GUEST_SS_BASE, BIT(32)), BAD, NULL },
	{ "ss.unusable", PUT(GUEST_SS_ACCESS_RIGHTS, UNUSABLE), ENTERED, NULL },
};

static const struct entry_case data[] = {
	{ "ds.type_not_accessed", TYPE(GUEST_DS_ACCESS_RIGHTS, 2), BAD, NULL },
	{ "ds.type_execute_only", TYPE(GUEST_DS_ACCESS_RIGHTS, 9), BAD, NULL },
	{ "ds.type_read_only", TYPE(GUEST_DS_ACCESS_RIGHTS, 1), ENTERED, NULL },
	{ "ds.rpl_above_dpl", SET(GUEST_DS_SELECTOR, 3), BAD, NULL },
	{ "ds.system", CLEAR(GUEST_DS_ACCESS_RIGHTS, S), BAD, NULL },
	{ "ds.base_bit_32", SET(GUEST_DS_BASE, BIT(32)), BAD, NULL },
	{ "es.not_present", CLEAR(GUEST_ES_ACCESS_RIGHTS, PRESENT), BAD, NULL },
	{ "es.reserved_bit_9", SET(GUEST_ES_ACCESS_RIGHTS, BIT(9)), BAD, NULL },
	{ "es.base_bit_63", SET(GUEST_ES_BASE, BIT(63)), BAD, NULL },
	{ "es.unusable", PUT(GUEST_ES_ACCESS_RIGHTS, UNUSABLE), ENTERED, NULL },
	{ "fs.limit_fff", PUT(GUEST_FS_LIMIT, 0xfff), ENTERED, NULL },
	{ "fs.limit_fffe", PUT(GUEST_FS_LIMIT, 0xfffe), BAD, NULL },
	{ "fs.base", PUT(GUEST_FS_BASE, NON), BAD, NULL },
	{ "gs.base", PUT(GUEST_GS_BASE, NON), BAD, NULL },
	{ "gs.base_unusable_is_checked",
	  { { GUEST_GS_ACCESS_RIGHTS, ~0ull, UNUSABLE }, { GUEST_GS_BASE, ~0ull, NON } }, BAD, NULL },
};

void group_entry_segments(void)
{
	struct vm *vm = vm_create(l2_done);

	entry_cases(vm, "segments.system_restored", system, ARRAY_SIZE(system));
	entry_cases(vm, "segments.code_restored", code, ARRAY_SIZE(code));
	entry_cases(vm, "segments.data_restored", data, ARRAY_SIZE(data));
	say("complete");
}
