/* SPDX-License-Identifier: MIT */
/*
 * A VMCS that moves: VMCLEAR on one processor, VMPTRLD on another carries all
 * of it. SDM "Software Use of the VMCS and Related Structures".
 */
#include "tests/guests/smp/l2_code.h"
#include "tests/guests/smp/smp_guest.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/smp.h"
#include "tests/guests/lib/vm.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define TEST_ADDRESS (3ull << 30)
#define MAX_FIELDS 256
#define TYPE_READ_ONLY 1
#define TURNS 7

struct field {
	u32 encoding;
	u64 value;
};

static struct field fields[MAX_FIELDS];
static u32 field_count;
static u64 region;
static u64 generation;
static u32 lost;
static struct vm *moving;
static u64 *page;
static u64 stack_top;

static void turn_on(void *unused)
{
	(void)unused;
	vmx_on();
}

static void all_on(void)
{
	all_call(turn_on, NULL, 0);
}

/* SDM "Field Encoding in VMCS": width 14:13, type 11:10, index 9:1. */
static void find_fields(void)
{
	u32 highest = (u32)(rdmsr(IA32_VMX_VMCS_ENUM) >> 1 & 0x1ff);

	field_count = 0;
	for (u32 kind = 0; kind < 16; kind++) {
		for (u32 index = 0; index <= highest; index++) {
			u32 encoding = (kind >> 2) << 13 | (kind & 3) << 10 | index << 1;
			u64 value = 0;

			if ((kind & 3) == TYPE_READ_ONLY || op_vmread(encoding, (u64)&value) != OUTCOME_OK)
				continue;
			if (field_count == MAX_FIELDS)
				scenario_abort("more fields than expected");
			fields[field_count++].encoding = encoding;
		}
	}
}

/* A value of its own for each field and generation, as wide as the field. */
static u64 value_for(u32 i)
{
	static const u64 pattern[] = { 1, 0x1000100010001, 0x10001, 0x1000100010001 };
	u64 value = (generation * 0x11 + i * 3 + 1) & 0xfff;

	return value * pattern[fields[i].encoding >> 13];
}

static void write_fields(void)
{
	for (u32 i = 0; i < field_count; i++) {
		vmwrite(fields[i].encoding, value_for(i));
		fields[i].value = vmread(fields[i].encoding);
	}
}

static void compare_fields(void)
{
	for (u32 i = 0; i < field_count; i++) {
		u64 value = vmread(fields[i].encoding);

		if (value == fields[i].value)
			continue;
		if (!lost++)
			say("field %x: %lx, not %lx; ", fields[i].encoding, value, fields[i].value);
	}
}

static void take_and_give(void *unused)
{
	(void)unused;
	vmptrld(region);
	compare_fields();
	generation++;
	write_fields();
	vmclear(region);
}

/* Expect: what one processor wrote into any field, the next reads. */
static void all_fields(void)
{
	u32 taken = 0, next = 0;

	all_on();
	region = vmx_region_alloc();
	lost = 0;
	generation = 1;
	vmclear(region);
	vmptrld(region);
	find_fields();
	write_fields();
	for (u32 i = 0; i < field_count; i++)
		taken += fields[i].value == value_for(i);
	vmclear(region);
	for (u32 move = 0; move < 8; move++) {
		next = (next + 1) % cpu_count();
		if (next)
			cpu_call(next, take_and_give, NULL);
		else
			take_and_give(NULL);
		if (next)
			say("%s", cpu_said(next));
	}
	info("moves.all_fields: %u fields, %u of them kept what was written", field_count, taken);
	say("many=%u lost=%u", field_count > 100, lost);
}

/* One leg of L2's way: this processor's host state, launch, as many resumes, clear. */
static void run_a_leg(void *wrong)
{
	vmptrld(moving->vmcs);
	vm_write_host_state(moving);
	moving->launched = false;
	for (u32 i = 0; i < 3; i++) {
		if (!vm_run(moving))
			scenario_abort(" entry refused");
		if (moving->basic_reason != REASON_VMCALL)
			++*(u32 *)wrong;
		vm_skip(moving);
	}
	vmclear(moving->vmcs);
}

static void on_cpu(u32 cpu, void (*run)(void *), void *argument)
{
	if (cpu)
		cpu_call(cpu, run, argument);
	else
		run(argument);
}

static void create_moving(void)
{
	all_on();
	moving = vm_create(l2_continue);
	page = page_alloc();
	*ept_entry(moving->ept, TEST_ADDRESS, 1) = (u64)page | EPT_RWX | EPT_MEMORY_TYPE_WB;
	moving->gpr[RSI] = TEST_ADDRESS;
	moving->gpr[R12] = TURNS;
	stack_top = (u64)pages_alloc(4, PAGE_SIZE) + 4 * PAGE_SIZE;
	vmwrite(GUEST_RSP, stack_top);
	vmclear(moving->vmcs);
}

/* Expect: L2 counts on as if nothing were, in register, memory, stack pointer and flags. */
static void ping_pong(void)
{
	const u32 legs = 40;
	u64 turns = legs * 3 * TURNS;
	u32 wrong = 0;

	create_moving();
	for (u32 leg = 0; leg < legs; leg++)
		on_cpu(leg % cpu_count(), run_a_leg, &wrong);
	vmptrld(moving->vmcs);
	say("wrong=%u rbx=%lu memory=%u flag=%lu stack=%lu", wrong, moving->gpr[RBX], *page == turns * (turns + 1) / 2,
	    moving->gpr[R13], stack_top - vmread(GUEST_RSP));
}

