/* SPDX-License-Identifier: MIT */
/* VMLAUNCH and VMRESUME against the launch state, and what blocks them. */
#include "tests/guests/insn/insn.h"

#include "tests/guests/lib/vm.h"
#include "tests/guests/lib/x86.h"

/* SDM "VMLAUNCH/VMRESUME": error 26 right after MOV to SS. */
static u32 op_vmlaunch_after_mov_ss(u64 a, u64 b)
{
	u64 error = 0;
	u8 zero;

	(void)a;
	(void)b;
	__asm__ volatile("mov %%ss, %%eax; mov %%eax, %%ss; vmlaunch; setz %0"
			 : "=r"(zero)
			 :
			 : "rax", "cc", "memory");
	if (!zero)
		return OUTCOME_FAIL_INVALID;
	__asm__ volatile("vmread %1, %0" : "=r"(error) : "r"((u64)VM_INSTRUCTION_ERROR) : "cc");
	return OUTCOME_FAIL_VALID | (u32)error;
}

static void say_entry(struct vm *vm)
{
	if (vm_run(vm))
		say("exit %u", vm->basic_reason);
}

void group_launch(void)
{
	struct vm *vm = vm_create(l2_done);

	check_outcome("vmresume.not_launched", attempt(op_vmresume, 0, 0),
		      VMFAIL(ERROR_VMRESUME_NOT_LAUNCHED));
	check_outcome("vmlaunch.after_mov_ss", attempt(op_vmlaunch_after_mov_ss, 0, 0),
		      VMFAIL(ERROR_MOV_SS));
	say_entry(vm);
	check_said("vmlaunch", "exit 18");
	check_outcome("vmlaunch.launched", attempt(op_vmlaunch, 0, 0),
		      VMFAIL(ERROR_VMLAUNCH_NOT_CLEAR));
	say_entry(vm);
	check_said("vmresume", "exit 18");
	vmclear(vm->vmcs);
	vmptrld(vm->vmcs);
	check_outcome("vmresume.after_vmclear", attempt(op_vmresume, 0, 0),
		      VMFAIL(ERROR_VMRESUME_NOT_LAUNCHED));
	vm->launched = false;
	say_entry(vm);
	check_said("vmlaunch.after_vmclear", "exit 18");
	vmptrld(vm->vmcs);
	say_entry(vm);
	check_said("vmresume.after_vmptrld", "exit 18");
	vmclear(vm->vmcs);
	check_outcome("vmlaunch.cleared_current", attempt(op_vmlaunch, 0, 0), VMFAIL_INVALID);
	say("complete");
}
