/* SPDX-License-Identifier: MIT */
/* What the lists share: one exit after the other, each said whole. */
#include "tests/guests/exits/exits.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/vmx_ops.h"

void step(struct vm *vm)
{
	if (!vm_run(vm))
		scenario_abort(" (entry refused)");
	vm_say_block(vm);
}

void walk(struct vm *vm, const struct exit_line *lines, u64 count)
{
	for (volatile u64 i = 0; i < count; i++) {
		step(vm);
		if (exit_has_length(vm->basic_reason))
			vm_skip(vm);
		check_said(lines[i].name, lines[i].expected);
	}
	if (vm_run(vm) && vm->basic_reason != REASON_VMCALL)
		vm_say_block(vm);
}

struct vm *create_free(const u8 *code)
{
	struct vm *vm = vm_create(code);

	vmwrite(EXCEPTION_BITMAP, 0);
	return vm;
}

u64 *map_page(struct vm *vm, u64 address)
{
	u64 *page = page_alloc();

	*ept_entry(vm->ept, address, 1) = (u64)page | EPT_RWX | EPT_MEMORY_TYPE_WB;
	return page;
}
