/* SPDX-License-Identifier: MIT */
/*
 * vmcs02 from vmcs12 and L0's needs: what L0 must have survives, what L1 wants
 * appears, what is hidden does not, and no address of L1's leads into L0's block.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/x86.h"
#include "tests/unit/merge_world.h"
#include "vmx/nested/sync.h"

#define ROUNDS 2000
#define UNTOUCHED UINT64_C(0x5a5a5a5a5a5a5a5a)

static struct merge_world world;
static struct vmcs_image image02;

static void start(enum builder_kind kind)
{
	merge_world_init(&world, kind);
}

static void set12(vmcs_field field, u64 value)
{
	vmcs12_set(&world.builder.vmcs12, field, value);
}

static u64 get12(vmcs_field field)
{
	return vmcs12_get(&world.builder.vmcs12, field);
}

static void control12(enum control_word word, u32 mask, bool on)
{
	u64 value = get12(control_fields[word]);

	set12(control_fields[word], on ? value | mask : value & ~(u64)mask);
}

static u64 get02(vmcs_field field)
{
	return image_get(&image02, field);
}

static bool has02(enum control_word word, u32 mask)
{
	return (get02(control_fields[word]) & mask) == mask;
}

static void do_merge(void)
{
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++)
		image02.value[i] = UNTOUCHED;
	merge_world_update(&world);
	merge(&image02, &world.input);
}

/* --- control words ------------------------------------------------------------- */

/* A word of vmcs12 as it counts: secondary controls are 0 unless activated. */
static u32 word12(enum control_word word)
{
	if (word == WORD_PROC2 && !vmcs12_has(&world.builder.vmcs12, WORD_PROC, PROC_ACTIVATE_SECONDARY_CONTROLS))
		return 0;
	return vmcs12_control(&world.builder.vmcs12, word);
}

static bool expected_bit(const struct control_info *control)
{
	u32 mask = UINT32_C(1) << control->bit;
	bool l1 = word12((enum control_word)control->word) & mask;
	bool l0 = image_get(&world.image01, control_fields[control->word]) & mask;

	switch ((enum control_merge)control->merge) {
	case MERGE_L1: return l1;
	case MERGE_L0: return l0;
	case MERGE_OR: return l1 || l0;
	case MERGE_OFF: return false;
	case MERGE_FN: break;
	}
	if (strcmp(control->name, "PROC2_VMCS_SHADOWING") == 0)
		return world.input.shadow != NULL;
	assert_string_equal(control->name, "EXIT_SAVE_PREEMPTION_TIMER");
	return word12(WORD_PIN) & PIN_ACTIVATE_PREEMPTION_TIMER;
}

static void check_words(void)
{
	u32 named[CONTROL_WORD_COUNT] = { 0 };

	for (u32 i = 0; i < controls_count; i++) {
		u32 mask = UINT32_C(1) << controls[i].bit;

		named[controls[i].word] |= mask;
		if (has02((enum control_word)controls[i].word, mask) != expected_bit(&controls[i]))
			fail_msg("%s is %d", controls[i].name, has02((enum control_word)controls[i].word, mask));
	}
	for (u32 word = 0; word < CONTROL_WORD_COUNT; word++)
		assert_int_equal((get02(control_fields[word]) ^ image_get(&world.image01, control_fields[word])) & ~named[word], 0);
}

/* Expect: each bit as the merge column says, and bits that no row names as in vmcs01. */
static void every_control_bit_follows_its_row(void **state)
{
	(void)state;
	srandom(1);
	for (u32 round = 0; round < ROUNDS; round++) {
		start((enum builder_kind)(round % BUILD_KIND_COUNT));
		merge_world_random_controls(&world);
		do_merge();
		check_words();
	}
}

