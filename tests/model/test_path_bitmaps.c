/* SPDX-License-Identifier: MIT */
/*
 * Exits by MSR and I/O bitmaps: whose they are, what vmcs02's bitmaps learn from them, and that
 * L1's bitmaps count at each entry. SDM "MSR-Bitmap Address", "I/O-Bitmap Addresses".
 */
#include "tests/model/scene.h"

#include <string.h>

#include "tests/model/guest.h"
#include "vmx/msr_bitmap.h"
#include "vmx/nested/bitmap02.h"

#define BITMAP UINT64_C(0xa0000)
#define OTHER_BITMAP UINT64_C(0xa4000)
#define IO_BITMAP UINT64_C(0xa8000)
#define WATCHED 0x405	/* by the model's L0 */
#define VIRTUAL_APIC UINT64_C(0x98000)

static void begin(void)
{
	scene_begin(BUILD_LONG);
	scene_watches_ports = true;
	scene_control(WORD_PROC, PROC_USE_MSR_BITMAPS | PROC_USE_IO_BITMAPS, 0);
	scene_set(VMCS_MSR_BITMAP_ADDRESS, BITMAP);
	scene_set(VMCS_IO_BITMAP_A_ADDRESS, IO_BITMAP);
	scene_set(VMCS_IO_BITMAP_B_ADDRESS, IO_BITMAP + PAGE_SIZE);
	scene_play();
}

static void set_msr(u64 bitmap, u32 msr, enum msr_access access, bool exits)
{
	u32 byte = 0;
	u8 mask = 0, *at;

	assert_true(msr_bitmap_position(msr, access, &byte, &mask));
	at = (u8 *)l1_pointer(bitmap) + byte;
	*at = (u8)(exits ? *at | mask : *at & ~mask);
}

static void want_port(u32 port, bool wanted)
{
	u8 *at = (u8 *)l1_pointer(IO_BITMAP) + port / 8;

	*at = (u8)(wanted ? *at | 1u << port % 8 : *at & ~(1u << port % 8));
}

static const struct model_exit *msr_exit(u32 msr, enum msr_access access)
{
	static struct model_exit exit;

	exit = (struct model_exit){ .reason = access == MSR_WRITE ? EXIT_WRMSR : EXIT_RDMSR, .length = 2 };
	model.vcpu.regs.gpr[REG_RCX] = msr;
	return &exit;
}

static const struct model_exit *io_exit(u32 port, u32 size)
{
	static struct model_exit exit;

	exit = (struct model_exit){ .reason = EXIT_IO_INSTRUCTION, .length = 1, .qualification = (u64)port << 16 | (size - 1) };
	return &exit;
}

enum fate { PASSES, GOES_TO_L0, GOES_TO_L1 };

/* What becomes of L2's instruction: an exit that teaches the bitmap comes at most once. */
static enum fate fate_of(const struct model_exit *exit, u32 *exits)
{
	u64 rip = scene_running(VMCS_GUEST_RIP);

	*exits = 0;
	while (guest_can_exit(exit, (u32)model.vcpu.regs.gpr[REG_RCX])) {
		assert_int_equal(++*exits <= 2, true);
		assert_true(model_exit(exit));
		if (!model_in_l2())
			return GOES_TO_L1;
		if (scene_running(VMCS_GUEST_RIP) != rip)
			return GOES_TO_L0;
	}
	return PASSES;
}

static void assert_fate(const struct model_exit *exit, enum fate fate, u32 exits)
{
	u32 counted;

	assert_int_equal(fate_of(exit, &counted), fate);
	assert_int_equal(counted, exits);
}

/* L1's answer to an exit, and back to L2. */
static void go_on(void)
{
	if (model_in_l2())
		scene_exit_to_l1(EXIT_CPUID, 0);
	scene_enter();
}

/* Expect: one exit for the word, then none. */
static void an_msr_that_l1_lets_pass_exits_once(void **state)
{
	static const u32 msrs[] = { 0, 0x10, 0x1fff, 0xc0000080, 0xc0001fff };

	(void)state;
	for (u32 i = 0; i < array_size(msrs); i++) {
		begin();
		scene_enter();
		assert_fate(msr_exit(msrs[i], MSR_READ), PASSES, 1);
		assert_fate(msr_exit(msrs[i], MSR_READ), PASSES, 0);
		assert_fate(msr_exit(msrs[i], MSR_WRITE), PASSES, 1);
		/* The neighbours in the word came with it. */
		assert_fate(msr_exit(msrs[i] ^ 1, MSR_WRITE), PASSES, 0);
		for (u32 round = 0; round < 3; round++) {
			go_on();
			assert_fate(msr_exit(msrs[i], MSR_READ), PASSES, 0);
			assert_fate(msr_exit(msrs[i], MSR_WRITE), PASSES, 0);
		}
	}
}

