/* SPDX-License-Identifier: MIT */
/*
 * The loop of vmx/run.c, one turn at a time: its own functions, called in its own order. A
 * turn ends when a guest runs; exits that come before that belong to the same turn.
 */
#include "tests/model/loop.h"

#include "vmx/run.c"	/* its functions are static */

#include "tests/model/model.h"
#include "tests/model/oracles.h"

static void one_turn(struct vcpu *vcpu)
{
	struct vm_exit exit = read_exit(vcpu);

	processor.exit_pending = false;
	processor.in_guest = false;
	oracles_before_exit(vcpu);
	handle_exit(vcpu, &exit);
	oracles_after_exit(vcpu, &exit);
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