/* Expect: the same for one word alone, but for what a function computes from another word. */
static void one_word_is_merged_as_in_the_whole(void **state)
{
	(void)state;
	srandom(2);
	for (u32 round = 0; round < ROUNDS; round++) {
		start((enum builder_kind)(round % BUILD_KIND_COUNT));
		merge_world_random_controls(&world);
		do_merge();
		for (u32 word = 0; word < CONTROL_WORD_COUNT; word++) {
			u32 computed = word == WORD_EXIT ? EXIT_SAVE_PREEMPTION_TIMER : 0;
			u32 alone = merge_control(&world.builder.vmcs12, &world.image01, (enum control_word)word);

			assert_int_equal(alone & ~computed, get02(control_fields[word]) & ~(u64)computed);
			assert_int_equal(alone & computed, 0);
		}
	}
}

/* Expect: no vmcs12, not even one that VM entry would refuse, takes from L0 what it must have. */
static void what_l0_must_have_survives_every_merge(void **state)
{
	(void)state;
	srandom(3);
	for (u32 round = 0; round < ROUNDS; round++) {
		start(BUILD_LONG);
		for (u32 word = 0; word < CONTROL_WORD_COUNT; word++)
			set12(control_fields[word], (u32)random64());
		do_merge();
		for (u32 i = 0; i < controls_count; i++) {
			if (controls[i].need != NEED_MUST)
				continue;
			/* Without them L2 has less: every MSR exits; no real mode. */
			if (strcmp(controls[i].name, "PROC_USE_MSR_BITMAPS") == 0 ||
			    strcmp(controls[i].name, "PROC2_UNRESTRICTED_GUEST") == 0)
				continue;
			assert_true(has02((enum control_word)controls[i].word, UINT32_C(1) << controls[i].bit));
		}
	}
}

/* Expect: what is not offered stays 0, whatever vmcs12 and vmcs01 have there. */
static void hidden_controls_never_appear(void **state)
{
	(void)state;
	start(BUILD_LONG);
	for (u32 word = 0; word < CONTROL_WORD_COUNT; word++) {
		set12(control_fields[word], UINT32_MAX);
		image_set(&world.image01, control_fields[word], UINT32_MAX);
	}
	do_merge();
	for (u32 i = 0; i < controls_count; i++)
		if (!controls[i].offered)
			assert_false(has02((enum control_word)controls[i].word, UINT32_C(1) << controls[i].bit));
}

/* --- ports that L0 watches -------------------------------------------------------- */

#define IO_BITMAPS01 (FAKE_BLOCK_BASE + 0xb000)
#define IO_BITMAPS02 (FAKE_BLOCK_BASE + 0xd000)
#define IO_BITMAPS12 UINT64_C(0x70000)

static void watch_ports(void)
{
	static const struct merge_io io = { { IO_BITMAPS01 }, { IO_BITMAPS02 } };

	world.input.io = &io;
	image_set(&world.image01, VMCS_PROCESSOR_BASED_CONTROLS,
		  image_get(&world.image01, VMCS_PROCESSOR_BASED_CONTROLS) | PROC_USE_IO_BITMAPS);
}

static void merge_io(bool watches, bool unconditional, bool bitmaps)
{
	start(BUILD_LONG);
	if (watches)
		watch_ports();
	control12(WORD_PROC, PROC_UNCONDITIONAL_IO_EXITING, unconditional);
	control12(WORD_PROC, PROC_USE_IO_BITMAPS, bitmaps);
	set12(VMCS_IO_BITMAP_A_ADDRESS, IO_BITMAPS12);
	set12(VMCS_IO_BITMAP_B_ADDRESS, IO_BITMAPS12 + PAGE_SIZE);
	do_merge();
}

static void assert_io_bitmaps(u64 address)
{
	assert_true(has02(WORD_PROC, PROC_USE_IO_BITMAPS));
	assert_int_equal(get02(VMCS_IO_BITMAP_A_ADDRESS), address);
	assert_int_equal(get02(VMCS_IO_BITMAP_B_ADDRESS), address + PAGE_SIZE);
}

