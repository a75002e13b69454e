/* SPDX-License-Identifier: MIT */
/*
 * insn: what each VMX instruction answers to right and wrong use, SDM "VMX
 * Instruction Reference", and what VM entry refuses, SDM "VM Entries".
 */
#include "tests/guests/insn/insn.h"

#include "tests/guests/lib/machine.h"
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/x86.h"

u64 vmxon_region;
u64 read_only_page;

/* Made here, because the table it splits off must outlive the scenario. */
static void make_read_only_page(void)
{
	read_only_page = (u64)page_alloc();
	*paging_entry(read_cr3(), read_only_page, 1, PTE_P | PTE_W) &= ~PTE_W;
	write_cr3(read_cr3());
}

/* In order: the first four run outside VMX operation, and the last of them ends inside it. */
static const struct scenario groups[] = {
	{ "group.outside", group_outside, "complete", NULL },
	{ "group.machine", group_machine, "complete", NULL },
	{ "group.machine_control", group_machine_control, "complete", NULL },
	{ "group.vmxon", group_vmxon, "complete", NULL },
	{ "group.pointers", group_pointers, "complete", NULL },
	{ "group.fields", group_fields, "complete", NULL },
	{ "group.operands", group_operands, "complete", NULL },
	{ "group.memory_rights", group_memory_rights, "complete", NULL },
	{ "group.debug", group_debug, "complete", NULL },
	{ "group.machine_in_root", group_machine_in_root, "complete", NULL },
	{ "group.user_mode", group_user_mode, "complete", NULL },
	{ "group.launch", group_launch, "complete", NULL },
	{ "group.invalidate", group_invalidate, "complete", NULL },
	{ "group.entry_controls", group_entry_controls, "complete", NULL },
	{ "group.entry_host", group_entry_host, "complete", NULL },
	{ "group.entry_guest", group_entry_guest, "complete", NULL },
	{ "group.entry_segments", group_entry_segments, "complete", NULL },
	{ "group.entry_each", group_entry_each, "complete", NULL },
	{ "group.entry_modes", group_entry_modes, "complete", NULL },
	{ "group.entry_features", group_entry_features, "complete", NULL },
	{ "group.entry_protection", group_entry_protection, "complete", NULL },
	{ "group.entry_msr", group_entry_msr, "complete", NULL },
	{ "group.unwind", group_unwind, "complete", NULL },
};

void guest_main(void)
{
	if (!vmx_present()) {
		info("no VMX");
		return;
	}
	info("insn, Testudo %s", under_testudo() ? "below" : "not found");
	vmxon_region = vmx_region_alloc();
	make_read_only_page();
	scenarios_run(groups, ARRAY_SIZE(groups));
	check_outcome("vmxoff", attempt(op_vmxoff, 0, 0), OUTCOME_OK);
	check_outcome("vmxoff.twice", attempt(op_vmxoff, 0, 0), FAULT(6));
}
