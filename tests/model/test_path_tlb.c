/* SPDX-License-Identifier: MIT */
/*
 * What L1 and L2 may see of old translations, on a processor that forgets none by itself:
 * each case first shows that something is cached, then what makes it vanish, or stay. SDM
 * "Caching Translation Information". Every access is judged besides, by tests/model/guest.c.
 */
#include "tests/model/scene.h"

#include "arch/vmx_ops.h"
#include "tests/model/guest.h"

#define EPT12 UINT64_C(0x40000)
#define VPID12 5		/* no tag is shared with it */
#define OLD UINT64_C(0x200000)
#define NEW UINT64_C(0x300000)
#define EPTP_OF(table) ((table) | 0x1e)	/* write-back, 4 levels */

/* EPT12 at `table` and the three pages behind it: L2's pages at OLD and NEW, each to itself, in 4 KB pages. */
static void make_ept12(u64 table)
{
	u64 *pml4 = l1_pointer(table), *pdpt = l1_pointer(table + 0x1000), *pd = l1_pointer(table + 0x2000);
	u64 *pt = l1_pointer(table + 0x3000);

	pml4[0] = (table + 0x1000) | 7;
	pdpt[0] = (table + 0x2000) | 7;
	pd[1] = (table + 0x3000) | 7;
	for (u64 i = 0; i < 512; i++)
		pt[i] = (OLD + i * PAGE_SIZE) | 0x37;
}

static u64 *leaf(u64 table)
{
	return l1_pointer(table + 0x3000);
}

static void begin(u32 clear)
{
	scene_begin(BUILD_LONG);
	scene_control(WORD_PROC2, 0, clear);
	scene_set(VMCS_EPT_POINTER, EPTP_OF(EPT12));
	scene_set(VMCS_VPID, VPID12);
	scene_play();
	make_ept12(EPT12);
	guest_accesses_begin();
}

static void enter(void)
{
	scene_enter();
	guest_note_switch(model.vcpu.nested->current->vmcs12);
}

static void leave(void)
{
	scene_exit_to_l1(EXIT_CPUID, 0);
	guest_note_switch(model.vcpu.nested->current->vmcs12);
}

/* Expect: the access is done, and this is the page. */
static void access_gives(u64 page)
{
	assert_true(guest_access(0, 1));
	assert_int_equal(guest_accessed, page);
}

static void invalidate_ept(u64 type, u64 eptp)
{
	assert_int_equal(l1_invept(type, eptp, 0).outcome, L1_OK);
	guest_note_invept(type, eptp);
}

static void invalidate_vpid(u64 type, u16 vpid)
{
	assert_int_equal(l1_invvpid(type, vpid, guest_linear(0)).outcome, L1_OK);
	guest_note_invvpid(type, vpid, 0);
}

/* Expect: an edit of EPT12 is seen after INVEPT, of this EPTP or of all, and not before. */
static void invept_shows_what_ept12_says(void **state)
{
	(void)state;
	for (u64 type = INVEPT_SINGLE; type <= INVEPT_ALL; type++) {
		begin(0);
		enter();
		access_gives(OLD);
		leave();
		leaf(EPT12)[0] = NEW | 0x37;
		enter();
		access_gives(OLD);
		leave();
		invalidate_ept(type, EPTP_OF(EPT12));
		enter();
		access_gives(NEW);
		leave();
	}
}

static void invept_of_another_eptp_changes_nothing(void **state)
{
	(void)state;
	begin(0);
	enter();
	access_gives(OLD);
	leave();
	leaf(EPT12)[0] = NEW | 0x37;
	invalidate_ept(INVEPT_SINGLE, EPTP_OF(EPT12 + 0x10000));
	enter();
	access_gives(OLD);
	leave();
}