/* Expect: L1's own pages and nothing more than it asked for. */
static void without_watched_ports_io_is_l1s_affair(void **state)
{
	(void)state;
	merge_io(false, false, true);
	assert_io_bitmaps(IO_BITMAPS12);
	merge_io(false, false, false);
	assert_false(has02(WORD_PROC, PROC_USE_IO_BITMAPS));
	merge_io(false, true, false);
	assert_false(has02(WORD_PROC, PROC_USE_IO_BITMAPS));
	assert_true(has02(WORD_PROC, PROC_UNCONDITIONAL_IO_EXITING));
}

/* Expect: every way of L1's leaves L0 its exits, and L1 those that it asked for. */
static void watched_ports_always_exit(void **state)
{
	(void)state;
	merge_io(true, false, false);
	assert_io_bitmaps(IO_BITMAPS01);
	merge_io(true, false, true);
	assert_io_bitmaps(IO_BITMAPS02);
	/* Bitmaps make the unconditional control meaningless. */
	merge_io(true, true, true);
	assert_io_bitmaps(IO_BITMAPS02);
	merge_io(true, true, false);
	assert_false(has02(WORD_PROC, PROC_USE_IO_BITMAPS));
	assert_true(has02(WORD_PROC, PROC_UNCONDITIONAL_IO_EXITING));
}

/* Expect: told exactly when merging again would leave the wrong bitmaps, or those of a vmcs12 merged before. */
static void a_change_of_bitmaps_is_noticed(void **state)
{
	struct vmcs_image other = { .value = { 0 } };

	(void)state;
	for (u32 from = 0; from < 4; from++) {
		for (u32 to = 0; to < 4; to++) {
			merge_io(true, from & 1, from & 2);
			control12(WORD_PROC, PROC_UNCONDITIONAL_IO_EXITING, to & 1);
			control12(WORD_PROC, PROC_USE_IO_BITMAPS, to & 2);
			assert_int_equal(merge_io_is_stale(&image02, &world.input), (from & 2) != (to & 2));
			assert_true(merge_io_is_stale(&other, &world.input));
		}
	}
	merge_io(false, false, true);
	control12(WORD_PROC, PROC_USE_IO_BITMAPS, false);
	assert_false(merge_io_is_stale(&image02, &world.input));
}

/* --- rows ------------------------------------------------------------------------ */

static bool is_in(vmcs_field field, const vmcs_field *list, u32 count)
{
	for (u32 i = 0; i < count; i++)
		if (list[i].index == field.index)
			return true;
	return false;
}

/* Rows of their class that merge.c computes all the same. */
static const vmcs_field computed[] = {
	VMCS_FIELD(GUEST_IA32_EFER), VMCS_FIELD(GUEST_IA32_PAT), VMCS_FIELD(GUEST_DR7), VMCS_FIELD(GUEST_IA32_DEBUGCTL),
	VMCS_FIELD(VMCS_LINK_POINTER), VMCS_FIELD(ENTRY_MSR_LOAD_ADDRESS), VMCS_FIELD(ENTRY_MSR_LOAD_COUNT),
	VMCS_FIELD(EXIT_MSR_STORE_COUNT), VMCS_FIELD(EXIT_MSR_LOAD_COUNT),
};

static void rows_come_from_where_their_class_says(void **state)
{
	(void)state;
	start(BUILD_LONG);
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++) {
		if (vmcs_fields[i].class == CLASS_MERGE)
			continue;
		world.builder.vmcs12.fields.value[i] = 0x1200000 + i;
		world.image01.value[i] = 0x100000 + i;
	}
	do_merge();
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++) {
		const struct vmcs_field_info *info = &vmcs_fields[i];

		if (info->class == CLASS_MERGE || is_in(info->field, computed, array_size(computed)))
			continue;
		if (info->class == CLASS_GUEST || info->class == CLASS_PASS)
			assert_int_equal(image02.value[i], 0x1200000 + i);
		else if (info->class == CLASS_HOST || info->class == CLASS_L0)
			assert_int_equal(image02.value[i], 0x100000 + i);
		else
			assert_true(image02.value[i] == UNTOUCHED);
	}
}

