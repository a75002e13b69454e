/* SPDX-License-Identifier: MIT */
/*
 * VMX instructions at privilege level 3: #GP(0) before anything else is
 * looked at, SDM "VMX Instruction Reference". CPUID must still run there.
 */
#include "tests/guests/insn/insn.h"

#include "tests/guests/lib/machine.h"
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/x86.h"

_Noreturn void user_mode_enter(vmx_op op, u64 a, u64 b, u64 stack_top);

static vmx_op user_op;
static u64 user_stack_top;

static u32 enter(u64 a, u64 b)
{
	user_mode_enter(user_op, a, b, user_stack_top);
}

static u32 op_cpuid(u64 a, u64 b)
{
	(void)a;
	(void)b;
	return cpuid(0, 0).eax;
}

static u32 attempt_as_user(vmx_op op, u64 a, u64 b)
{
	user_op = op;
	return attempt(enter, a, b);
}

void group_user_mode(void)
{
	static const struct {
		const char *name;
		vmx_op op;
		u64 a;
	} cases[] = {
		{ "user.vmxon", op_vmxon, 0 },
		{ "user.vmxoff", op_vmxoff, 0 },
		{ "user.vmclear", op_vmclear, 0 },
		{ "user.vmptrld", op_vmptrld, 0 },
		{ "user.vmptrst", op_vmptrst, 0 },
		{ "user.vmread", op_vmread_memory, GUEST_RIP },
		{ "user.vmwrite", op_vmwrite, GUEST_RIP },
		{ "user.vmlaunch", op_vmlaunch, 0 },
		{ "user.vmresume", op_vmresume, 0 },
		{ "user.invept", op_invept, 1 },
		{ "user.invvpid", op_invvpid, 1 },
	};
	u64 old_cr3 = read_cr3(), page = (u64)page_alloc();

	user_stack_top = (u64)page_alloc() + PAGE_SIZE;
	write_cr3(paging_identity(PTE_W | PTE_U));
	for (u32 i = 0; i < ARRAY_SIZE(cases); i++)
		check_outcome(cases[i].name,
			      attempt_as_user(cases[i].op, cases[i].a ? cases[i].a : page, page),
			      FAULT(VECTOR_GP));
	/* It runs, and the #UD behind the function's end says so. */
	check_outcome("user.cpuid", attempt_as_user(op_cpuid, 0, 0), FAULT(VECTOR_UD));
	write_cr3(old_cr3);
	say("complete");
}
