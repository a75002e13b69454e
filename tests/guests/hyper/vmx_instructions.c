/* SPDX-License-Identifier: MIT */
/*
 * VMX instructions in L2: each exits to L1, which finds the operands in the
 * qualification (displacement) and the instruction information. SDM
 * "VM-Exit Instruction Information", "Information for VM Exits Due to
 * Instruction Execution".
 */
#include "tests/guests/hyper/hyper.h"
#include "tests/guests/hyper/l2_code.h"

#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"

static void walk(const u8 *code, u32 count)
{
	struct vm *vm = vm_create(code);

	for (u32 i = 0; i < count; i++) {
		vm_step(vm);
		vm_skip(vm);
		say(i + 1 < count ? "; " : "");
	}
}

static void without_memory(void)
{
	walk(l2_vmx_instructions, 6);
}

static void with_memory(void)
{
	walk(l2_vmx_memory, 9);
}

/* Expect: SDM "Exit Qualification": RIP is already part of the displacement. */
static void rip_relative(void)
{
	struct vm *vm = vm_create(l2_vmx_rip_relative);

	vm_run(vm);
	say("%s offset=%lx", exit_reason_name(vm->basic_reason),
	    vmread(EXIT_QUALIFICATION) - vm->code);
}

SCENARIOS(vmx_instruction_scenarios,
	{ "vmx_in_l2.registers", without_memory,
	  "VMLAUNCH(20) length=3 rip=+0; VMRESUME(24) length=3 rip=+3; "
	  "VMXOFF(26) length=3 rip=+6; VMREAD(23) length=4 information=0x90000400 rip=+9; "
	  "VMWRITE(25) length=4 information=0xa0000410 rip=+13; VMCALL(18) length=3 rip=+17", NULL },
	{ "vmx_in_l2.memory", with_memory,
	  "VMXON(27) qualification=0x18 length=5 information=0x3418100 rip=+0; "
	  "VMCLEAR(19) qualification=0xfffffffffffffff8 length=6 information=0x31d8101 rip=+5; "
	  "VMPTRLD(21) qualification=0 length=3 information=0x1c18100 rip=+11; "
	  "VMPTRST(22) qualification=0 length=5 information=0x6418100 rip=+14; "
	  "VMREAD(23) qualification=0x100 length=7 information=0x13418100 rip=+19; "
	  "VMWRITE(25) qualification=8 length=4 information=0x22c10100 rip=+26; "
	  "INVEPT(50) qualification=0 length=5 information=0x3418100 rip=+30; "
	  "INVVPID(53) qualification=0 length=7 information=0xf3398103 rip=+35; "
	  "VMCALL(18) length=3 rip=+42", NULL },
	{ "vmx_in_l2.rip_relative", rip_relative, "VMPTRLD offset=0x40", NULL },
);
