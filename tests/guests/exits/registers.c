/* SPDX-License-Identifier: MIT */
/*
 * Control and debug registers: SDM "Exit Qualification for Control-Register
 * Accesses", "Exit Qualification for MOV DR".
 */
#include "tests/guests/exits/exits.h"

#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

L2(control_registers); L2(debug_registers);

static bool has_control_registers(void)
{
	return proc_offers(PROC_CR3_LOAD_EXITING | PROC_CR3_STORE_EXITING | PROC_CR8_LOAD_EXITING | PROC_CR8_STORE_EXITING);
}

static void control_registers(void)
{
	static const struct exit_line lines[] = {
		{ "exit.mov_to_cr0", NULL }, { "exit.mov_to_cr0.r9", NULL }, { "exit.mov_to_cr3", NULL }, { "exit.mov_from_cr3", NULL },
		{ "exit.mov_to_cr4", NULL }, { "exit.mov_to_cr8", NULL }, { "exit.mov_from_cr8", NULL }, { "exit.clts", NULL },
		{ "exit.lmsw", NULL }, { "exit.lmsw.memory", NULL }, { "exit.lmsw.fs", NULL },
	};
	struct vm *vm = vm_create(l2_control_registers);
	u16 *page = (u16 *)map_page(vm, TEST_ADDRESS);

	page[4] = 0xfff7, page[0x100] = 0x000f;
	vmwrite(GUEST_FS_BASE, 0x200);
	vm_set(PROCESSOR_BASED_CONTROLS,
	       PROC_CR3_LOAD_EXITING | PROC_CR3_STORE_EXITING | PROC_CR8_LOAD_EXITING | PROC_CR8_STORE_EXITING);
	vmwrite(CR0_GUEST_HOST_MASK, ~0ull);
	vmwrite(CR0_READ_SHADOW, CR0_TS);
	vmwrite(CR4_GUEST_HOST_MASK, ~0ull);
	vm->gpr[RAX] = 0x8765;
	vm->gpr[RSI] = TEST_ADDRESS;
	vm->gpr[R9] = 0, vm->gpr[R15] = CR4_PSE;
	walk(vm, lines, ARRAY_SIZE(lines));
}

static void debug_registers(void)
{
	static const struct exit_line lines[] = {
		{ "exit.mov_to_dr0", NULL }, { "exit.mov_to_dr3", NULL }, { "exit.mov_to_dr6", NULL }, { "exit.mov_to_dr7", NULL },
		{ "exit.mov_from_dr1", NULL }, { "exit.mov_from_dr2", NULL }, { "exit.mov_from_dr7", NULL },
	};
	struct vm *vm = vm_create(l2_debug_registers);

	vm_set(PROCESSOR_BASED_CONTROLS, PROC_MOV_DR_EXITING);
	walk(vm, lines, ARRAY_SIZE(lines));
}

SCENARIOS(register_scenarios,
	{ "exit.control_registers", control_registers, "", has_control_registers },
	{ "exit.debug_registers", debug_registers, "", NULL },
);
