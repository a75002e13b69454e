/* SPDX-License-Identifier: MIT */
/*
 * Processors that go and come back, as a kernel takes them offline and online:
 * VMXOFF, a halt that nothing but INIT ends, SIPI, VMXON again.
 */
#include "tests/guests/smp/l2_code.h"
#include "tests/guests/smp/smp_guest.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/smp.h"
#include "tests/guests/lib/vm.h"
#include "tests/guests/lib/vmx_ops.h"

#define TIMES 6
#define SETTLE_TICKS 16000000ull
#define STORM 25

struct work {
	struct vm *vm; /* lives on while its processor is away */
	u32 right;
	volatile bool away;
};

static struct work works[MAX_CPUS];

static void run_l2(struct work *w)
{
	vmx_on();
	if (!w->vm) {
		w->vm = vm_create(l2_continue);
		w->vm->gpr[RSI] = (u64)page_alloc();
		w->vm->gpr[R12] = 1;
	} else {
		vmptrld(w->vm->vmcs);
		w->vm->launched = false;
	}
	for (u32 i = 0; i < 3; i++) {
		if (!vm_run(w->vm))
			scenario_abort(" entry refused");
		w->right += w->vm->basic_reason == REASON_VMCALL;
		vm_skip(w->vm);
	}
	vmclear(w->vm->vmcs);
	vmx_off();
}

static void run_and_go(void *work)
{
	struct work *w = work;

	run_l2(w);
	w->away = true;
	for (;;)
		__asm__ volatile("cli; hlt");
}

static void run_and_stay(void *work)
{
	run_l2(work);
}

static void say_works(u32 runs)
{
	u32 right = 0;

	for (u32 cpu = 1; cpu < cpu_count(); cpu++) {
		u64 count = works[cpu].vm->gpr[RBX], sum = *(u64 *)works[cpu].vm->gpr[RSI];

		right += works[cpu].right == 3 * runs && count == 3 * runs && sum == count * (count + 1) / 2;
	}
	say("right=%u", right == cpu_count() - 1);
}

/* Expect: L2 goes on where it was, after each return of its processor. */
static void offline_online(void)
{
	memset(works, 0, sizeof(works));
	for (u32 i = 0; i < TIMES; i++) {
		others_ask(run_and_go, works, sizeof(works[0]));
		for (u32 cpu = 1; cpu < cpu_count(); cpu++) {
			WAIT_UNTIL(works[cpu].away || cpu_is_done(cpu), "going offline");
			works[cpu].away = false;
			cpu_restart(cpu);
		}
	}
	others_ask(run_and_stay, works, sizeof(works[0]));
	others_wait();
	say_works(TIMES + 1);
}

/* Expect: INIT and SIPI at all moments of the way up, then all is as ever. */
static void storm(void)
{
	memset(works, 0, sizeof(works));
	for (u32 i = 0; i < STORM; i++) {
		for (u32 cpu = 1; cpu < cpu_count(); cpu++) {
			cpus[cpu].state = CPU_RUNNING;
			cpu_send_init(cpu);
			delay(500 + i * 37);
			cpu_send_sipi(cpu);
			cpu_send_sipi(cpu);
		}
		delay(i * 211);
	}
	/* Bochs 3.0 loses an INIT that meets a hypervisor at work, and beneath several of them the last of the storm keeps them busy. */
	delay(SETTLE_TICKS);
	for (u32 cpu = 1; cpu < cpu_count(); cpu++)
		cpu_restart(cpu);
	others_ask(run_and_stay, works, sizeof(works[0]));
	others_wait();
	say_works(1);
}

/* Expect: a SIPI means nothing to a processor that does not wait for it. */
static void unwanted_sipi(void)
{
	u32 boots = 0, after = 0;

	memset(works, 0, sizeof(works));
	for (u32 cpu = 1; cpu < cpu_count(); cpu++)
		boots += cpus[cpu].boots;
	others_ask(run_and_stay, works, sizeof(works[0]));
	for (u32 i = 0; i < STORM; i++)
		for (u32 cpu = 1; cpu < cpu_count(); cpu++)
			cpu_send_sipi(cpu);
	others_wait();
	for (u32 cpu = 1; cpu < cpu_count(); cpu++)
		after += cpus[cpu].boots;
	say("boots=%u ", after - boots);
	say_works(1);
}

SCENARIOS(restart_scenarios,
	{ "restarts.offline_online", offline_online, "right=1", has_others },
	{ "restarts.storm", storm, "right=1", has_others },
	{ "restarts.unwanted_sipi", unwanted_sipi, "boots=0 right=1", has_others },
);