static void every_row_that_vmcs02_has_is_filled(void **state)
{
	(void)state;
	start(BUILD_LONG);
	do_merge();
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++)
		if (vmcs_fields[i].class != CLASS_INFO && vmcs_fields[i].class != CLASS_ABSENT)
			assert_true(image02.value[i] != UNTOUCHED);
}

/* Expect: L2's clock is L1's with vmcs12's offset and multiplier, for L0 has none of its own. */
static void the_clock_is_l1s_business(void **state)
{
	(void)state;
	start(BUILD_LONG);
	control12(WORD_PROC, PROC_USE_TSC_OFFSETTING, true);
	control12(WORD_PROC2, PROC2_USE_TSC_SCALING, true);
	set12(VMCS_TSC_OFFSET, UINT64_C(0xfffffffff0000000));
	set12(VMCS_TSC_MULTIPLIER, BIT(47));
	do_merge();
	assert_true(has02(WORD_PROC, PROC_USE_TSC_OFFSETTING) && has02(WORD_PROC2, PROC2_USE_TSC_SCALING));
	assert_true(get02(VMCS_TSC_OFFSET) == UINT64_C(0xfffffffff0000000) && get02(VMCS_TSC_MULTIPLIER) == BIT(47));
	assert_int_equal(image_get(&world.image01, VMCS_TSC_OFFSET), 0);
	assert_false(image_get(&world.image01, VMCS_PROCESSOR_BASED_CONTROLS) & PROC_USE_TSC_OFFSETTING);
}

static void l1_never_reaches_the_link_pointer(void **state)
{
	(void)state;
	start(BUILD_LONG);
	set12(VMCS_VMCS_LINK_POINTER, BUILDER_REGION);
	image_set(&world.image01, VMCS_VMCS_LINK_POINTER, BUILDER_SHADOW);
	do_merge();
	assert_true(get02(VMCS_VMCS_LINK_POINTER) == ~UINT64_C(0));
}

static void an_event_to_inject_is_copied(void **state)
{
	(void)state;
	start(BUILD_LONG);
	set12(VMCS_ENTRY_INTERRUPTION_INFORMATION, 0x80000b0e);
	set12(VMCS_ENTRY_EXCEPTION_ERROR_CODE, 0x15);
	do_merge();
	assert_int_equal(get02(VMCS_ENTRY_INTERRUPTION_INFORMATION), 0x80000b0e);
	assert_int_equal(get02(VMCS_ENTRY_EXCEPTION_ERROR_CODE), 0x15);
}

/* Expect: hardware runs the entry list from L0's copy, and no exit list at all. */
static void msr_lists_are_l0s(void **state)
{
	(void)state;
	start(BUILD_LONG);
	set12(VMCS_ENTRY_MSR_LOAD_COUNT, 3);
	set12(VMCS_ENTRY_MSR_LOAD_ADDRESS, 0x70000);
	set12(VMCS_EXIT_MSR_LOAD_COUNT, 4);
	set12(VMCS_EXIT_MSR_LOAD_ADDRESS, 0x71000);
	set12(VMCS_EXIT_MSR_STORE_COUNT, 5);
	set12(VMCS_EXIT_MSR_STORE_ADDRESS, 0x72000);
	image_set(&world.image01, VMCS_ENTRY_MSR_LOAD_COUNT, 6);
	image_set(&world.image01, VMCS_EXIT_MSR_LOAD_COUNT, 7);
	do_merge();
	assert_int_equal(get02(VMCS_ENTRY_MSR_LOAD_COUNT), 3);
	assert_int_equal(get02(VMCS_ENTRY_MSR_LOAD_ADDRESS), WORLD_ENTRY_LOAD);
	assert_int_equal(get02(VMCS_EXIT_MSR_LOAD_COUNT), 0);
	assert_int_equal(get02(VMCS_EXIT_MSR_STORE_COUNT), 0);
	assert_true(get02(VMCS_EXIT_MSR_LOAD_ADDRESS) == 0 && get02(VMCS_EXIT_MSR_STORE_ADDRESS) == 0);
}