/* Expect: L1's bit decides; where it is clear and L0's is set, L0 does the work, each time. */
static void l1s_bit_goes_before_l0s(void **state)
{
	(void)state;
	begin();
	set_msr(BITMAP, IA32_PAT, MSR_READ, true);
	scene_enter();
	assert_fate(msr_exit(IA32_PAT, MSR_READ), GOES_TO_L1, 1);
	go_on();
	assert_fate(msr_exit(IA32_FEATURE_CONTROL, MSR_READ), GOES_TO_L0, 1);
	assert_fate(msr_exit(IA32_FEATURE_CONTROL, MSR_READ), GOES_TO_L0, 1);
	go_on();
	set_msr(BITMAP, IA32_FEATURE_CONTROL, MSR_READ, true);
	assert_fate(msr_exit(IA32_FEATURE_CONTROL, MSR_READ), GOES_TO_L1, 1);
}

/* Expect: neighbours of a learned MSR that L1 or L0 wants exit as ever. */
static void a_learned_word_keeps_its_other_bits(void **state)
{
	(void)state;
	begin();
	set_msr(BITMAP, IA32_FEATURE_CONTROL + 1, MSR_READ, true);
	scene_enter();
	assert_fate(msr_exit(IA32_FEATURE_CONTROL - 1, MSR_READ), PASSES, 1);
	assert_fate(msr_exit(IA32_FEATURE_CONTROL, MSR_READ), GOES_TO_L0, 1);
	assert_fate(msr_exit(IA32_FEATURE_CONTROL + 1, MSR_READ), GOES_TO_L1, 1);
}

/* Expect: what anyone has made of L1's page counts from the next entry by L1 on. */
static void a_change_counts_at_the_next_entry(void **state)
{
	(void)state;
	begin();
	scene_enter();
	assert_fate(msr_exit(IA32_PAT, MSR_READ), PASSES, 1);
	set_msr(BITMAP, IA32_PAT, MSR_READ, true);
	assert_fate(msr_exit(IA32_PAT, MSR_READ), PASSES, 0);
	go_on();
	assert_fate(msr_exit(IA32_PAT, MSR_READ), GOES_TO_L1, 1);
	set_msr(BITMAP, IA32_PAT, MSR_READ, false);
	go_on();
	assert_fate(msr_exit(IA32_PAT, MSR_READ), PASSES, 0);
	/* While L2 runs a bit that is no longer set lets it pass, too. */
	set_msr(BITMAP, IA32_PAT, MSR_READ, true);
	go_on();
	set_msr(BITMAP, IA32_PAT, MSR_READ, false);
	assert_fate(msr_exit(IA32_PAT, MSR_READ), PASSES, 1);
}

static void another_page_counts_at_the_next_entry(void **state)
{
	(void)state;
	begin();
	scene_enter();
	assert_fate(msr_exit(IA32_PAT, MSR_WRITE), PASSES, 1);
	scene_exit_to_l1(EXIT_CPUID, 0);
	set_msr(OTHER_BITMAP, IA32_PAT, MSR_WRITE, true);
	assert_int_equal(l1_vmwrite(VMCS_MSR_BITMAP_ADDRESS.encoding, OTHER_BITMAP).outcome, L1_OK);
	scene_enter();
	assert_fate(msr_exit(IA32_PAT, MSR_WRITE), GOES_TO_L1, 1);
	assert_int_equal(l1_vmwrite(VMCS_MSR_BITMAP_ADDRESS.encoding, BITMAP).outcome, L1_OK);
	scene_enter();
	assert_fate(msr_exit(IA32_PAT, MSR_WRITE), PASSES, 0);
}

static void use_bitmaps(bool use)
{
	u64 proc = l1_get(VMCS_PROCESSOR_BASED_CONTROLS), mask = PROC_USE_MSR_BITMAPS | PROC_USE_IO_BITMAPS;

	assert_int_equal(l1_vmwrite(VMCS_PROCESSOR_BASED_CONTROLS.encoding, use ? proc | mask : proc & ~mask).outcome, L1_OK);
}

