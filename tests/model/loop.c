/* SPDX-License-Identifier: MIT */
/*
 * The loop of vmx/run.c, one turn at a time: its own functions, called in its own order. A
 * turn ends when a guest runs; exits that come before that belong to the same turn.
 */
#include "tests/model/loop.h"

#include "vmx/run.c"	/* its functions are static */

#include "tests/model/model.h"
#include "tests/model/oracles.h"
#include "vmx/quick.h"

#define NOT_ENTERED (~UINT64_C(0))

/* As vmx/entry.asm: how the entry ended, or NOT_ENTERED when there is no quick way and nothing has been entered. */
static u64 try_quick(struct vcpu *vcpu)
{
	u64 answer = quick_handle(vcpu);

	if (answer == QUICK_ALL)
		answer = quick_handle_all(vcpu);
	if (answer == QUICK_ALL_TRACED)
		answer = quick_handle_all_traced(vcpu);
	if (answer == QUICK_RBX)
		answer = (u64)(uintptr_t)&vcpu->regs;
	require(answer == QUICK_NO || answer == (u64)(uintptr_t)&vcpu->regs);
	return answer == QUICK_NO ? NOT_ENTERED : vcpu_enter(&vcpu->regs, true);
}

/* As enter(), after an entry that entry.asm has tried itself. */
static void enter_after(struct vcpu *vcpu, u64 result)
{
	if (result == ENTRY_EXITED)
		return;
	if (result == ENTRY_NMI)
		nmi_take(vcpu);
	else
		handle_failed_entry(vcpu);
	while (enter(vcpu) != ENTRY_EXITED)
		handle_failed_entry(vcpu);
}

static void one_turn(struct vcpu *vcpu)
{
	struct vm_exit exit = read_exit(vcpu);
	u64 quick;

	processor.exit_pending = false;
	processor.in_guest = false;
	oracles_before_exit(vcpu);
	quick = try_quick(vcpu);
	if (quick == NOT_ENTERED)
		handle_exit(vcpu, &exit);
	oracles_after_exit(vcpu, &exit);
	if (quick != NOT_ENTERED) {
		enter_after(vcpu, quick);
		return;
	}
	while (enter(vcpu) != ENTRY_EXITED)
		handle_failed_entry(vcpu);
}

void loop_turn(struct vcpu *vcpu)
{
	do
		one_turn(vcpu);
	while (processor.exit_pending);
}

bool loop_first(struct vcpu *vcpu)
{
	return enter(vcpu) == ENTRY_EXITED && !processor.exit_pending;
}
