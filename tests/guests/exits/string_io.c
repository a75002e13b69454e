/* SPDX-License-Identifier: MIT */
/*
 * IN, OUT and their string forms: SDM "Exit Qualification for I/O Instructions",
 * "VM-Exit Instruction Information as Used for INS and OUTS", and the guest-linear
 * address of the memory operand.
 */
#include "tests/guests/exits/exits.h"

#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

L2(ports); L2(string_ports);

static void ports(void)
{
	static const struct exit_line lines[] = {
		{ "exit.out", NULL }, { "exit.out.16", NULL }, { "exit.out.32", NULL }, { "exit.in", NULL }, { "exit.in.16", NULL },
		{ "exit.in.32", NULL }, { "exit.out.dx", NULL }, { "exit.in.dx", NULL },
	};

	walk(vm_create(l2_ports), lines, ARRAY_SIZE(lines));
}

static void string_ports(void)
{
	static const struct exit_line lines[] = {
		{ "exit.outsb", NULL }, { "exit.outsw", NULL }, { "exit.outsd", NULL }, { "exit.insb", NULL }, { "exit.insw", NULL },
		{ "exit.insd", NULL }, { "exit.rep_outsb", NULL }, { "exit.rep_insd", NULL }, { "exit.outsb.fs", NULL },
		{ "exit.rep_outsw.gs", NULL }, { "exit.outsd.es", NULL }, { "exit.outsb.short", NULL }, { "exit.insw.short", NULL },
		{ "exit.outsd.short_fs", NULL }, { "exit.outsb.down", NULL }, { "exit.rep_insw.down", NULL },
	};
	struct vm *vm = vm_create(l2_string_ports);

	vmwrite(GUEST_FS_BASE, 0x10000);
	vmwrite(GUEST_GS_BASE, 0x20000);
	map_page(vm, TEST_ADDRESS);
	vm->gpr[RSI] = TEST_ADDRESS + 0x10;
	vm->gpr[RDI] = TEST_ADDRESS + 0x20;
	vm->gpr[RDX] = 0x1234;
	vm->gpr[RCX] = 5;
	walk(vm, lines, ARRAY_SIZE(lines));
}

SCENARIOS(string_io_scenarios,
	{ "exit.ports", ports, "", NULL },
	{ "exit.string_ports", string_ports, "", NULL },
);
