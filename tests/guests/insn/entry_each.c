/* SPDX-License-Identifier: MIT */
/*
 * Exit 33: the rules of SDM "Checks on Guest Segment Registers" that are the
 * same for several registers, for each of them.
 */
#include "tests/guests/insn/entry.h"

#include "tests/guests/lib/x86.h"

#define BAD EXIT_GUEST(0)

/* The numbers of one rule for several registers follow each other in this order. */
enum { IS_ES, IS_CS, IS_SS, IS_DS, IS_FS, IS_GS };

#define ONE(name, register_name, property, clear, set, first) \
	{ #register_name "." name, { { GUEST_##register_name##_##property, clear, set } }, BAD, NULL, (first) + IS_##register_name }
#define DATA(name, property, clear, set, first)                                                          \
	ONE(name, DS, property, clear, set, first), ONE(name, ES, property, clear, set, first),          \
		ONE(name, FS, property, clear, set, first), ONE(name, GS, property, clear, set, first)
#define SIX(name, property, clear, set, first)                                                           \
	ONE(name, CS, property, clear, set, first), ONE(name, SS, property, clear, set, first),          \
		DATA(name, property, clear, set, first)

static const struct entry_case v8086[] = {
	SIX("v8086_base", BASE, 0, 1, 510),
	SIX("v8086_limit", LIMIT, 1, 0, 530),
	SIX("v8086_rights", ACCESS_RIGHTS, 0x60, 0, 540),
};

static const struct entry_case usable[] = {
	DATA("not_accessed", ACCESS_RIGHTS, 1, 0, 560),
	DATA("execute_only", ACCESS_RIGHTS, 0xf, 9, 570),
	SIX("system", ACCESS_RIGHTS, BIT(4), 0, 580),
	DATA("rpl_above_dpl", SELECTOR, 0, 3, 600),
	SIX("not_present", ACCESS_RIGHTS, BIT(7), 0, 610),
	SIX("reserved_bit_11", ACCESS_RIGHTS, 0, BIT(11), 620),
	SIX("pages_not_whole", LIMIT, 1, 0, 640),
	SIX("large_limit_in_bytes", ACCESS_RIGHTS, BIT(15), 0, 650),
	SIX("reserved_bit_31", ACCESS_RIGHTS, 0, BIT(31), 660),
};

#define LDTR { GUEST_LDTR_ACCESS_RIGHTS, ~0ull, 0x82 }

static const struct entry_case system[] = {
	{ "LDTR.reserved_bit_9", { LDTR, { GUEST_LDTR_ACCESS_RIGHTS, 0, BIT(9) } }, BAD, NULL, 681 },
	{ "LDTR.pages_not_whole", { LDTR, { GUEST_LDTR_ACCESS_RIGHTS, 0, BIT(15) }, { GUEST_LDTR_LIMIT, ~0ull, 0x1ffe } }, BAD, NULL,
	  682 },
	{ "LDTR.large_limit_in_bytes", { LDTR, { GUEST_LDTR_LIMIT, ~0ull, BIT(20) } }, BAD, NULL, 683 },
	{ "LDTR.reserved_bit_18", { LDTR, { GUEST_LDTR_ACCESS_RIGHTS, 0, BIT(18) } }, BAD, NULL, 684 },
};

void entry_make_v8086(void)
{
	vm_clear(VM_ENTRY_CONTROLS, ENTRY_IA32E_MODE_GUEST);
	vmwrite(GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_VM);
	for (u32 i = 0; i < 6; i++) {
		vmwrite(GUEST_ES_SELECTOR + i * 2, 0x1000);
		vmwrite(GUEST_ES_BASE + i * 2, 0x10000);
		vmwrite(GUEST_ES_LIMIT + i * 2, 0xffff);
		vmwrite(GUEST_ES_ACCESS_RIGHTS + i * 2, 0xf3);
	}
}

void group_entry_each(void)
{
	struct vm *vm = vm_create(l2_done);

	entry_cases(vm, "each.usable_restored", usable, ARRAY_SIZE(usable));
	entry_cases(vm, "each.system_restored", system, ARRAY_SIZE(system));
	entry_make_v8086();
	entry_cases(vm, NULL, v8086, ARRAY_SIZE(v8086));
	say("complete");
}