/* --- state that vmcs12 does not load ------------------------------------------------ */

static u64 efer_of(u64 efer1, bool ia32e, bool paging)
{
	start(BUILD_LONG);
	control12(WORD_ENTRY, ENTRY_LOAD_IA32_EFER, false);
	control12(WORD_ENTRY, ENTRY_IA32E_MODE_GUEST, ia32e);
	set12(VMCS_GUEST_CR0, paging ? CR0_PG | CR0_PE | CR0_NE : CR0_NE);
	set12(VMCS_GUEST_IA32_EFER, ~UINT64_C(0));
	world.input.l1.efer = efer1;
	do_merge();
	return get02(VMCS_GUEST_IA32_EFER);
}

/* SDM "Loading Guest Control Registers, Debug Registers, and MSRs": LMA as the control, LME too while paging is on. */
static void efer_that_is_not_loaded_is_l1s_in_l2s_mode(void **state)
{
	const u64 other = EFER_SCE | EFER_NXE;

	(void)state;
	assert_int_equal(efer_of(other | EFER_LMA | EFER_LME, true, true), other | EFER_LMA | EFER_LME);
	assert_int_equal(efer_of(other, true, true), other | EFER_LMA | EFER_LME);
	assert_int_equal(efer_of(other | EFER_LMA | EFER_LME, false, true), other);
	assert_int_equal(efer_of(other | EFER_LMA | EFER_LME, false, false), other | EFER_LME);
	assert_int_equal(efer_of(other, false, false), other);
}

static void efer_that_is_loaded_is_vmcs12s(void **state)
{
	(void)state;
	start(BUILD_LONG);
	control12(WORD_ENTRY, ENTRY_LOAD_IA32_EFER, true);
	set12(VMCS_GUEST_IA32_EFER, EFER_LMA | EFER_LME | EFER_NXE);
	do_merge();
	assert_int_equal(get02(VMCS_GUEST_IA32_EFER), EFER_LMA | EFER_LME | EFER_NXE);
	assert_true(has02(WORD_ENTRY, ENTRY_LOAD_IA32_EFER));
}

static void pat_is_vmcs12s_only_when_loaded(void **state)
{
	(void)state;
	start(BUILD_LONG);
	set12(VMCS_GUEST_IA32_PAT, 0x0606060606060606);
	control12(WORD_ENTRY, ENTRY_LOAD_IA32_PAT, false);
	do_merge();
	assert_true(get02(VMCS_GUEST_IA32_PAT) == WORLD_L1_PAT);
	control12(WORD_ENTRY, ENTRY_LOAD_IA32_PAT, true);
	do_merge();
	assert_true(get02(VMCS_GUEST_IA32_PAT) == 0x0606060606060606);
}

static void debug_state_is_vmcs12s_only_when_loaded(void **state)
{
	(void)state;
	start(BUILD_LONG);
	set12(VMCS_GUEST_DR7, 0x403);
	set12(VMCS_GUEST_IA32_DEBUGCTL, 1);
	control12(WORD_ENTRY, ENTRY_LOAD_DEBUG_CONTROLS, false);
	do_merge();
	assert_true(get02(VMCS_GUEST_DR7) == WORLD_L1_DR7 && get02(VMCS_GUEST_IA32_DEBUGCTL) == WORLD_L1_DEBUGCTL);
	control12(WORD_ENTRY, ENTRY_LOAD_DEBUG_CONTROLS, true);
	do_merge();
	assert_true(get02(VMCS_GUEST_DR7) == 0x403 && get02(VMCS_GUEST_IA32_DEBUGCTL) == 1);
}

