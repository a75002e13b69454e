/* SPDX-License-Identifier: MIT */
/* Runs a list of entry cases; see entry.h. */
#include "tests/guests/insn/entry.h"

#include "tests/guests/lib/machine.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/vm_exit.h"

/* VMLAUNCH or VMRESUME with the vm as it is; says the result. */
static void say_entry(struct vm *vm)
{
	u64 result = vm_enter(vm, vm->launched);
	u32 reason;

	if (result) {
		say("%o", result == 1 ? OUTCOME_FAIL_INVALID :
					OUTCOME_FAIL_VALID | (u32)vmread(VM_INSTRUCTION_ERROR));
		return;
	}
	reason = (u32)vmread(EXIT_REASON);
	if (reason & REASON_ENTRY_FAILURE) {
		say("exit %u qualification %lu", reason & 0xffff, vmread(EXIT_QUALIFICATION));
		return;
	}
	vm->launched = true;
	if (reason == REASON_VMCALL)
		say(ENTERED);
	else
		say("entered, then %s", exit_reason_name(reason));
}

/* Testudo tells the rule that was broken, and how many entries it refused: docs/cpuid.md. */
#define LEAF_COUNTERS 0x40000002
#define LEAF_REFUSALS 0x40000004
#define COUNTER_ENTRY_REFUSALS 9

static u32 refusals(void)
{
	return under_testudo() ? cpuid(LEAF_COUNTERS, COUNTER_ENTRY_REFUSALS).eax : 0;
}

/* For the tests: which rule was named for what must be refused for `wanted`. */
static void report_rule(const char *name, u32 wanted, u32 refused_before)
{
	struct cpuid_result r;

	if (!under_testudo())
		return;
	if (refusals() == refused_before) {
		info("rule %s wanted=%u named=0", name, wanted);
		return;
	}
	r = cpuid(LEAF_REFUSALS, 0);
	info("rule %s wanted=%u named=%u result=%u field=%x value=%lx", name, wanted, r.eax & 0xffff, r.eax >> 16, r.ebx,
	     (u64)r.edx << 32 | r.ecx);
}

static void run_case(struct vm *vm, const struct entry_case *c)
{
	u64 old[ARRAY_SIZE(c->changes)];
	u64 rip = vmread(GUEST_RIP), rsp = vmread(GUEST_RSP), rflags = vmread(GUEST_RFLAGS);
	u32 refused = refusals();
	u32 i;

	for (i = 0; i < ARRAY_SIZE(old) && c->changes[i].field; i++) {
		old[i] = vmread(c->changes[i].field);
		vmwrite(c->changes[i].field, (old[i] & ~c->changes[i].clear) | c->changes[i].set);
	}
	say_entry(vm);
	report_rule(c->name, c->rule, refused);
	vmwrite(GUEST_RIP, rip);
	vmwrite(GUEST_RSP, rsp);
	vmwrite(GUEST_RFLAGS, rflags);
	while (i-- > 0)
		vmwrite(c->changes[i].field, old[i]);
	check_said(c->name, c->expected);
}

void entry_cases(struct vm *vm, const char *group, const struct entry_case *cases, u64 count)
{
	struct entry_case whole = { .name = group, .expected = ENTERED };

	for (u64 i = 0; i < count; i++) {
		if (cases[i].offered && !cases[i].offered())
			info("%s: not offered, rule %u", cases[i].name, cases[i].rule);
		else
			run_case(vm, &cases[i]);
	}
	if (group)
		run_case(vm, &whole);
}