/* Expect: L2's own page tables are edited; INVVPID by L1 makes L2 see it. */
static void invvpid_drops_linear_mappings(void **state)
{
	static const u64 types[] = { INVVPID_ADDRESS, INVVPID_SINGLE, INVVPID_ALL, INVVPID_SINGLE_RETAINING_GLOBALS };

	(void)state;
	for (u32 i = 0; i < array_size(types); i++) {
		begin(0);
		enter();
		access_gives(OLD);
		guest_edit(0, NEW);
		access_gives(OLD);
		leave();
		invalidate_vpid(types[i], VPID12);
		enter();
		access_gives(NEW);
		leave();
	}
}

static void invvpid_of_another_vpid_changes_nothing(void **state)
{
	(void)state;
	begin(0);
	enter();
	access_gives(OLD);
	guest_edit(0, NEW);
	leave();
	invalidate_vpid(INVVPID_SINGLE, 7);
	enter();
	access_gives(OLD);
	leave();
}

/* 1 and 65535 share a tag on the processor; L1 must not notice, in whatever order it uses them. */
static void vpids_that_share_a_tag_are_two(void **state)
{
	static const u16 vpids[] = { 1, 0xffff, 1, 0xfffe, 0xffff };
	u64 page = OLD;

	(void)state;
	begin(0);
	for (u32 i = 0; i < array_size(vpids); i++, page += PAGE_SIZE) {
		assert_int_equal(l1_vmwrite(VMCS_VPID.encoding, vpids[i]).outcome, L1_OK);
		enter();
		guest_edit(0, page);
		(void)guest_access(0, 1);	/* judged: 1 may find what 1 had, never what 65535 had */
		leave();
	}
}

/* Expect: as long as the other is not used, each keeps what it has. */
static void a_shared_tag_is_kept_by_who_is_alone(void **state)
{
	static const u16 vpids[] = { 1, 0xffff };

	(void)state;
	for (u32 i = 0; i < array_size(vpids); i++) {
		begin(0);
		assert_int_equal(l1_vmwrite(VMCS_VPID.encoding, vpids[i]).outcome, L1_OK);
		enter();
		access_gives(OLD);
		guest_edit(0, NEW);
		leave();
		assert_int_equal(l1_vmwrite(VMCS_VPID.encoding, 7).outcome, L1_OK);
		enter();
		access_gives(NEW);
		leave();
		assert_int_equal(l1_vmwrite(VMCS_VPID.encoding, vpids[i]).outcome, L1_OK);
		enter();
		access_gives(OLD);
		leave();
	}
}

/* Expect: without VPIDs each entry and exit forgets, for L2 and for L1. */
static void without_vpid_nothing_stays(void **state)
{
	(void)state;
	begin(PROC2_ENABLE_VPID);
	enter();
	leave();	/* a new EPT02 has been flushed by now */
	access_gives(OLD);
	enter();
	access_gives(OLD);
	guest_edit(0, NEW);
	leave();
	guest_edit(0, NEW);
	access_gives(NEW);
	enter();
	access_gives(NEW);
	leave();
}

/* With one, L1's own stay over L2's runs. */
static void with_a_vpid_l1s_own_stay(void **state)
{
	(void)state;
	begin(0);
	enter();
	leave();	/* a new EPT02 has been flushed by now */
	access_gives(OLD);
	guest_edit(0, NEW);
	enter();
	leave();
	access_gives(OLD);
}

/* EPTP12 changes by VMWRITE: each has its own mappings, and both are there afterwards. */
static void eptps_do_not_mix(void **state)
{
	(void)state;
	begin(0);
	make_ept12(EPT12 + 0x10000);
	leaf(EPT12 + 0x10000)[0] = NEW | 0x37;
	for (u32 i = 0; i < 4; i++) {
		assert_int_equal(l1_vmwrite(VMCS_EPT_POINTER.encoding, EPTP_OF(EPT12 + (i & 1) * 0x10000)).outcome, L1_OK);
		enter();
		access_gives(i & 1 ? NEW : OLD);
		leave();
	}
}

