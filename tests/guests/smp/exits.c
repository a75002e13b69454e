/* SPDX-License-Identifier: MIT */
/*
 * Each processor a hypervisor of its own: VMXON, an L2 with exits of several
 * kinds, VMXOFF; one after the other and all at once. What one does must not
 * show in another.
 */
#include "tests/guests/smp/l2_code.h"
#include "tests/guests/smp/smp_guest.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/smp.h"
#include "tests/guests/lib/vm.h"
#include "tests/guests/lib/vmx_ops.h"

#define TEST_ADDRESS (3ull << 30)
#define PORT 0x80

struct work {
	struct vm *vm;
	u64 *page;
	u64 *entry;
	u32 rounds;
	u32 wrong;
	u64 counted; /* in L2's register */
};

static struct work works[MAX_CPUS];
static struct barrier barrier;

static void reset(u32 rounds)
{
	memset(works, 0, sizeof(works));
	memset(&barrier, 0, sizeof(barrier));
	for (u32 i = 0; i < MAX_CPUS; i++)
		works[i].rounds = rounds;
}

static void prepare(struct work *w)
{
	vmx_on();
	w->vm = vm_create(l2_rounds);
	w->page = page_alloc();
	w->entry = ept_entry(w->vm->ept, TEST_ADDRESS, 1);
	*w->entry = 0;
	w->vm->gpr[RSI] = TEST_ADDRESS;
	w->vm->gpr[RDI] = PORT;
}

/* Expect: CPUID, OUT, EPT violation, HLT and VMCALL in each round. */
static void one_round(struct work *w)
{
	static const u32 reasons[] = { REASON_CPUID, REASON_IO, REASON_EPT_VIOLATION, REASON_HLT, REASON_VMCALL };

	for (u32 i = 0; i < ARRAY_SIZE(reasons); i++) {
		if (!vm_run(w->vm))
			scenario_abort(" entry refused");
		if (w->vm->basic_reason != reasons[i])
			w->wrong++;
		if (w->vm->basic_reason == REASON_EPT_VIOLATION)
			*w->entry = (u64)w->page | EPT_RWX | EPT_MEMORY_TYPE_WB;
		else
			vm_skip(w->vm);
	}
	*w->entry = 0;
	invept(1, vmread(EPT_POINTER));
}

static void run_rounds(void *work)
{
	struct work *w = work;

	prepare(w);
	for (u32 i = 0; i < w->rounds; i++)
		one_round(w);
	w->counted = w->vm->gpr[R13];
	vmclear(w->vm->vmcs);
	vmx_off();
}

static void run_rounds_together(void *work)
{
	barrier_wait(&barrier, cpu_count());
	run_rounds(work);
}

/* Every processor's register, memory and count of surprises. */
static void say_works(u32 rounds)
{
	u32 right = 0;

	for (u32 i = 0; i < cpu_count(); i++) {
		bool good = works[i].counted == rounds && *works[i].page == rounds && !works[i].wrong;

		right += good;
		if (!good)
			say("cpu %u: counted=%lu memory=%lu wrong=%u; ", i, works[i].counted, *works[i].page, works[i].wrong);
	}
	say("right on %s", right == cpu_count() ? "all" : "some");
}

static void in_turn(void)
{
	reset(10);
	for (u32 cpu = 1; cpu < cpu_count(); cpu++)
		cpu_call(cpu, run_rounds, &works[cpu]);
	run_rounds(&works[0]);
	say_works(10);
}

static void at_once(void)
{
	reset(60);
	all_call(run_rounds_together, works, sizeof(works[0]));
	say_works(60);
}

static void vmxon_again(void *work)
{
	struct work *w = work;
	u64 counted = 0;

	for (u32 i = 0; i < 4; i++) {
		u64 page = 0;

		run_rounds(w);
		counted += w->counted;
		page = *w->page;
		if (page != w->rounds)
			w->wrong++;
	}
	w->counted = counted / 4;
}

/* Expect: VMXON and VMXOFF again and again, on all processors at once. */
static void on_and_off(void)
{
	reset(5);
	all_call(vmxon_again, works, sizeof(works[0]));
	say_works(5);
}

SCENARIOS(exit_scenarios,
	{ "exits.in_turn", in_turn, "right on all", NULL },
	{ "exits.at_once", at_once, "right on all", NULL },
	{ "exits.on_and_off", on_and_off, "right on all", NULL },
);