/* What L2 has made of its tables in so many turns. */
static u32 wrong_tables(u64 turns)
{
	u32 wrong = 0;

	wrong += vmread(GUEST_GDTR_LIMIT) != sizeof(moving->tables->gdt) - 1 + turns;
	wrong += vmread(GUEST_IDTR_LIMIT) != sizeof(moving->tables->idt) - 1 - turns;
	wrong += vmread(GUEST_DR7) != (0x400 | (turns & 1) << 8);
	wrong += vmread(GUEST_FS_SELECTOR) != (turns % 2 || !turns ? SELECTOR_DATA : 0);
	return wrong;
}

/* One turn of L2 and away with it: nobody has read what L2 changed. */
static void turn_tables(void *wrong)
{
	vmptrld(moving->vmcs);
	*(u32 *)wrong += wrong_tables(moving->gpr[RBX]);
	vm_write_host_state(moving);
	moving->launched = false;
	if (!vm_run(moving))
		scenario_abort(" entry refused");
	vm_skip(moving);
	vmclear(moving->vmcs);
}

static void tables(void)
{
	u32 wrong = 0;

	all_on();
	moving = vm_create(l2_tables);
	moving->gpr[RSI] = (u64)page_alloc();
	vm_set(VM_EXIT_CONTROLS, EXIT_SAVE_DEBUG_CONTROLS);
	vm_set(VM_ENTRY_CONTROLS, ENTRY_LOAD_DEBUG_CONTROLS);
	vmclear(moving->vmcs);
	for (u32 leg = 0; leg < 15; leg++)
		on_cpu(leg % cpu_count(), turn_tables, &wrong);
	vmptrld(moving->vmcs);
	say("wrong=%u turns=%lu last=%u", wrong, moving->gpr[RBX], wrong_tables(15));
}

static void try_launch_state(void *unused)
{
	(void)unused;
	vmptrld(moving->vmcs);
	vm_write_host_state(moving);
	moving->launched = true;
	vm_run(moving);
	say("; ");
	moving->launched = false;
	vm_run(moving);
	say("%u; ", moving->basic_reason);
	vm_skip(moving);
	moving->launched = false;
	vm_run(moving);
	say("; ");
	moving->launched = true;
	vm_run(moving);
	say("%u", moving->basic_reason);
	vmclear(moving->vmcs);
}

/* Expect: the launch state is clear after the move, and then is the new processor's. */
static void launch_state(void)
{
	u32 wrong = 0;

	create_moving();
	run_a_leg(&wrong);
	on_cpu(cpu_count() - 1, try_launch_state, NULL);
	if (has_others())
		say("%s", cpu_said(cpu_count() - 1));
}

struct own_work {
	struct vm *vm;
	u32 right;
};

/* A VM of a processor's own, which must not notice anything. */
static void create_own(void *work)
{
	struct own_work *w = work;

	w->vm = vm_create(l2_continue);
	w->vm->gpr[RSI] = (u64)page_alloc();
	w->vm->gpr[R12] = 1;
}

static void run_own(void *work)
{
	struct own_work *w = work;

	vmptrld(w->vm->vmcs);
	vm_run(w->vm);
	w->right += w->vm->basic_reason == REASON_VMCALL;
	vm_skip(w->vm);
}

/* Without VMCLEAR before, and with whatever result. */
static void misuse(void *unused)
{
	(void)unused;
	op_vmptrld((u64)&moving->vmcs, 0);
	vm_write_host_state(moving);
	vm_enter(moving, true);
	vm_enter(moving, false);
	op_vmwrite(GUEST_RIP, (u64)l2_continue);
}

/*
 * Expect: a VMCS active on two processors is undefined, SDM "Software Use of
 * the VMCS and Related Structures": only the others' VMs are looked at.
 */
static void active_on_two(void)
{
	static struct own_work own[MAX_CPUS];
	u32 right = 0;

	memset(own, 0, sizeof(own));
	create_moving();
	all_call(create_own, own, sizeof(own[0]));
	for (u32 i = 0; i < 10; i++) {
		for (u32 cpu = 0; cpu < cpu_count(); cpu++)
			on_cpu(cpu, misuse, NULL);
		all_call(run_own, own, sizeof(own[0]));
	}
	for (u32 cpu = 0; cpu < cpu_count(); cpu++)
		right += own[cpu].right == 10 && own[cpu].vm->gpr[RBX] == 10 && *(u64 *)own[cpu].vm->gpr[RSI] == 55;
	say("unharmed=%u", right == cpu_count());
}

SCENARIOS(move_scenarios,
	{ "moves.all_fields", all_fields, "many=1 lost=0", NULL },
	{ "moves.ping_pong", ping_pong, "wrong=0 rbx=840 memory=1 flag=420 stack=6720", NULL },
	{ "moves.tables", tables, "wrong=0 turns=15 last=0", NULL },
	{ "moves.launch_state", launch_state,
	  "entry: VMfailValid 5; 18; entry: VMfailValid 4; 18", NULL },
	{ "moves.active_on_two", active_on_two, "unharmed=1", NULL },
);
