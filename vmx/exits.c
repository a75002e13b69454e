/* SPDX-License-Identifier: MIT */
/* The handler array, expanded from exits.def. */

#include "vmx/exits.h"

#include "arch/compiler.h"

static exit_handler *const handlers[EXIT_REASON_COUNT] = {
#define X(number, name, handler, rule) [number] = handle_##handler,
#include "vmx/exits.def"
#undef X
};

void exits_dispatch(struct vcpu *vcpu, const struct vm_exit *exit)
{
	exit_handler *handler = exit->basic < array_size(handlers) ? handlers[exit->basic] : NULL;

	/* Only an instruction newer than the table exits uninvited (SEAMCALL, TDCALL): L1's processor does not have it. */
	(handler ? handler : handle_undefined_opcode)(vcpu, exit);
}
