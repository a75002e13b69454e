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
	{ "tr.ti", SET(GUEST_TR_SELECTOR, 4), BAD, NULL, 500 },
	{ "tr.base", PUT(GUEST_TR_BASE, NON), BAD, NULL, 520 },
	{ "tr.type_16_bit_busy", TYPE(GUEST_TR_ACCESS_RIGHTS, 3), BAD, NULL, 670 },
	{ "tr.type_available", TYPE(GUEST_TR_ACCESS_RIGHTS, 9), BAD, NULL, 670 },
	{ "tr.s", SET(GUEST_TR_ACCESS_RIGHTS, S), BAD, NULL, 671 },
	{ "tr.not_present", CLEAR(GUEST_TR_ACCESS_RIGHTS, PRESENT), BAD, NULL, 672 },
	{ "tr.unusable", SET(GUEST_TR_ACCESS_RIGHTS, UNUSABLE), BAD, NULL, 676 },
	{ "tr.reserved_bit_8", SET(GUEST_TR_ACCESS_RIGHTS, BIT(8)), BAD, NULL, 673 },
	{ "tr.reserved_bit_17", SET(GUEST_TR_ACCESS_RIGHTS, BIT(17)), BAD, NULL, 677 },
	{ "tr.granularity_with_small_limit", SET(GUEST_TR_ACCESS_RIGHTS, GRANULARITY), BAD, NULL, 674 },
	{ "tr.large_limit_without_granularity", PUT(GUEST_TR_LIMIT, 0x100fff), BAD, NULL, 675 },
	{ "ldtr.unusable_is_not_checked", PUT(GUEST_LDTR_ACCESS_RIGHTS, 0x1ffff), ENTERED, NULL, 0 },
	{ "ldtr.good", PUT(GUEST_LDTR_ACCESS_RIGHTS, 0x82), ENTERED, NULL, 0 },
	{ "ldtr.type", PUT(GUEST_LDTR_ACCESS_RIGHTS, 0x83), BAD, NULL, 678 },
	{ "ldtr.not_present", PUT(GUEST_LDTR_ACCESS_RIGHTS, 0x02), BAD, NULL, 680 },
	{ "ldtr.s", PUT(GUEST_LDTR_ACCESS_RIGHTS, 0x92), BAD, NULL, 679 },
	{ "ldtr.ti", { { GUEST_LDTR_ACCESS_RIGHTS, ~0ull, 0x82 }, { GUEST_LDTR_SELECTOR, 0, 4 } }, BAD,
	  NULL, 501 },
	{ "ldtr.base", { { GUEST_LDTR_ACCESS_RIGHTS, ~0ull, 0x82 }, { GUEST_LDTR_BASE, ~0ull, NON } },
	  BAD, NULL, 523 },
};