/* Expect: with EPT on in vmcs02, PDPTEs from memory take the place of vmcs12's fields. */
static void pdptes_of_a_guest_without_ept_come_from_memory(void **state)
{
	static const u64 pdpte[4] = { 0x1001, 0x2001, 0x3001, 0x4001 };

	(void)state;
	start(BUILD_PAE);
	set12(VMCS_GUEST_PDPTE2, 0x9001);
	do_merge();
	assert_int_equal(get02(VMCS_GUEST_PDPTE2), 0x9001);
	world.input.pdpte = pdpte;
	do_merge();
	for (u32 i = 0; i < 4; i++)
		assert_true(image02.value[VMCS_INDEX_GUEST_PDPTE0 + i] == pdpte[i]);
}

/* --- addresses ------------------------------------------------------------------------ */

static const vmcs_field addresses[] = {
	VMCS_FIELD(IO_BITMAP_A_ADDRESS), VMCS_FIELD(IO_BITMAP_B_ADDRESS), VMCS_FIELD(VIRTUAL_APIC_ADDRESS),
	VMCS_FIELD(APIC_ACCESS_ADDRESS), VMCS_FIELD(POSTED_INTERRUPT_DESCRIPTOR_ADDRESS),
};

static void each_address_goes_through_the_one_function(void **state)
{
	(void)state;
	for (u32 i = 0; i < array_size(addresses); i++) {
		start(BUILD_LONG);
		world.builder.memory.scratch = hpa(0x123000);
		set12(addresses[i], 0x234000);
		do_merge();
		assert_int_equal(get02(addresses[i]), 0x234000);
		set12(addresses[i], FAKE_BLOCK_BASE + 0x3040);
		do_merge();
		assert_int_equal(get02(addresses[i]), 0x123040);
	}
}

/* Expect: with every field of vmcs12 naming L0's block, control fields of vmcs02 name only what L0 put there. */
static void no_control_field_leads_into_the_block(void **state)
{
	const u64 own[] = { WORLD_MSR_BITMAP02, WORLD_ENTRY_LOAD, WORLD_EPTP02 };

	(void)state;
	start(BUILD_LONG);
	world.builder.memory.scratch = hpa(0x123000);
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++)
		if (vmcs_encoding_width(vmcs_fields[i].field.encoding) == WIDTH_64)
			world.builder.vmcs12.fields.value[i] = FAKE_BLOCK_BASE + 0xb000;
	do_merge();
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++) {
		const struct vmcs_field_info *info = &vmcs_fields[i];
		bool is_number = info->class == CLASS_PASS; /* TSC, EOI and XSS bitmaps: no address */

		if (vmcs_encoding_type(info->field.encoding) != TYPE_CONTROL || image02.value[i] == UNTOUCHED || is_number)
			continue;
		if (image02.value[i] - FAKE_BLOCK_BASE < FAKE_BLOCK_SIZE)
			assert_true(image02.value[i] == own[0] || image02.value[i] == own[1] || image02.value[i] == own[2]);
	}
	assert_int_equal(get02(VMCS_MSR_BITMAP_ADDRESS), WORLD_MSR_BITMAP02);
	assert_int_equal(get02(VMCS_EPT_POINTER), WORLD_EPTP02);
}

