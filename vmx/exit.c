/* SPDX-License-Identifier: MIT */
/* Names of exit reasons, from the table. */

#include "vmx/exit.h"

#include "arch/compiler.h"

static const char *const names[] = {
#define X(number, name, handler, rule) [number] = #name,
#include "vmx/exits.def"
#undef X
};

static_assert(array_size(names) <= EXIT_REASON_COUNT, "every reason has a counter");

const char *exit_name(u32 basic)
{
	return basic < array_size(names) && names[basic] ? names[basic] : "UNKNOWN";
}