static const struct entry_case code[] = {
	{ "cs.type_data", TYPE(GUEST_CS_ACCESS_RIGHTS, 3), BAD, NULL, 550 },
	{ "cs.type_not_accessed", TYPE(GUEST_CS_ACCESS_RIGHTS, 10), BAD, NULL, 550 },
	{ "cs.type_conforming", TYPE(GUEST_CS_ACCESS_RIGHTS, 15), ENTERED, NULL, 0 },
	{ "cs.system", CLEAR(GUEST_CS_ACCESS_RIGHTS, S), BAD, NULL, 581 },
	{ "cs.not_present", CLEAR(GUEST_CS_ACCESS_RIGHTS, PRESENT), BAD, NULL, 611 },
	{ "cs.dpl_3", SET(GUEST_CS_ACCESS_RIGHTS, DPL(3)), BAD, NULL, 591 },
	{ "cs.long_and_default_size", SET(GUEST_CS_ACCESS_RIGHTS, BIT(14)), BAD, NULL, 630 },
	{ "cs.reserved_bit_8", SET(GUEST_CS_ACCESS_RIGHTS, BIT(8)), BAD, NULL, 621 },
	{ "cs.limit_fffe", PUT(GUEST_CS_LIMIT, 0xfffe), BAD, NULL, 641 },
	{ "cs.large_limit_without_granularity", CLEAR(GUEST_CS_ACCESS_RIGHTS, GRANULARITY), BAD, NULL, 651 },
	{ "cs.base_bit_32", SET(GUEST_CS_BASE, BIT(32)), BAD, NULL, 524 },
	{ "ss.rpl", SET(GUEST_SS_SELECTOR, 1), BAD, NULL, 502 },
	{ "ss.dpl", SET(GUEST_SS_ACCESS_RIGHTS, DPL(1)), BAD, NULL, 591 },
	{ "ss.type_read_only", TYPE(GUEST_SS_ACCESS_RIGHTS, 1), BAD, NULL, 551 },
	{ "ss.type_code", TYPE(GUEST_SS_ACCESS_RIGHTS, 11), BAD, NULL, 551 },
	{ "ss.not_present", CLEAR(GUEST_SS_ACCESS_RIGHTS, PRESENT), BAD, NULL, 612 },
	{ "ss.reserved_bit_17", SET(GUEST_SS_ACCESS_RIGHTS, BIT(17)), BAD, NULL, 662 },
	{ "ss.base_bit_32", SET(GUEST_SS_BASE, BIT(32)), BAD, NULL, 525 },
	{ "ss.unusable", PUT(GUEST_SS_ACCESS_RIGHTS, UNUSABLE), ENTERED, NULL, 0 },
};

static const struct entry_case data[] = {
	{ "ds.type_not_accessed", TYPE(GUEST_DS_ACCESS_RIGHTS, 2), BAD, NULL, 563 },
	{ "ds.type_execute_only", TYPE(GUEST_DS_ACCESS_RIGHTS, 9), BAD, NULL, 573 },
	{ "ds.type_read_only", TYPE(GUEST_DS_ACCESS_RIGHTS, 1), ENTERED, NULL, 0 },
	{ "ds.rpl_above_dpl", SET(GUEST_DS_SELECTOR, 3), BAD, NULL, 603 },
	{ "ds.system", CLEAR(GUEST_DS_ACCESS_RIGHTS, S), BAD, NULL, 583 },
	{ "ds.base_bit_32", SET(GUEST_DS_BASE, BIT(32)), BAD, NULL, 526 },
	{ "es.not_present", CLEAR(GUEST_ES_ACCESS_RIGHTS, PRESENT), BAD, NULL, 610 },
	{ "es.reserved_bit_9", SET(GUEST_ES_ACCESS_RIGHTS, BIT(9)), BAD, NULL, 620 },
	{ "es.base_bit_63", SET(GUEST_ES_BASE, BIT(63)), BAD, NULL, 527 },
	{ "es.unusable", PUT(GUEST_ES_ACCESS_RIGHTS, UNUSABLE), ENTERED, NULL, 0 },
	{ "fs.limit_fff", PUT(GUEST_FS_LIMIT, 0xfff), ENTERED, NULL, 0 },
	{ "fs.limit_fffe", PUT(GUEST_FS_LIMIT, 0xfffe), BAD, NULL, 644 },
	{ "fs.base", PUT(GUEST_FS_BASE, NON), BAD, NULL, 521 },
	{ "gs.base", PUT(GUEST_GS_BASE, NON), BAD, NULL, 522 },
	{ "gs.base_unusable_is_checked",
	  { { GUEST_GS_ACCESS_RIGHTS, ~0ull, UNUSABLE }, { GUEST_GS_BASE, ~0ull, NON } }, BAD, NULL, 522 },
};

void group_entry_segments(void)
{
	struct vm *vm = vm_create(l2_done);

	entry_cases(vm, "segments.system_restored", system, ARRAY_SIZE(system));
	entry_cases(vm, "segments.code_restored", code, ARRAY_SIZE(code));
	entry_cases(vm, "segments.data_restored", data, ARRAY_SIZE(data));
	say("complete");
}
