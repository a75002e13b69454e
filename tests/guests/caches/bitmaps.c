/* SPDX-License-Identifier: MIT */
/*
 * MSR and I/O bitmaps that change between an exit and the next entry, whoever changes them: they count from that entry
 * on. SDM "MSR-Bitmap Address", "I/O-Bitmap Addresses", "Software Access to Related Structures".
 */
#include "tests/guests/caches/caches.h"

#include "tests/guests/lib/machine.h"
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define READ_HIGH 1024
#define MANY_WORDS 100
#define IA32_MPERF 0xe7
#define IA32_MISC_ENABLE 0x1a0
#define IA32_MC0_CTL 0x400
/* Of Testudo: exits of L2, here by their reason, in ECX and EDX. */
#define LEAF_EXITS 0x40000003

static const struct step reads[] = {
	{ .kind = STEP_RDMSR, .operand = IA32_SYSENTER_CS }, { .kind = STEP_RDMSR, .operand = IA32_PAT },
	{ .kind = STEP_RDMSR, .operand = IA32_LSTAR }, { .kind = STEP_RDMSR, .operand = IA32_FS_BASE },
	{ .kind = STEP_RDMSR, .operand = IA32_FEATURE_CONTROL },
};

static void set_bit(u64 page, u32 bit, bool exits)
{
	u8 *byte = (u8 *)page + bit / 8;

	*byte = (u8)(exits ? *byte | 1u << bit % 8 : *byte & ~(1u << bit % 8));
}

static u32 read_bit(u32 msr)
{
	return (msr & 0x1fff) + (msr >> 31 ? READ_HIGH * 8 : 0);
}

static void set_read(const struct vm *vm, u32 msr, bool exits)
{
	set_bit(vm->msr_bitmap, read_bit(msr), exits);
}

/* Expect: each MSR exits in the round for which its bit was set, alone. */
static void toggled(void)
{
	struct vm *vm = script_create(reads, ARRAY_SIZE(reads));
	static const u32 depths[] = DEPTHS;

	for (u32 d = 0; d < ARRAY_SIZE(depths); d++) {
		script_rounds(vm, depths[d], true);
		for (u32 i = 0; i < ARRAY_SIZE(reads); i++) {
			set_read(vm, reads[i].operand, true);
			script_rounds(vm, 1, true);
			set_read(vm, reads[i].operand, false);
			script_rounds(vm, 1, true);
			say("| ");
		}
	}
	say("%u", script_steps(vm)[4].value == (u32)rdmsr(IA32_FEATURE_CONTROL));
}

/* Expect: more MSRs than anyone keeps in mind one by one pass, but for the two that do not. */
static void many_words(void)
{
	struct step many[MANY_WORDS] = { 0 };
	struct vm *vm;

	for (u32 i = 0; i < MANY_WORDS; i++)
		many[i] = (struct step){ .kind = STEP_RDMSR, .operand = 0xc0000000 + i * 64 };
	many[2].operand = IA32_STAR;
	vm = script_create(many, MANY_WORDS);
	script_rounds(vm, 2, true);
	set_read(vm, many[1].operand, true);
	set_read(vm, many[77].operand, true);
	script_rounds(vm, 2, true);
	set_read(vm, many[1].operand, false);
	script_rounds(vm, 2, true);
}

/* Expect: the page that the VMCS names is the one that counts, also one that another VMCS names too. */
static void other_pages(void)
{
	struct vm *vm = script_create(reads, 4), *second = script_create(reads, 4);
	u64 page = (u64)page_alloc();

	vmwrite(MSR_BITMAP, vm->msr_bitmap);
	set_bit(page, read_bit(IA32_PAT), true);
	set_bit(page, read_bit(IA32_LSTAR), true);
	for (u32 round = 0; round < 3; round++) {
		vmptrld(vm->vmcs);
		vmwrite(MSR_BITMAP, round & 1 ? page : vm->msr_bitmap);
		script_rounds(vm, 2, true);
		set_read(vm, IA32_FS_BASE, true);
		say("| ");
		vmptrld(second->vmcs);
		script_rounds(second, 2, true);
		set_read(vm, IA32_FS_BASE, false);
		script_rounds(second, 1, true);
		say("; ");
	}
}

/* Expect: L2 may write there, if L1 lets it; after the next entry that counts. */
static void by_l2(void)
{
	struct step steps[] = { { .kind = STEP_STORE }, { .kind = STEP_RDMSR, .operand = IA32_PAT } };
	struct vm *vm = script_create(steps, 2);
	struct step *store = script_steps(vm);
	static const u32 depths[] = DEPTHS;

	store->address = vm->msr_bitmap + IA32_PAT / 64 * 8;
	for (u32 d = 0; d < ARRAY_SIZE(depths); d++) {
		store->kind = STEP_LOAD;
		script_rounds(vm, depths[d], true);
		/* In the first round the order is the processor's business: only the store is done. */
		store->kind = STEP_STORE;
		store->value = ~0ull;
		vm->gpr[R14] = 1;
		script_rounds(vm, 1, true);
		vm->gpr[R14] = 2;
		script_rounds(vm, 1, true);
		store->value = 0;
		vm->gpr[R14] = 1;
		script_rounds(vm, 1, true);
		vm->gpr[R14] = 2;
		script_rounds(vm, 1, true);
		say("| ");
	}
}