/* Expect: a 64-bit control field that is copied as it is holds no address. */
static void fields_passed_on_unchanged_hold_no_address(void **state)
{
	static const vmcs_field numbers[] = {
		VMCS_FIELD(TSC_OFFSET), VMCS_FIELD(TSC_MULTIPLIER), VMCS_FIELD(EOI_EXIT_BITMAP_0), VMCS_FIELD(EOI_EXIT_BITMAP_1),
		VMCS_FIELD(EOI_EXIT_BITMAP_2), VMCS_FIELD(EOI_EXIT_BITMAP_3), VMCS_FIELD(XSS_EXITING_BITMAP),
		VMCS_FIELD(ENCLS_EXITING_BITMAP), VMCS_FIELD(ENCLV_EXITING_BITMAP),
	};

	(void)state;
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++)
		if (vmcs_fields[i].class == CLASS_PASS && vmcs_encoding_width(vmcs_fields[i].field.encoding) == WIDTH_64)
			assert_true(is_in(vmcs_fields[i].field, numbers, array_size(numbers)));
}

/* --- VPID ---------------------------------------------------------------------------- */

/* Expect: a tag for each VPID of L1's but for the pair 1 and ffffH, never 0 and never L1's own. */
static void vpids_do_not_collide(void **state)
{
	static u16 owner[0x10000];
	u32 shared = 0;

	(void)state;
	memset(owner, 0, sizeof(owner));
	for (u32 vpid12 = 1; vpid12 <= 0xffff; vpid12++) {
		u16 vpid02 = merge_vpid02((u16)vpid12);

		assert_true(vpid02 != 0 && vpid02 != VPID01);
		if (owner[vpid02] != 0) {
			shared++;
			assert_true(owner[vpid02] == 1 && vpid12 == 0xffff);
		}
		owner[vpid02] = (u16)vpid12;
	}
	assert_int_equal(shared, 1);
}

static void without_vpid12_there_is_no_tag(void **state)
{
	(void)state;
	start(BUILD_LONG_NO_EPT);
	set12(VMCS_VPID, 7);
	do_merge();
	assert_int_equal(get02(VMCS_VPID), 0);
	assert_false(has02(WORD_PROC2, PROC2_ENABLE_VPID));
	start(BUILD_LONG);
	set12(VMCS_VPID, 7);
	do_merge();
	assert_int_equal(get02(VMCS_VPID), 8);
	assert_true(has02(WORD_PROC2, PROC2_ENABLE_VPID));
}

/* --- again ------------------------------------------------------------------------------ */

/* What can change between two merges without L0 being told by an exit. */
static void change_unseen(void)
{
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++) {
		u64 mask = vmcs_width_mask(vmcs_fields[i].field.encoding);

		if (vmcs_fields[i].shadow == SHADOW_RW && random() % 3 == 0)
			world.builder.vmcs12.fields.value[i] = random64() & mask;
	}
	for (u32 i = 0; i < sync_hot_count; i++)
		if (random() % 3 == 0)
			set12(sync_hot_fields[i], random64() & vmcs_width_mask(sync_hot_fields[i].encoding));
	control12(WORD_ENTRY, ENTRY_IA32E_MODE_GUEST, random() % 2 != 0);
	world.input.l1 = (struct merge_l1_state){ random64(), random64(), random64(), random64() };
	world.input.eptp02 = random64();
}

/* Expect: after changes that need no exit, the short merge gives what the whole one would, and says which rows those are. */
static void merging_again_is_merging_anew(void **state)
{
	struct vmcs_image again;

	(void)state;
	srandom(4);
	for (u32 round = 0; round < ROUNDS; round++) {
		start((enum builder_kind)(round % BUILD_KIND_COUNT));
		merge_world_random_controls(&world);
		if (round & 1)
			watch_ports();
		do_merge();
		again = image02;
		change_unseen();
		if (merge_io_is_stale(&again, &world.input))
			continue;
		do_merge();
		for (u32 i = 0; i < VMCS_FIELD_COUNT; i++)
			if (image02.value[i] != again.value[i] && !merge_is_hot(&vmcs_fields[i]))
				fail_msg("%s changes, but is not written again", vmcs_fields[i].name);
		merge_again(&again, &world.input);
		for (u32 i = 0; i < VMCS_FIELD_COUNT; i++)
			if (image02.value[i] != again.value[i])
				fail_msg("%s is %lx, not %lx", vmcs_fields[i].name, again.value[i], image02.value[i]);
	}
}

