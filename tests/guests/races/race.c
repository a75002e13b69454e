/* SPDX-License-Identifier: MIT */
/* The engine: see races.h. */
#include "tests/guests/races/races.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/smp.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"

#define MAX_AREAS 16
#define CANARY 0xca7a11e5ca7a11e5ull
#define WORDS (PAGE_SIZE / 8)
#define MAX_OUTCOMES 16

static struct {
	u64 first, last; /* the canary pages */
} areas[MAX_AREAS];
static u32 area_count;

static struct random randoms[MAX_CPUS];
static void (*writer)(struct random *);
static void (*runner)(struct random *);
static volatile bool over;
static struct {
	u32 outcome, count;
} outcomes[MAX_OUTCOMES];

/* Never 0, which xorshift would not leave: SEED is odd, and so are its factors. */
u64 race_seed(void)
{
	return SEED * (2ul * machine_seed() - 1);
}

u64 random_next(struct random *random)
{
	u64 x = random->state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	random->state = x;
	return x * 0x2545f4914f6cdd1dull;
}

u64 random_below(struct random *random, u64 limit)
{
	return (random_next(random) >> 16) % limit;
}

u64 random_of(struct random *random, const u64 *values, u64 count)
{
	return values[random_below(random, count)];
}

struct random *race_random(void)
{
	return &randoms[cpu_here()];
}

static void fill_canary(u64 page)
{
	for (u64 i = 0; i < WORDS; i++)
		((u64 *)page)[i] = CANARY ^ i;
}

static bool canary_lives(u64 page)
{
	for (u64 i = 0; i < WORDS; i++)
		if (((volatile u64 *)page)[i] != (CANARY ^ i))
			return false;
	return true;
}

void *race_pages(u64 count)
{
	u64 first = (u64)pages_alloc(count + 2, PAGE_SIZE), last = first + (count + 1) * PAGE_SIZE;

	if (area_count == MAX_AREAS)
		scenario_abort(" too many areas");
	fill_canary(first);
	fill_canary(last);
	areas[area_count].first = first;
	areas[area_count++].last = last;
	return (void *)(first + PAGE_SIZE);
}

bool race_is_over(void)
{
	return over;
}

static void write_until_over(struct random *random)
{
	while (!over)
		writer(random);
}

static void run_other(void *random)
{
	runner(random);
}

void race_begin_with(void (*run)(struct random *))
{
	for (u32 i = 0; i < MAX_CPUS; i++)
		randoms[i].state = race_seed() * (2 * i + 1);
	memset(outcomes, 0, sizeof(outcomes));
	runner = run;
	over = false;
	others_ask(run_other, randoms, sizeof(randoms[0]));
}

void race_begin(void (*write)(struct random *))
{
	writer = write;
	race_begin_with(write_until_over);
}

static void say_what_came(void)
{
	for (u32 i = 0; i < MAX_OUTCOMES && outcomes[i].count; i++) {
		u32 outcome = outcomes[i].outcome;

		if (outcome & REFUSED)
			info("  %u times VM-instruction error %u", outcomes[i].count, outcome & ~REFUSED);
		else
			info("  %u times %s", outcomes[i].count, exit_reason_name(outcome));
	}
}

void race_end(void)
{
	over = true;
	others_wait();
	say_what_came();
	for (u32 i = 0; i < area_count; i++)
		if (!canary_lives(areas[i].first) || !canary_lives(areas[i].last))
			say("memory beside the targets is changed; ");
	area_count = 0;
	vm_step(vm_create(l2_cpuid));
	vmx_regions_clear();
	vmx_off();
}

u32 race_enter(struct vm *vm, const u8 *code)
{
	u64 result;

	vm_restart(vm, code);
	result = vm_enter(vm, vm->launched);
	if (result == 1)
		return REFUSED;
	if (result == 2)
		return REFUSED | (u32)vmread(VM_INSTRUCTION_ERROR);
	vm->basic_reason = (u32)vmread(EXIT_REASON);
	if (!(vm->basic_reason & REASON_ENTRY_FAILURE))
		vm->launched = true;
	return (u16)vm->basic_reason;
}

void race_expect(u32 outcome, const u32 *allowed, u64 count)
{
	u32 place = 0;

	for (u64 i = 0; i < count; i++)
		if (allowed[i] == outcome) {
			while (place < MAX_OUTCOMES - 1 && outcomes[place].count && outcomes[place].outcome != outcome)
				place++;
			outcomes[place].outcome = outcome;
			outcomes[place].count++;
			return;
		}
	if (outcome & REFUSED)
		scenario_abort(" VM-instruction error %u", outcome & ~REFUSED);
	vm_say_exit(&(struct vm){ .code = vmread(GUEST_RIP) });
	scenario_abort(" was not among the right ones");
}