/* Expect: without bitmaps every MSR exits to L1; what changed meanwhile is seen when they are used again. */
static void bitmaps_come_and_go(void **state)
{
	(void)state;
	begin();
	scene_enter();
	assert_fate(msr_exit(IA32_PAT, MSR_READ), PASSES, 1);
	assert_fate(io_exit(0x80, 1), PASSES, 1);
	scene_exit_to_l1(EXIT_CPUID, 0);
	use_bitmaps(false);
	set_msr(BITMAP, IA32_PAT, MSR_READ, true);
	want_port(0x80, true);
	scene_enter();
	assert_fate(io_exit(0x80, 1), PASSES, 0);
	assert_fate(io_exit(WATCHED, 1), GOES_TO_L0, 1);
	assert_fate(msr_exit(IA32_PAT, MSR_READ), GOES_TO_L1, 1);
	use_bitmaps(true);
	scene_enter();
	assert_fate(io_exit(0x80, 1), GOES_TO_L1, 1);
	scene_enter();
	assert_fate(msr_exit(IA32_PAT, MSR_READ), GOES_TO_L1, 1);
}

/* Expect: a slot that had another VMCS lets nothing pass that the new one's bitmap stops. */
static void the_next_vmcs_of_a_slot_has_its_own(void **state)
{
	(void)state;
	begin();
	scene_enter();
	assert_fate(msr_exit(IA32_PAT, MSR_READ), PASSES, 1);
	assert_fate(io_exit(0x80, 1), PASSES, 1);
	scene_exit_to_l1(EXIT_CPUID, 0);
	set_msr(OTHER_BITMAP, IA32_PAT, MSR_READ, true);
	want_port(0x80, true);
	assert_int_equal(l1_vmclear(L1_REGION(0)).outcome, L1_OK);
	l1_make_region(L1_REGION(0));
	assert_int_equal(l1_vmptrld(L1_REGION(0)).outcome, L1_OK);
	vmcs12_set(&scene.vmcs12, VMCS_MSR_BITMAP_ADDRESS, OTHER_BITMAP);
	l1_write_all(&scene.vmcs12);
	assert_int_equal(l1_vmlaunch().outcome, L1_IN_L2);
	assert_fate(io_exit(0x80, 1), GOES_TO_L1, 1);
	scene_enter();
	assert_fate(msr_exit(IA32_PAT, MSR_READ), GOES_TO_L1, 1);
}

/* Expect: more words than are kept cost exits, and nothing else. */
static void more_words_than_are_kept(void **state)
{
	(void)state;
	begin();
	scene_enter();
	for (u32 round = 0; round < 3; round++) {
		for (u32 i = 0; i < 2 * BITMAP02_WORDS; i++) {
			u32 counted;

			if (i == 1)	/* IA32_VMX_...: L0's */
				continue;
			assert_int_equal(fate_of(msr_exit(0xc0000000 + i * 64, MSR_READ), &counted), PASSES);
			assert_true(counted <= 1);
		}
		go_on();
	}
}

/* --- I/O ---------------------------------------------------------------------------------- */

static void ports_exit_once_where_l1_lets_them_pass(void **state)
{
	(void)state;
	begin();
	want_port(0x81, true);
	scene_enter();
	assert_fate(io_exit(0x80, 1), PASSES, 1);
	assert_fate(io_exit(0x80, 1), PASSES, 0);
	assert_fate(io_exit(0xb000, 4), PASSES, 1);
	assert_fate(io_exit(0x80, 2), GOES_TO_L1, 1);
	go_on();
	assert_fate(io_exit(0x7e, 2), PASSES, 1);
	assert_fate(io_exit(0x7e, 4), GOES_TO_L1, 1);
	go_on();
	want_port(0x81, false);
	want_port(0xb003, true);
	go_on();
	assert_fate(io_exit(0x80, 2), PASSES, 0);
	assert_fate(io_exit(0xb000, 4), GOES_TO_L1, 1);
}

/* Expect: accesses that lie in two words, and in both pages. */
static void ports_in_two_words(void **state)
{
	static const u32 first[] = { 0x3f, 0x7ffe, 0x7fff, 0x13e };

	(void)state;
	for (u32 i = 0; i < array_size(first); i++) {
		begin();
		scene_enter();
		assert_fate(io_exit(first[i], 4), PASSES, 1);
		assert_fate(io_exit(first[i], 4), PASSES, 0);
		want_port(first[i] + 3, true);
		go_on();
		assert_fate(io_exit(first[i], 4), GOES_TO_L1, 1);
		want_port(first[i] + 3, false);
		want_port(first[i], true);
		scene_enter();
		assert_fate(io_exit(first[i] + 1, 2), PASSES, 0);
		assert_fate(io_exit(first[i], 4), GOES_TO_L1, 1);
	}
}

