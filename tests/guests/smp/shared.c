/* SPDX-License-Identifier: MIT */
/*
 * What processors share: one EPT12 whose mappings change under L2s on all of
 * them, IPIs that stop L2s for an invalidation, MTRRs. SDM "Propagation of
 * Paging-Structure Changes to Multiple Processors", "MTRR Considerations in
 * MP Systems". Each processor's INVEPT is its own.
 */
#include "tests/guests/smp/l2_code.h"
#include "tests/guests/smp/smp_guest.h"

#include "tests/guests/lib/apic.h"
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/smp.h"
#include "tests/guests/lib/vm.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define TEST_ADDRESS (3ull << 30)
#define VECTOR 0x72
#define GENERATIONS 20
#define ROUNDS 12

#define IA32_MTRRCAP 0xfe
#define IA32_MTRR_PHYSBASE0 0x200
#define MTRR_ENABLE BIT(11)
#define MTRR_VALID BIT(11)
#define MTRR_UC 0
#define MTRR_WP 5

struct work {
	u64 reads, wrong; /* what L2 counted */
	u32 other_exits;
	volatile u32 done; /* invalidations, or IPIs answered */
	volatile bool ready;
};

static struct work works[MAX_CPUS];
static u64 shared_ept;
static u64 *shared_entry;
static volatile u64 generation;
static volatile bool over;
static struct barrier barrier;
static volatile u64 patience; /* ticks that an L2 may need to get going: many, under several hypervisors */

static void reset(void)
{
	patience = 0;
	memset(works, 0, sizeof(works));
	memset(&barrier, 0, sizeof(barrier));
	generation = 1;
	over = false;
}

/* A VM that interrupts leave with their vector. */
static struct vm *create(const u8 *code)
{
	struct vm *vm;

	vmx_on();
	vm = vm_create(code);
	vm_set(PIN_BASED_CONTROLS, PIN_EXTERNAL_INTERRUPT_EXITING);
	vm_set(VM_EXIT_CONTROLS, EXIT_ACKNOWLEDGE_INTERRUPT);
	/* Bochs makes no exit of an interrupt while IF is 0. */
	vm_set(GUEST_RFLAGS, RFLAGS_IF);
	return vm;
}

/* Runs L2 until our interrupt has stopped it. The preemption timer is the watchdog. */
static void run_until_interrupt(struct vm *vm, struct work *w)
{
	struct deadline deadline = deadline_in(WAIT_TICKS);

	for (;;) {
		if (!vm_run(vm))
			scenario_abort(" entry refused");
		if (vm->basic_reason == REASON_EXTERNAL_INTERRUPT &&
		    (u8)vmread(VM_EXIT_INTERRUPTION_INFORMATION) == VECTOR) {
			apic_end_of_interrupt();
			return;
		}
		if (vm->basic_reason == REASON_PREEMPTION_TIMER)
			deadline_check(&deadline, "interrupt in L2");
		else if (++w->other_exits > 100)
			scenario_abort(" exit %u", vm->basic_reason);
	}
}

/* INVEPT, whose cost tells what an entry to L2 costs here. */
static void invalidate(void)
{
	u64 start = rdtsc(), cost;

	invept(1, vmread(EPT_POINTER));
	cost = 8 * (rdtsc() - start);
	if (cost > patience)
		patience = cost;
}

static void follow_generations(void *work)
{
	struct work *w = work;
	struct vm *vm = create(l2_generations);

	vmwrite(EPT_POINTER, shared_ept | EPTP_WB | EPTP_4_LEVELS);
	vm->gpr[RSI] = TEST_ADDRESS;
	vm->gpr[R12] = generation;
	w->ready = true;
	while (!over) {
		run_until_interrupt(vm, w);
		invalidate();
		/* What L2 has read and not yet compared is from before. */
		vmwrite(GUEST_RIP, vm->code);
		vm->gpr[R12] = generation;
		w->done++;
	}
	w->reads = vm->gpr[R13];
	w->wrong = vm->gpr[R14];
	vmclear(vm->vmcs);
}

static u64 *generation_page(u64 number)
{
	u64 *page = page_alloc();

	*page = number;
	return page;
}

/* Stops every other L2 and waits until all have invalidated. */
static void stop_others(u32 done)
{
	for (u32 cpu = 1; cpu < cpu_count(); cpu++)
		cpu_send_vector(cpu, VECTOR);
	for (u32 cpu = 1; cpu < cpu_count(); cpu++)
		WAIT_UNTIL(works[cpu].done == done || cpu_is_done(cpu), "invalidation");
}

/*
 * Expect: after its INVEPT a processor reads through the new mapping only; the
 * old page then becomes generation 0, which nobody may see.
 */