/* Expect: state that stays in vmcs02 is not written over, and what needs an exit to change is not looked at. */
static void what_is_merged_again_is_only_what_must_be(void **state)
{
	(void)state;
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++) {
		const struct vmcs_field_info *info = &vmcs_fields[i];

		if (!merge_is_hot(info))
			continue;
		if (sync_is_rare(info) || info->class == CLASS_HOST || info->class == CLASS_INFO || info->class == CLASS_ABSENT)
			fail_msg("%s", info->name);
		if (info->class == CLASS_PASS)
			assert_int_equal(info->shadow, SHADOW_RW);
	}
	assert_false(merge_is_hot(&vmcs_fields[VMCS_INDEX_IO_BITMAP_A_ADDRESS]));
	assert_false(merge_is_hot(&vmcs_fields[VMCS_INDEX_EXIT_MSR_STORE_ADDRESS]));
	assert_false(merge_is_hot(&vmcs_fields[VMCS_INDEX_GUEST_SMBASE]));
}

/* --- the whole -------------------------------------------------------------------------- */

/* Expect: what passes the checks as vmcs12 passes them as vmcs02, on hardware's terms. */
static void a_valid_vmcs12_gives_a_valid_vmcs02(void **state)
{
	static struct vmcs12 vmcs02;
	struct entry_context context;
	struct entry_failure failure = { .rule = "" };

	(void)state;
	for (u32 kind = 0; kind < BUILD_KIND_COUNT; kind++) {
		start((enum builder_kind)kind);
		do_merge();
		merge_world_as_vmcs(&world, &image02, &vmcs02, &context);
		if (!check_controls(&context, &failure) || !check_host(&context, &failure) || !check_guest(&context, &failure))
			fail_msg("kind %u: %s", kind, failure.rule);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_control_bit_follows_its_row),
		cmocka_unit_test(one_word_is_merged_as_in_the_whole),
		cmocka_unit_test(what_l0_must_have_survives_every_merge),
		cmocka_unit_test(hidden_controls_never_appear),
		cmocka_unit_test(without_watched_ports_io_is_l1s_affair),
		cmocka_unit_test(watched_ports_always_exit),
		cmocka_unit_test(a_change_of_bitmaps_is_noticed),
		cmocka_unit_test(rows_come_from_where_their_class_says),
		cmocka_unit_test(every_row_that_vmcs02_has_is_filled),
		cmocka_unit_test(the_clock_is_l1s_business),
		cmocka_unit_test(l1_never_reaches_the_link_pointer),
		cmocka_unit_test(an_event_to_inject_is_copied),
		cmocka_unit_test(msr_lists_are_l0s),
		cmocka_unit_test(efer_that_is_not_loaded_is_l1s_in_l2s_mode),
		cmocka_unit_test(efer_that_is_loaded_is_vmcs12s),
		cmocka_unit_test(pat_is_vmcs12s_only_when_loaded),
		cmocka_unit_test(debug_state_is_vmcs12s_only_when_loaded),
		cmocka_unit_test(pdptes_of_a_guest_without_ept_come_from_memory),
		cmocka_unit_test(each_address_goes_through_the_one_function),
		cmocka_unit_test(no_control_field_leads_into_the_block),
		cmocka_unit_test(fields_passed_on_unchanged_hold_no_address),
		cmocka_unit_test(vpids_do_not_collide),
		cmocka_unit_test(without_vpid12_there_is_no_tag),
		cmocka_unit_test(merging_again_is_merging_anew),
		cmocka_unit_test(what_is_merged_again_is_only_what_must_be),
		cmocka_unit_test(a_valid_vmcs12_gives_a_valid_vmcs02),
	};

	return cmocka_run_group_tests_name("merge", tests, NULL, NULL);
}
