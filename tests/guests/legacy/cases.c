/* SPDX-License-Identifier: MIT */
/* Named steps of a program, and what is said of them when it has run. */
#include "tests/guests/legacy/legacy.h"

#define MAX_CASES 48u
#define MAX_NAME 80u

static struct {
	const char *name;
	u32 step, expected;
} cases[MAX_CASES];
static u32 count;

const char *case_name(const char *prefix, const char *name)
{
	static char full[MAX_NAME];
	u32 at = 0;

	for (; *prefix && at < MAX_NAME - 2; prefix++)
		full[at++] = *prefix;
	full[at++] = '.';
	for (; *name && at < MAX_NAME - 1; name++)
		full[at++] = *name;
	full[at] = 0;
	return full;
}

void cases_add(struct program *p, const char *name, const u8 *op, u64 a, u64 b, u32 expected)
{
	if (count == MAX_CASES)
		scenario_abort("too many cases");
	cases[count].name = name;
	cases[count].step = program_vmx_step(p, op, a, b);
	cases[count++].expected = expected;
}

void cases_report(const struct program *p, const char *prefix)
{
	for (u32 i = 0; i < count; i++)
		check_outcome(case_name(prefix, cases[i].name), program_outcome(p, cases[i].step), cases[i].expected);
	count = 0;
}