static void ept_changes(void)
{
	u64 *old, wrong = 0;
	u32 idle = 0, other = 0;

	reset();
	vmx_on();
	shared_ept = ept_identity();
	shared_entry = ept_entry(shared_ept, TEST_ADDRESS, 1);
	old = generation_page(1);
	*shared_entry = (u64)old | EPT_RWX | EPT_MEMORY_TYPE_WB;
	others_ask(follow_generations, works, sizeof(works[0]));
	for (u32 cpu = 1; cpu < cpu_count(); cpu++)
		WAIT_UNTIL(works[cpu].ready || cpu_is_done(cpu), "start");
	for (u32 i = 1; i <= GENERATIONS; i++) {
		u64 *page = generation_page(i + 1);

		delay(3000 + i * 997 + patience);
		over = i == GENERATIONS;
		*(volatile u64 *)shared_entry = (u64)page | EPT_RWX | EPT_MEMORY_TYPE_WB;
		generation = i + 1;
		stop_others(i);
		*(volatile u64 *)old = 0;
		old = page;
	}
	others_wait();
	for (u32 cpu = 1; cpu < cpu_count(); cpu++) {
		wrong += works[cpu].wrong;
		idle += works[cpu].reads < GENERATIONS;
		other += works[cpu].other_exits;
	}
	say("stale=%lu idle=%u other=%u", wrong, idle, other ? other : 0);
}

/* Each in its turn interrupts all others, which run L2 meanwhile, and waits for their answers. */
static void take_turns(void *work)
{
	struct work *w = work;
	u32 here = cpu_here(), count = cpu_count();
	struct vm *vm = create(l2_spin);

	for (u32 turn = 0; turn < ROUNDS * count; turn++) {
		barrier_wait(&barrier, count);
		if (turn % count != here) {
			run_until_interrupt(vm, w);
			invalidate();
			w->done++;
			continue;
		}
		delay(2000 + turn * 331 + patience);
		for (u32 cpu = 0; cpu < count; cpu++)
			if (cpu != here)
				cpu_send_vector(cpu, VECTOR);
		w->done++;
	}
	w->reads = vm->gpr[RBX];
	vmclear(vm->vmcs);
}

static void interrupts_with_l2(void)
{
	u32 right = 0;

	reset();
	all_call(take_turns, works, sizeof(works[0]));
	for (u32 cpu = 0; cpu < cpu_count(); cpu++)
		right += works[cpu].done == ROUNDS * cpu_count() && works[cpu].reads && !works[cpu].other_exits;
	say("right=%u", right == cpu_count());
}

struct mtrr_change {
	u32 msr;
	u64 base, mask;
};

static void flush_all_caches(void)
{
	__asm__ volatile("wbinvd" : : : "memory");
	write_cr3(read_cr3());
}

/* SDM "MTRR Considerations in MP Systems", step by step; interrupts are off already. */
static void change_mtrr(void *change)
{
	const struct mtrr_change *c = change;
	u64 cr0 = read_cr0(), type = rdmsr(IA32_MTRR_DEF_TYPE);

	barrier_wait(&barrier, cpu_count());
	write_cr0((cr0 | CR0_CD) & ~CR0_NW);
	flush_all_caches();
	wrmsr(IA32_MTRR_DEF_TYPE, type & ~MTRR_ENABLE);
	wrmsr(c->msr, c->base);
	wrmsr(c->msr + 1, c->mask);
	flush_all_caches();
	wrmsr(IA32_MTRR_DEF_TYPE, type);
	write_cr0(cr0);
	barrier_wait(&barrier, cpu_count());
}

static void count_mtrrs(void *to)
{
	const struct mtrr_change *last = to;

	if (rdmsr(last->msr) != last->base || rdmsr(last->msr + 1) != last->mask)
		__atomic_add_fetch(&works[0].other_exits, 1, __ATOMIC_RELAXED);
}

/* An L2 of each processor touches the page whose type changes. */
static void touch_page(void *address)
{
	struct vm *vm;

	vmx_on();
	vm = vm_create(l2_continue);
	vm->gpr[RSI] = *(u64 *)address + cpu_here() * 8;
	vm->gpr[R12] = 3;
	vm_run(vm);
	vmclear(vm->vmcs);
	vmx_off();
}

static void mtrrs(void)
{
	u64 *block = pages_alloc(512, 2ull << 20);
	u32 last = (u32)(rdmsr(IA32_MTRRCAP) & 0xff) - 1;
	struct mtrr_change change = { IA32_MTRR_PHYSBASE0 + 2 * last, 0, 0 };
	u64 base = rdmsr(change.msr), mask = rdmsr(change.msr + 1);
	u64 full = (1ull << (cpuid(0x80000008, 0).eax & 0xff)) - 1;
	u32 right = 0;

	reset();
	for (u32 i = 0; i < 4; i++) {
		change.base = i == 3 ? base : (u64)block | (i == 1 ? MTRR_WP : MTRR_UC);
		change.mask = i == 3 ? mask : (full & ~((2ull << 20) - 1)) | MTRR_VALID;
		all_call(change_mtrr, &change, 0);
		all_call(count_mtrrs, &change, 0);
		all_call(touch_page, &block, 0);
	}
	for (u32 cpu = 0; cpu < cpu_count(); cpu++)
		right += block[cpu] == 4 * 6;
	say("differ=%u touched=%u", works[0].other_exits, right == cpu_count());
}

SCENARIOS(shared_scenarios,
	{ "shared.ept_changes", ept_changes, "stale=0 idle=0 other=0", has_others },
	{ "shared.interrupts_with_l2", interrupts_with_l2, "right=1", has_others },
	{ "shared.mtrrs", mtrrs, "differ=0 touched=1", NULL },
);
