/* SPDX-License-Identifier: MIT */
/*
 * Whose exits of a reason are, the quick way remembers from one entry to the next (owners in vmx/nested/quick_plan.h). Here L1 changes
 * what that follows from, by each way that there is, and an exit comes right after. That the memory itself is what
 * vmcs12 says the oracles ask at each entry; here it is asked who has the exit.
 */
#include "tests/model/scene.h"

#include <string.h>

#include "tests/model/guest.h"
#include "vmx/msr_bitmap.h"

#define BITMAP UINT64_C(0xa0000)
#define OTHER_BITMAP UINT64_C(0xa4000)
#define IO_BITMAP UINT64_C(0xa8000)
#define OTHER_IO_BITMAP UINT64_C(0xac000)
#define WATCHED 0x405	/* by the model's L0 */
#define EPTP12 (UINT64_C(0x40000) | 6 | 3 << 3)

/* --- what L1 changes, and how ---------------------------------------------------------- */

struct change {
	const char *name;
	struct model_exit exit;
	u32 msr;
	vmcs_field field;	/* of vmcs12, */
	u64 off, on;		/* with bits that make the exit somebody else's, and L1's */
	bool mask;		/* they are bits of the field, not all of it */
};

#define CONTROL(reason_name, field_name, control) \
	{ #reason_name, { .reason = EXIT_##reason_name, .length = 1 }, 0, VMCS_FIELD(field_name), 0, control, true }
#define PROC(reason_name, name) CONTROL(reason_name, PROCESSOR_BASED_CONTROLS, PROC_##name)
#define PROC2(reason_name, name) CONTROL(reason_name, SECONDARY_PROCESSOR_BASED_CONTROLS, PROC2_##name)

/* OTHER_BITMAP and OTHER_IO_BITMAP have all bits set. Of the MSR and the port L0 has bits of its own. */
static const struct change changes[] = {
	PROC(HLT, HLT_EXITING), PROC(INVLPG, INVLPG_EXITING), PROC(RDPMC, RDPMC_EXITING), PROC(RDTSC, RDTSC_EXITING),
	PROC(RDTSCP, RDTSC_EXITING), PROC(MOV_DR, MOV_DR_EXITING), PROC(MWAIT, MWAIT_EXITING), PROC(MONITOR, MONITOR_EXITING),
	PROC(INVPCID, INVLPG_EXITING), PROC(INTERRUPT_WINDOW, INTERRUPT_WINDOW_EXITING),
	PROC2(WBINVD, WBINVD_EXITING), PROC2(RDRAND, RDRAND_EXITING), PROC2(RDSEED, RDSEED_EXITING),
	PROC2(GDTR_IDTR_ACCESS, DESCRIPTOR_TABLE_EXITING), PROC2(LDTR_TR_ACCESS, DESCRIPTOR_TABLE_EXITING),
	CONTROL(EXTERNAL_INTERRUPT, PIN_BASED_CONTROLS, PIN_EXTERNAL_INTERRUPT_EXITING),
	{ "RDMSR, bitmap", { .reason = EXIT_RDMSR, .length = 2 }, IA32_FEATURE_CONTROL, VMCS_FIELD(MSR_BITMAP_ADDRESS), BITMAP,
	  OTHER_BITMAP, false },
	{ "WRMSR, bitmap", { .reason = EXIT_WRMSR, .length = 2 }, IA32_PAT, VMCS_FIELD(MSR_BITMAP_ADDRESS), BITMAP, OTHER_BITMAP, false },
	{ "RDMSR, control", { .reason = EXIT_RDMSR, .length = 2 }, IA32_FEATURE_CONTROL, VMCS_FIELD(PROCESSOR_BASED_CONTROLS),
	  PROC_USE_MSR_BITMAPS, 0, true },
	{ "OUT, bitmap", { .reason = EXIT_IO_INSTRUCTION, .length = 1, .qualification = (u64)WATCHED << 16 }, 0,
	  VMCS_FIELD(IO_BITMAP_A_ADDRESS), IO_BITMAP, OTHER_IO_BITMAP, false },
	{ "OUT to a high port, bitmap", { .reason = EXIT_IO_INSTRUCTION, .length = 1, .qualification = UINT64_C(0xb000) << 16 | 3 }, 0,
	  VMCS_FIELD(IO_BITMAP_B_ADDRESS), IO_BITMAP + PAGE_SIZE, OTHER_IO_BITMAP + PAGE_SIZE, false },
	{ "OUT, control", { .reason = EXIT_IO_INSTRUCTION, .length = 1, .qualification = (u64)WATCHED << 16 }, 0,
	  VMCS_FIELD(PROCESSOR_BASED_CONTROLS), PROC_USE_IO_BITMAPS, PROC_UNCONDITIONAL_IO_EXITING, true },
};

static u64 changed(const struct change *change, u64 value, bool on)
{
	u64 bits = change->on | change->off;

	return change->mask ? (value & ~bits) | (on ? change->on : change->off) : on ? change->on : change->off;
}

static void prepare(const struct change *change, bool on)
{
	scene_begin(BUILD_LONG);
	scene_watches_ports = true;
	scene_control(WORD_EXIT, EXIT_SAVE_DEBUG_CONTROLS, 0);
	scene_control(WORD_ENTRY, ENTRY_LOAD_DEBUG_CONTROLS, 0);
	scene_control(WORD_PROC, PROC_USE_MSR_BITMAPS | PROC_USE_IO_BITMAPS | PROC_ACTIVATE_SECONDARY_CONTROLS, 0);
	scene_control(WORD_PROC2, PROC2_ENABLE_EPT, 0);
	scene_set(VMCS_EPT_POINTER, EPTP12);
	scene_set(VMCS_MSR_BITMAP_ADDRESS, BITMAP);
	scene_set(VMCS_IO_BITMAP_A_ADDRESS, IO_BITMAP);
	scene_set(VMCS_IO_BITMAP_B_ADDRESS, IO_BITMAP + PAGE_SIZE);
	scene_set(change->field, changed(change, vmcs12_get(&scene.vmcs12, change->field), on));
	scene_play();
	memset(l1_pointer(OTHER_BITMAP), 0xff, PAGE_SIZE);
	memset(l1_pointer(OTHER_IO_BITMAP), 0xff, PAGE_SIZE);
	memset(l1_pointer(OTHER_IO_BITMAP + PAGE_SIZE), 0xff, PAGE_SIZE);
}

static void become_quick(void)
{
	for (u64 round = 0; round < 5; round++) {
		scene_enter();
		scene_exit_to_l1(EXIT_CPUID, 0);
		l1_set(VMCS_GUEST_RIP, l1_get(VMCS_GUEST_RIP) + 2);
	}
	scene_enter();
	assert_true(model.vcpu.nested->current->quick.entered);
}

/* L2 runs. Has L1 the exit, where there is one? To L1 again. */
static void assert_l1_has(const struct change *change, bool wanted, const char *way)
{
	bool is_l1s;

	model.vcpu.regs.gpr[REG_RCX] = change->msr;
	is_l1s = guest_can_exit(&change->exit, change->msr) && model_exit(&change->exit) && !model_in_l2();
	if (is_l1s != wanted)
		fail_msg("%s by %s: %s", change->name, way, wanted ? "L1 wants it" : "L1 does not want it");
	if (!is_l1s) {
		scene_exit_to_l1(EXIT_CPUID, 0);
		return;
	}
	assert_int_equal(l1_get(VMCS_EXIT_REASON), change->exit.reason);
	assert_int_equal(l1_get(VMCS_EXIT_QUALIFICATION), change->exit.qualification);
}

static void write(const struct change *change, bool on)
{
	l1_set(change->field, changed(change, l1_get(change->field), on));
}

/* --- the ways ------------------------------------------------------------------------------ */

/* Expect: what an exit finds is what VMWRITE has made of it, while that exits and, where L1 writes often, when it does not. */
static void a_vmwrite_counts(void **state)
{
	(void)state;
	for (u32 i = 0; i < array_size(changes); i++) {
		for (u32 first = 0; first < 2; first++) {
			prepare(&changes[i], first);
			become_quick();
			assert_l1_has(&changes[i], first, "nothing");
			for (u32 round = 0; round < 12; round++) {
				write(&changes[i], (first + round) % 2);
				scene_enter();
				assert_l1_has(&changes[i], (first + round) % 2, "VMWRITE");
				scene_enter();
				assert_l1_has(&changes[i], (first + round) % 2, "VMWRITE and a quick entry");
			}
		}
	}
}

/* Expect: the last of many VMWRITEs is not one that exits, and counts all the same. */
static void a_vmwrite_without_an_exit_counts(void **state)
{
	u32 learned = 0;

	(void)state;
	for (u32 i = 0; i < array_size(changes); i++) {
		bool is_word = changes[i].field.index == VMCS_INDEX_PROCESSOR_BASED_CONTROLS ||
			       changes[i].field.index == VMCS_INDEX_PIN_BASED_CONTROLS;
		u64 exits;

		prepare(&changes[i], true);
		become_quick();
		scene_exit_to_l1(EXIT_CPUID, 0);
		for (u32 round = 0; round < 6; round++) {
			scene_enter();
			scene_exit_to_l1(EXIT_CPUID, 0);
			write(&changes[i], true);
		}
		scene_enter();
		assert_l1_has(&changes[i], true, "VMWRITE of the same");
		exits = model.cpu.counter[COUNTER_VMWRITE_EXITS];
		write(&changes[i], false);
		if (is_word)
			assert_int_equal(model.cpu.counter[COUNTER_VMWRITE_EXITS], exits);
		learned += model.cpu.counter[COUNTER_VMWRITE_EXITS] == exits;
		scene_enter();
		assert_l1_has(&changes[i], false, "VMWRITE without an exit");
	}
	assert_true(learned > 0);
}

static void use(u32 region, bool is_new)
{
	if (is_new) {
		l1_make_region(L1_REGION(region));
		assert_int_equal(l1_vmptrld(L1_REGION(region)).outcome, L1_OK);
		l1_write_all(&scene.vmcs12);
	} else {
		assert_int_equal(l1_vmptrld(L1_REGION(region)).outcome, L1_OK);
	}
}

/* Expect: two VMCSs, one with and one without, each has its own. */
static void another_vmcs_has_its_own(void **state)
{
	(void)state;
	for (u32 i = 0; i < array_size(changes); i++) {
		const struct change *change = &changes[i];

		prepare(change, true);
		become_quick();
		assert_l1_has(change, true, "nothing");
		scene_set(change->field, changed(change, vmcs12_get(&scene.vmcs12, change->field), false));
		use(1, true);
		become_quick();
		assert_l1_has(change, false, "nothing");
		for (u32 round = 0; round < 6; round++) {
			use(round % 2, false);
			scene_enter();
			assert_true(model.vcpu.nested->current->quick.entered);
			assert_l1_has(change, round % 2 == 0, "VMPTRLD");
		}
	}
}

/* Expect: what L1 makes of a region between VMCLEAR and VMPTRLD is what counts. */
static void an_edit_in_memory_counts(void **state)
{
	(void)state;
	for (u32 i = 0; i < array_size(changes); i++) {
		const struct change *change = &changes[i];
		struct vmcs12 *region;
		u64 *at;

		prepare(change, true);
		become_quick();
		assert_l1_has(change, true, "nothing");
		for (u32 round = 0; round < 4; round++) {
			assert_int_equal(l1_vmclear(L1_REGION(0)).outcome, L1_OK);
			region = l1_pointer(L1_REGION(0));
			at = &region->fields.value[change->field.index];
			*at = changed(change, *at, round % 2);
			assert_int_equal(l1_vmptrld(L1_REGION(0)).outcome, L1_OK);
			scene_enter();
			assert_l1_has(change, round % 2, "an edit");
			become_quick();
			assert_l1_has(change, round % 2, "an edit, some rounds later");
		}
	}
}

/* --- what is asked at each exit -------------------------------------------------------------- */

static void set_bit(u64 bitmap, u32 bit, bool on)
{
	u8 *at = (u8 *)l1_pointer(bitmap) + bit / 8;

	*at = (u8)(on ? *at | 1u << bit % 8 : *at & ~(1u << bit % 8));
}

/* All other bits are the contrary. */
static void set_one(u64 bitmap, u32 pages, u32 first, u32 count, bool on)
{
	for (u32 i = 0; i < pages; i++)
		memset(l1_pointer(bitmap + i * PAGE_SIZE), on ? 0 : 0xff, PAGE_SIZE);
	for (u32 i = 0; i < count; i++)
		set_bit(bitmap, first + i, on);
}

/* L2 runs, and goes on or exits. */
static void assert_stays(const struct model_exit *exit, bool stays)
{
	assert_true(model_exit(exit));
	assert_int_equal(model_in_l2(), stays);
	if (stays)
		scene_exit_to_l1(EXIT_CPUID, 0);
	scene_enter();
	/* What L0 has injected is for the next entry to merge. */
	scene_exit_to_l1(EXIT_CPUID, 0);
	scene_enter();
	assert_true(model.vcpu.nested->current->quick.entered);
}

/* Expect: an MSR's own bit as it is in memory at the exit decides, and no other; whatever it was before. */
static void a_bit_in_memory_counts_at_the_exit(void **state)
{
	static const u32 msrs[] = { IA32_FEATURE_CONTROL, 0, 0x1fff, 0xc0000000, 0xc0001fff };

	(void)state;
	for (u32 i = 0; i < 2 * array_size(msrs); i++) {
		enum msr_access access = i % 2 ? MSR_WRITE : MSR_READ;
		const struct model_exit exit = { .reason = access == MSR_READ ? EXIT_RDMSR : EXIT_WRMSR, .length = 2 };
		u32 byte = 0, bit = 0;
		u8 mask = 0;

		prepare(&changes[0], false);
		become_quick();
		assert_true(msr_bitmap_position(msrs[i / 2], access, &byte, &mask));
		while (mask >> bit != 1)
			bit++;
		model.vcpu.regs.gpr[REG_RCX] = msrs[i / 2];
		for (u32 round = 0; round < 4; round++) {
			set_one(BITMAP, 1, byte * 8 + bit, 1, round % 2);
			assert_stays(&exit, round % 2 == 0);
			/* What has passed is learned, and no exit until the next entry. */
			set_one(BITMAP, 1, byte * 8 + bit, 1, true);
			scene_exit_to_l1(EXIT_CPUID, 0);
			scene_enter();
		}
	}
}

/* Expect: the same for ports, in either page, of each size, and across words; of any of an access' ports. */
static void a_port_in_memory_counts_at_the_exit(void **state)
{
	static const struct { u32 port, size; } cases[] = {
		{ WATCHED, 1 }, { WATCHED, 2 }, { WATCHED - 3, 4 }, { 0, 1 }, { 0x3f, 1 }, { 0x3e, 2 }, { 0x3f, 2 }, { 0x3d, 4 },
		{ 0x3c, 4 }, { 0x7fff, 1 }, { 0x7ffe, 4 }, { 0x8000, 2 }, { 0xffff, 1 }, { 0xfffc, 4 },
	};

	(void)state;
	for (u32 i = 0; i < array_size(cases); i++) {
		const u32 port = cases[i].port, size = cases[i].size;
		const struct model_exit exit = { .reason = EXIT_IO_INSTRUCTION, .length = 1,
						 .qualification = (u64)port << 16 | (size - 1) };

		prepare(&changes[0], false);
		become_quick();
		for (u32 wanted = 0; wanted < size; wanted++) {
			set_one(IO_BITMAP, 2, port, size, false);
			assert_stays(&exit, true);
			set_one(IO_BITMAP, 2, port + wanted, 1, true);
			scene_exit_to_l1(EXIT_CPUID, 0);
			scene_enter();
			assert_stays(&exit, false);
		}
	}
}

/* Expect: an MSR without a bit is L1's; an access that wraps around, too. */
static void what_has_no_bit_is_l1s(void **state)
{
	static const u32 msrs[] = { 0x2000, 0xbfffffff, 0xc0002000, 0xffffffff, 0x40000000 };
	const struct model_exit wraps = { .reason = EXIT_IO_INSTRUCTION, .length = 1, .qualification = UINT64_C(0xffff0001) };
	struct model_exit exit = { .length = 2 };

	(void)state;
	prepare(&changes[0], false);
	become_quick();
	for (u32 i = 0; i < 2 * array_size(msrs); i++) {
		exit.reason = i % 2 ? EXIT_WRMSR : EXIT_RDMSR;
		model.vcpu.regs.gpr[REG_RCX] = msrs[i / 2];
		assert_true(model_exit(&exit));
		assert_false(model_in_l2());
		scene_enter();
	}
	assert_true(model_exit(&wraps));
	assert_false(model_in_l2());
}

/* Expect: what neither L1 nor L0 wants L2 does itself from then on, until L1's bit is set. */
static void what_nobody_wants_passes(void **state)
{
	const struct model_exit rdmsr = { .reason = EXIT_RDMSR, .length = 2 };
	const struct model_exit out = { .reason = EXIT_IO_INSTRUCTION, .length = 1, .qualification = UINT64_C(0x80) << 16 };
	u64 rip;

	(void)state;
	prepare(&changes[0], false);
	become_quick();
	model.vcpu.regs.gpr[REG_RCX] = IA32_PAT;
	rip = scene_running(VMCS_GUEST_RIP);
	assert_true(model_exit(&rdmsr) && model_in_l2() && model_exit(&out) && model_in_l2());
	assert_int_equal(scene_running(VMCS_GUEST_RIP), rip);
	assert_false(guest_can_exit(&rdmsr, IA32_PAT) || guest_can_exit(&out, 0));
	scene_exit_to_l1(EXIT_CPUID, 0);
	scene_enter();
	assert_true(model.vcpu.nested->current->quick.entered);
	assert_false(guest_can_exit(&rdmsr, IA32_PAT) || guest_can_exit(&out, 0));
	scene_exit_to_l1(EXIT_CPUID, 0);
	((u8 *)l1_pointer(BITMAP))[IA32_PAT / 8] = 0xff;
	set_bit(IO_BITMAP, 0x80, true);
	scene_enter();
	assert_true(guest_can_exit(&rdmsr, IA32_PAT) && guest_can_exit(&out, 0));
	assert_true(model_exit(&rdmsr) && !model_in_l2());
	scene_enter();
	assert_true(model_exit(&out) && !model_in_l2());
}

/* Expect: bitmaps where L0 reaches no memory are all ones. */
static void bitmaps_beyond_memory_are_ones(void **state)
{
	const u64 beyond = UINT64_C(0x4000000000);
	const struct model_exit out = { .reason = EXIT_IO_INSTRUCTION, .length = 1, .qualification = (u64)WATCHED << 16 };
	const struct model_exit rdmsr = { .reason = EXIT_RDMSR, .length = 2 };

	(void)state;
	prepare(&changes[0], false);
	l1_set(VMCS_MSR_BITMAP_ADDRESS, beyond);
	l1_set(VMCS_IO_BITMAP_A_ADDRESS, beyond);
	become_quick();
	model.vcpu.regs.gpr[REG_RCX] = IA32_FEATURE_CONTROL;
	assert_true(model_exit(&rdmsr));
	assert_false(model_in_l2());
	scene_enter();
	assert_true(model_exit(&out));
	assert_false(model_in_l2());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vmwrite_counts),
		cmocka_unit_test(a_vmwrite_without_an_exit_counts),
		cmocka_unit_test(another_vmcs_has_its_own),
		cmocka_unit_test(an_edit_in_memory_counts),
		cmocka_unit_test(a_bit_in_memory_counts_at_the_exit),
		cmocka_unit_test(a_port_in_memory_counts_at_the_exit),
		cmocka_unit_test(what_has_no_bit_is_l1s),
		cmocka_unit_test(what_nobody_wants_passes),
		cmocka_unit_test(bitmaps_beyond_memory_are_ones),
	};

	return cmocka_run_group_tests_name("path_quick_owner", tests, NULL, NULL);
}