/* Expect: L0's port is L0's, unless L1 wants any of the access; what wraps around is L1's. */
static void the_watched_port_stays_watched(void **state)
{
	(void)state;
	begin();
	scene_enter();
	assert_fate(io_exit(WATCHED - 1, 1), PASSES, 1);
	assert_fate(io_exit(WATCHED, 1), GOES_TO_L0, 1);
	assert_fate(io_exit(WATCHED - 1, 2), GOES_TO_L0, 1);
	assert_fate(io_exit(WATCHED - 1, 1), PASSES, 0);
	want_port(WATCHED - 1, true);
	assert_fate(io_exit(WATCHED - 1, 2), GOES_TO_L1, 1);
	go_on();
	assert_fate(io_exit(0xffff, 2), GOES_TO_L1, 1);
}

/* --- the task priority -------------------------------------------------------------------- */

/* Expect: while L0 carries out writes to VTPR, learning a neighbour does not end that. */
static void a_watched_task_priority_stays_watched(void **state)
{
	(void)state;
	begin();
	scene_begin(BUILD_LONG);
	scene_control(WORD_PROC, PROC_USE_MSR_BITMAPS | PROC_USE_TPR_SHADOW, 0);
	scene_control(WORD_PROC2, PROC2_VIRTUALIZE_X2APIC_MODE,
		      PROC2_VIRTUALIZE_APIC_ACCESSES | PROC2_VIRTUAL_INTERRUPT_DELIVERY | PROC2_APIC_REGISTER_VIRTUALIZATION);
	scene_set(VMCS_MSR_BITMAP_ADDRESS, BITMAP);
	scene_set(VMCS_VIRTUAL_APIC_ADDRESS, VIRTUAL_APIC);
	scene_set(VMCS_TPR_THRESHOLD, 4);
	scene_play();
	((u8 *)l1_pointer(VIRTUAL_APIC))[0x80] = 0x40;
	scene_enter();
	assert_fate(msr_exit(IA32_X2APIC_TPR, MSR_WRITE), PASSES, 1);
	((u8 *)l1_pointer(VIRTUAL_APIC))[0x80] = 0x20;
	scene_exit_to_l0();
	assert_true(guest_can_exit(msr_exit(IA32_X2APIC_TPR, MSR_WRITE), IA32_X2APIC_TPR));
	/* A neighbour whose bit L1 clears now makes the word be learned again. */
	assert_false(guest_can_exit(msr_exit(IA32_X2APIC_TPR + 2, MSR_WRITE), IA32_X2APIC_TPR + 2));
	model.vcpu.nested->current->msr02.content[(2048 + IA32_X2APIC_TPR / 8) / 8] = ~UINT64_C(0);
	assert_fate(msr_exit(IA32_X2APIC_TPR + 2, MSR_WRITE), PASSES, 1);
	assert_true(guest_can_exit(msr_exit(IA32_X2APIC_TPR, MSR_WRITE), IA32_X2APIC_TPR));
	((u8 *)l1_pointer(VIRTUAL_APIC))[0x80] = 0x40;
	go_on();
	assert_fate(msr_exit(IA32_X2APIC_TPR, MSR_WRITE), PASSES, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_msr_that_l1_lets_pass_exits_once),
		cmocka_unit_test(l1s_bit_goes_before_l0s),
		cmocka_unit_test(a_learned_word_keeps_its_other_bits),
		cmocka_unit_test(a_change_counts_at_the_next_entry),
		cmocka_unit_test(another_page_counts_at_the_next_entry),
		cmocka_unit_test(bitmaps_come_and_go),
		cmocka_unit_test(the_next_vmcs_of_a_slot_has_its_own),
		cmocka_unit_test(more_words_than_are_kept),
		cmocka_unit_test(ports_exit_once_where_l1_lets_them_pass),
		cmocka_unit_test(ports_in_two_words),
		cmocka_unit_test(the_watched_port_stays_watched),
		cmocka_unit_test(a_watched_task_priority_stays_watched),
	};

	return SCENE_RUN_BOTH("path_bitmaps", tests);
}