/* More EPTP12 values than EPT02 has roots: a root that becomes another's is flushed. */
static void recycled_roots_are_flushed(void **state)
{
	(void)state;
	begin(0);
	for (u32 round = 0; round < 2; round++) {
		for (u64 i = 0; i <= EPT02_ROOTS; i++) {
			u64 table = EPT12 + i * 0x10000;

			make_ept12(table);
			leaf(table)[0] = (OLD + (1 + i) * PAGE_SIZE) | 0x37;
			assert_int_equal(l1_vmwrite(VMCS_EPT_POINTER.encoding, EPTP_OF(table)).outcome, L1_OK);
			enter();
			access_gives(OLD + (1 + i) * PAGE_SIZE);
			leave();
		}
	}
	assert_true(model.vcpu.nested->ept02.recycled > 0);
}

/* A vmcs12 that is cleared and loaded again gets another slot and vmcs02; what its VPID has cached stays its own. */
static void a_vmcs_that_moves_keeps_its_tags(void **state)
{
	(void)state;
	begin(0);
	enter();
	access_gives(OLD);
	guest_edit(0, NEW);
	leave();
	assert_int_equal(l1_vmclear(L1_REGION(0)).outcome, L1_OK);
	for (u32 n = 1; n <= NESTED_SLOTS; n++) {
		l1_make_region(L1_REGION(n));
		assert_int_equal(l1_vmptrld(L1_REGION(n)).outcome, L1_OK);
	}
	assert_int_equal(l1_vmptrld(L1_REGION(0)).outcome, L1_OK);
	enter();
	access_gives(OLD);
	leave();
	invalidate_vpid(INVVPID_SINGLE, VPID12);
	enter();
	access_gives(NEW);
	leave();
}

/* A page that L1 gives more rights needs no INVEPT after the violation: SDM "Operations that Invalidate Cached Mappings". */
static void a_violation_forgets_its_page(void **state)
{
	(void)state;
	begin(0);
	leaf(EPT12)[0] = 0;
	enter();
	assert_false(guest_access(0, 1));
	guest_note_switch(model.vcpu.nested->current->vmcs12);
	assert_int_equal(l1_get(VMCS_EXIT_REASON), EXIT_EPT_VIOLATION);
	leaf(EPT12)[0] = NEW | 0x37;
	enter();
	access_gives(NEW);
	leave();
}

/* EPT01 gets other memory types: what the processor has cached of it goes, for L1 and for an L2 without EPT12. */
static void a_change_of_ept01_is_flushed(void **state)
{
	(void)state;
	begin(PROC2_ENABLE_EPT);
	access_gives(OLD);
	model.vcpu.regs.gpr[REG_RCX] = IA32_MTRR_DEF_TYPE;
	model.vcpu.regs.gpr[REG_RAX] = 0x800;	/* enabled, everything uncacheable */
	model.vcpu.regs.gpr[REG_RDX] = 0;
	assert_true(model_exit_for(EXIT_WRMSR, 0));
	assert_null(tlb_find(&processor.tlb, 1, model.machine->eptp01 & ~PAGE_MASK, guest_linear(0), NULL));
	enter();
	access_gives(OLD);
	leave();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(invept_shows_what_ept12_says),
		cmocka_unit_test(invept_of_another_eptp_changes_nothing),
		cmocka_unit_test(invvpid_drops_linear_mappings),
		cmocka_unit_test(invvpid_of_another_vpid_changes_nothing),
		cmocka_unit_test(vpids_that_share_a_tag_are_two),
		cmocka_unit_test(a_shared_tag_is_kept_by_who_is_alone),
		cmocka_unit_test(without_vpid_nothing_stays),
		cmocka_unit_test(with_a_vpid_l1s_own_stay),
		cmocka_unit_test(eptps_do_not_mix),
		cmocka_unit_test(recycled_roots_are_flushed),
		cmocka_unit_test(a_vmcs_that_moves_keeps_its_tags),
		cmocka_unit_test(a_violation_forgets_its_page),
		cmocka_unit_test(a_change_of_ept01_is_flushed),
	};

	return SCENE_RUN_BOTH("path_tlb", tests);
}