/* Expect: without the control every MSR exits; back with it, the page of now counts. */
static void control(void)
{
	struct vm *vm = script_create(reads, 4);
	static const u32 depths[] = DEPTHS;

	for (u32 d = 0; d < ARRAY_SIZE(depths); d++) {
		script_rounds(vm, depths[d], true);
		vm_clear(PROCESSOR_BASED_CONTROLS, PROC_USE_MSR_BITMAPS);
		script_rounds(vm, 1, true);
		say("| ");
		set_read(vm, IA32_LSTAR, true);
		vm_set(PROCESSOR_BASED_CONTROLS, PROC_USE_MSR_BITMAPS);
		script_rounds(vm, 1, true);
		set_read(vm, IA32_LSTAR, false);
		script_rounds(vm, 1, true);
		say("; ");
	}
}

static u64 l0_rdmsr_exits(void)
{
	struct cpuid_result r = cpuid(LEAF_EXITS, REASON_RDMSR);

	return (u64)r.edx << 32 | r.ecx;
}

/* Expect: on Testudo an MSR that passes exits once, and never again. No scenario before has read any near these. */
static void costs_one_exit(void)
{
	static const struct step new[] = {
		{ .kind = STEP_RDMSR, .operand = IA32_TIME_STAMP_COUNTER }, { .kind = STEP_RDMSR, .operand = IA32_MPERF },
		{ .kind = STEP_RDMSR, .operand = IA32_MISC_ENABLE }, { .kind = STEP_RDMSR, .operand = IA32_MC0_CTL },
	};
	struct vm *vm = script_create(new, ARRAY_SIZE(new));
	u64 before, first, later;

	if (!under_testudo()) {
		script_rounds(vm, 200, false);
		return;
	}
	before = l0_rdmsr_exits();
	script_rounds(vm, 1, false);
	first = l0_rdmsr_exits();
	script_rounds(vm, 199, false);
	later = l0_rdmsr_exits();
	info("%lu exits for 4 MSRs in 4 words, then %lu", first - before, later - first);
	expect(first - before == 4 && later == first);
}

/* --- I/O -------------------------------------------------------------------------- */

static const struct step ports[] = {
	{ .kind = STEP_IN, .operand = 0x80 }, { .kind = STEP_IN, .operand = 0x84 }, { .kind = STEP_IN, .operand = 0xf0f0 },
};

/* Expect: each port exits in the round for which its bit was set, in either page. */
static void io_toggled(void)
{
	struct vm *vm = script_create(ports, ARRAY_SIZE(ports));
	u64 pages = (u64)pages_alloc(2, PAGE_SIZE);
	static const u32 depths[] = DEPTHS;

	vm_clear(PROCESSOR_BASED_CONTROLS, PROC_UNCONDITIONAL_IO_EXITING);
	vm_set(PROCESSOR_BASED_CONTROLS, PROC_USE_IO_BITMAPS);
	vmwrite(IO_BITMAP_A, pages);
	vmwrite(IO_BITMAP_B, pages + PAGE_SIZE);
	for (u32 d = 0; d < ARRAY_SIZE(depths); d++) {
		script_rounds(vm, depths[d], true);
		for (u32 i = 0; i < ARRAY_SIZE(ports); i++) {
			set_bit(pages, ports[i].operand, true);
			script_rounds(vm, 1, true);
			set_bit(pages, ports[i].operand, false);
			script_rounds(vm, 1, true);
			say("| ");
		}
		vm_clear(PROCESSOR_BASED_CONTROLS, PROC_USE_IO_BITMAPS);
		vm_set(PROCESSOR_BASED_CONTROLS, PROC_UNCONDITIONAL_IO_EXITING);
		script_rounds(vm, 1, true);
		vm_set(PROCESSOR_BASED_CONTROLS, PROC_USE_IO_BITMAPS);
		say("; ");
	}
}

#define THREE(text) text text text

SCENARIOS(bitmap_scenarios,
	{ "bitmap.costs_one_exit", costs_one_exit, NULL, NULL },
	{ "bitmap.toggled", toggled, THREE("31 | 31 | 31 | 31 | 31 | ") "1", NULL },
	{ "bitmap.many_words", many_words, "31 31 31 31 31 31 ", NULL },
	{ "bitmap.other_pages", other_pages, "| 31 31 ; 31 31 31 31 | 31 31 ; | 31 31 ; ", NULL },
	{ "bitmap.by_l2", by_l2, THREE("31 | "), NULL },
	{ "bitmap.control", control, THREE("31 31 31 31 | 31 ; "), NULL },
	{ "bitmap.io_toggled", io_toggled, THREE("30 | 30 | 30 | 30 30 30 ; "), NULL },
);
