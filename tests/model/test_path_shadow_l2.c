/* SPDX-License-Identifier: MIT */
/*
 * VMCS shadowing of L1's for L2 on the model: where values are, and when they move. SDM
 * "VMCS Types: Ordinary and Shadow", "VMREAD", "VMWRITE".
 */
#include "tests/model/scene.h"

#include <string.h>

#include "arch/vmx_ops.h"

#define READ_BITMAP UINT64_C(0xa0000)
#define WRITE_BITMAP UINT64_C(0xa1000)
#define SHADOW L1_REGION(9)
#define UNSUPPORTED 0x203e
#define REGISTER_OPERAND (UINT32_C(1) << 10 | (u32)REG_RCX << 3 | (u32)REG_RBX << 28)

static void make_shadow(u64 address)
{
	l1_make_region(address);
	*(u32 *)l1_pointer(address) |= VMCS12_SHADOW_INDICATOR;
}

/* L1's bitmaps open everything; vmcs12 is in region 0 and current. */
static void begin(void)
{
	scene_begin(BUILD_LONG);
	scene_control(WORD_PROC2, PROC2_VMCS_SHADOWING, 0);
	scene_set(VMCS_VMREAD_BITMAP_ADDRESS, READ_BITMAP);
	scene_set(VMCS_VMWRITE_BITMAP_ADDRESS, WRITE_BITMAP);
	scene_set(VMCS_VMCS_LINK_POINTER, SHADOW);
	scene_play();
	make_shadow(SHADOW);
}

static void close_field(u64 bitmap, u32 encoding)
{
	((u8 *)l1_pointer(bitmap))[encoding / 8] |= (u8)(1u << encoding % 8);
}

/* --- L2 ----------------------------------------------------------------------------- */

enum l2_outcome { L2_DONE, L2_FAIL_INVALID, L2_FAIL_VALID, L2_FAULT, L2_EXITED };

static bool is_open(vmcs_field bitmap, u64 encoding)
{
	const u8 *bits = phys_to_ptr(hpa(*processor_field(bitmap)));

	return encoding < 0x8000 && !(bits[encoding / 8] >> encoding % 8 & 1);
}

static enum l2_outcome by_hardware(u64 encoding, u64 *value, bool write)
{
	u64 link = *processor_field(VMCS_VMCS_LINK_POINTER);
	struct model_region *vmcs02 = processor.current;
	bool failed;

	if (link == NO_ADDRESS)
		return L2_FAIL_INVALID;
	processor.current = processor_region(link);
	assert_non_null(processor.current);
	assert_true(processor.current->shadow);
	failed = write ? vmwrite_failed(encoding, *value) : vmread_failed(encoding, value);
	processor.current = vmcs02;
	assert_false(failed); /* L0 opens nothing else */
	return L2_DONE;
}

static enum l2_outcome access_in_l2(u64 encoding, u64 *value, bool write)
{
	const struct model_exit exit = {
		.reason = write ? EXIT_VMWRITE : EXIT_VMREAD,
		.length = 3,
		.instruction_information = REGISTER_OPERAND,
	};
	u64 flags;

	assert_true(model_in_l2());
	if (is_open(write ? VMCS_VMWRITE_BITMAP_ADDRESS : VMCS_VMREAD_BITMAP_ADDRESS, encoding))
		return by_hardware(encoding, value, write);
	model.vcpu.regs.gpr[REG_RBX] = encoding;
	assert_true(model_exit(&exit));
	if (!model_in_l2())
		return L2_EXITED;
	if (processor.injected & INTERRUPTION_VALID)
		return L2_FAULT;
	flags = scene_running(VMCS_GUEST_RFLAGS) & (RFLAGS_CF | RFLAGS_ZF);
	assert_int_not_equal(flags, 0);
	return flags == RFLAGS_CF ? L2_FAIL_INVALID : L2_FAIL_VALID;
}

static u64 l2_get(vmcs_field field)
{
	u64 value;

	assert_int_equal(access_in_l2(field.encoding, &value, false), L2_DONE);
	return value;
}

static void l2_set(vmcs_field field, u64 value)
{
	assert_int_equal(access_in_l2(field.encoding, &value, true), L2_DONE);
}

/* --- values --------------------------------------------------------------------------- */

/* One that L1's VMWRITE reaches without an exit, one that it does not, exit information, a host field. */
static const vmcs_field kinds[] = {
	VMCS_FIELD(GUEST_RIP), VMCS_FIELD(GUEST_LDTR_BASE), VMCS_FIELD(EXIT_QUALIFICATION), VMCS_FIELD(HOST_RSP), VMCS_FIELD(TSC_OFFSET),
};

static void l1_sets(u64 first)
{
	assert_int_equal(l1_vmptrld(SHADOW).outcome, L1_OK);
	for (u32 i = 0; i < array_size(kinds); i++)
		assert_int_equal(l1_vmwrite(kinds[i].encoding, first + i).outcome, L1_OK);
}

static void l1_expects(u64 first)
{
	assert_int_equal(l1_vmptrld(SHADOW).outcome, L1_OK);
	for (u32 i = 0; i < array_size(kinds); i++)
		assert_int_equal(l1_get(kinds[i]), first + i);
}

static void l2_expects_and_sets(u64 first, u64 next)
{
	for (u32 i = 0; i < array_size(kinds); i++) {
		assert_int_equal(l2_get(kinds[i]), first + i);
		l2_set(kinds[i], next + i);
	}
}

static void enter(void)
{
	assert_int_equal(l1_vmptrld(L1_REGION(0)).outcome, L1_OK);
	scene_enter();
}

/* Expect: each side finds what the other has written, with VMCLEARs in between and without. */
static void values_go_back_and_forth(void **state)
{
	(void)state;
	for (u32 clears = 0; clears < 4; clears++) {
		begin();
		for (u64 round = 1; round < 4; round++) {
			l1_sets(0x1000 * round);
			if (clears & 1)
				assert_int_equal(l1_vmclear(SHADOW).outcome, L1_OK);
			enter();
			l2_expects_and_sets(0x1000 * round, 0x1000 * round + 0x800);
			scene_exit_to_l1(EXIT_CPUID, 0);
			if (clears & 2)
				assert_int_equal(l1_vmclear(SHADOW).outcome, L1_OK);
			l1_expects(0x1000 * round + 0x800);
		}
	}
}

/* Expect: L1's VMCLEAR puts into memory what L2 has written, and what memory then says counts. */
static void a_cleared_vmcs_is_all_in_memory(void **state)
{
	struct vmcs12 *region = l1_pointer(SHADOW);

	(void)state;
	begin();
	scene_enter();
	l2_set(VMCS_HOST_RSP, 0x1234);
	scene_exit_to_l1(EXIT_CPUID, 0);
	assert_int_equal(vmcs12_get(region, VMCS_HOST_RSP), 0);
	assert_int_equal(l1_vmclear(SHADOW).outcome, L1_OK);
	assert_int_equal(vmcs12_get(region, VMCS_HOST_RSP), 0x1234);
	assert_int_equal(region->revision, VMCS12_REVISION | VMCS12_SHADOW_INDICATOR);
	vmcs12_set(region, VMCS_HOST_RSP, 0x4321);
	scene_enter();
	assert_int_equal(l2_get(VMCS_HOST_RSP), 0x4321);
}

static u64 vmwrites(void)
{
	return model.cpu.counter[COUNTER_VMWRITES];
}

/* Expect: what a hypervisor does at each exit of its guest costs no copy of the shadow VMCS. */
static void nothing_is_copied_when_nothing_has_changed(void **state)
{
	u64 first, again, changed;

	(void)state;
	begin();
	l1_sets(0x1000);
	first = vmwrites();
	for (u32 round = 0; round < 3; round++) {
		again = first;
		assert_int_equal(l1_vmclear(SHADOW).outcome, L1_OK);
		first = vmwrites();
		enter();
		first = vmwrites() - first;
		scene_exit_to_l1(EXIT_CPUID, 0);
		assert_int_equal(l1_vmptrld(SHADOW).outcome, L1_OK);
	}
	assert_int_equal(first, again);
	assert_int_equal(l1_vmclear(SHADOW).outcome, L1_OK);
	vmcs12_set(l1_pointer(SHADOW), VMCS_HOST_RSP, 0x99);
	changed = vmwrites();
	enter();
	assert_int_equal(vmwrites() - changed, first + 1);
}

/* Expect: the shadow VMCS moves to another slot with its vmcs12, and back into L1's memory when it is evicted. */
static void a_linked_vmcs_may_be_evicted(void **state)
{
	(void)state;
	begin();
	scene_enter();
	l2_set(VMCS_GUEST_RSP, 0x77);
	scene_exit_to_l1(EXIT_CPUID, 0);
	for (u32 n = 1; n <= NESTED_SLOTS; n++) {
		l1_make_region(L1_REGION(n));
		assert_int_equal(l1_vmptrld(L1_REGION(n)).outcome, L1_OK);
	}
	assert_null(slots_find(model.vcpu.nested, SHADOW));
	enter();
	assert_int_equal(l2_get(VMCS_GUEST_RSP), 0x77);
}

/* --- who gets an access ------------------------------------------------------------------ */

static void closed_fields_exit_to_l1(void **state)
{
	u64 value = 0;

	(void)state;
	for (u32 write = 0; write < 2; write++) {
		begin();
		close_field(write ? WRITE_BITMAP : READ_BITMAP, VMCS_ENCODING_GUEST_RIP);
		scene_enter();
		assert_int_equal(access_in_l2(VMCS_ENCODING_GUEST_RIP, &value, !write), L2_DONE);
		assert_int_equal(access_in_l2(VMCS_ENCODING_GUEST_RIP, &value, write), L2_EXITED);
		assert_int_equal(l1_get(VMCS_EXIT_REASON), write ? EXIT_VMWRITE : EXIT_VMREAD);
		assert_int_equal(l1_get(VMCS_EXIT_INSTRUCTION_INFORMATION), REGISTER_OPERAND);
	}
}

static void without_the_control_all_exit(void **state)
{
	u64 value = 0;

	(void)state;
	begin();
	scene_enter();
	scene_exit_to_l1(EXIT_CPUID, 0);
	assert_int_equal(l1_vmwrite(VMCS_VMCS_LINK_POINTER.encoding, NO_ADDRESS).outcome, L1_OK);
	scene_enter();
	assert_int_equal(access_in_l2(VMCS_ENCODING_GUEST_RIP, &value, true), L2_FAIL_INVALID);
	scene_exit_to_l1(EXIT_CPUID, 0);
	value = l1_get(VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS) & ~(u64)PROC2_VMCS_SHADOWING;
	assert_int_equal(l1_vmwrite(VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS.encoding, value).outcome, L1_OK);
	scene_enter();
	assert_false(scene_running(VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS) & PROC2_VMCS_SHADOWING);
	assert_true(scene_running(VMCS_VMCS_LINK_POINTER) == NO_ADDRESS);
	assert_true(model_exit_for(EXIT_VMREAD, 0));
	assert_int_equal(l1_get(VMCS_EXIT_REASON), EXIT_VMREAD);
}

/* Expect: no link pointer is left in vmcs02 when L1 turns all secondary controls off, for which its VMWRITE does not exit. */
static void without_secondary_controls_nothing_is_linked(void **state)
{
	u64 value;

	(void)state;
	begin();
	scene_enter();
	scene_exit_to_l1(EXIT_CPUID, 0);
	assert_int_equal(l1_vmclear(SHADOW).outcome, L1_OK);
	*(u32 *)l1_pointer(SHADOW) &= ~VMCS12_SHADOW_INDICATOR;
	value = l1_get(VMCS_PROCESSOR_BASED_CONTROLS) & ~(u64)PROC_ACTIVATE_SECONDARY_CONTROLS;
	assert_int_equal(l1_vmwrite(VMCS_PROCESSOR_BASED_CONTROLS.encoding, value).outcome, L1_OK);
	scene_enter();
	assert_false(scene_running(VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS) & PROC2_VMCS_SHADOWING);
	assert_true(scene_running(VMCS_VMCS_LINK_POINTER) == NO_ADDRESS);
}

/* Expect: error 12 in L1's current VMCS, not in the shadow VMCS; the next instruction of L2. */
static void fields_that_do_not_exist_fail_in_l2(void **state)
{
	u64 value = 0, rip;

	(void)state;
	begin();
	scene_enter();
	rip = scene_running(VMCS_GUEST_RIP);
	assert_int_equal(access_in_l2(UNSUPPORTED, &value, true), L2_FAIL_VALID);
	assert_int_equal(access_in_l2(UNSUPPORTED, &value, false), L2_FAIL_VALID);
	assert_int_equal(scene_running(VMCS_GUEST_RIP), rip + 6);
	assert_int_equal(l2_get(VMCS_VM_INSTRUCTION_ERROR), 0);
	scene_exit_to_l1(EXIT_CPUID, 0);
	assert_int_equal(l1_get(VMCS_VM_INSTRUCTION_ERROR), VMERR_UNSUPPORTED_FIELD);
}

/* Expect: what hardware has and L1 is not offered is no field for L2 either. */
static void hidden_fields_fail_in_l2(void **state)
{
	u64 value = 0;
	u32 missing = 0;

	(void)state;
	begin();
	scene_enter();
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++) {
		if (insn_field(&model.vcpu.nested->offered, vmcs_fields[i].field.encoding))
			continue;
		assert_int_equal(access_in_l2(vmcs_fields[i].field.encoding, &value, false), L2_FAIL_VALID);
		missing++;
	}
	assert_true(missing > 0);
}

static void user_code_of_l2_gets_gp(void **state)
{
	u64 value = 0;

	(void)state;
	for (u32 intercepted = 0; intercepted < 2; intercepted++) {
		begin();
		assert_int_equal(l1_vmwrite(VMCS_EXCEPTION_BITMAP.encoding, intercepted << VECTOR_GP).outcome, L1_OK);
		scene_enter();
		*processor_field(VMCS_GUEST_SS_ACCESS_RIGHTS) |= 3 << 5;
		*processor_field(VMCS_GUEST_CS_ACCESS_RIGHTS) |= 3 << 5;
		*processor_field(VMCS_GUEST_SS_SELECTOR) |= 3;
		*processor_field(VMCS_GUEST_CS_SELECTOR) |= 3;
		assert_int_equal(access_in_l2(UNSUPPORTED, &value, false), intercepted ? L2_EXITED : L2_FAULT);
		if (intercepted)
			assert_int_equal(l1_get(VMCS_EXIT_REASON), EXIT_EXCEPTION_OR_NMI);
		else
			assert_int_equal(processor.injected & 0xff, VECTOR_GP);
	}
}

/* --- shadow VMCSs as L1's own ------------------------------------------------------------- */

static void a_shadow_vmcs_is_never_entered(void **state)
{
	u64 value;

	(void)state;
	begin();
	assert_int_equal(l1_vmptrld(SHADOW).outcome, L1_OK);
	assert_int_equal(l1_vmlaunch().outcome, L1_FAIL_INVALID);
	assert_int_equal(l1_vmresume().outcome, L1_FAIL_INVALID);
	assert_int_equal(l1_vmread(UNSUPPORTED, &value).error, VMERR_UNSUPPORTED_FIELD);
	assert_int_equal(l1_get(VMCS_VM_INSTRUCTION_ERROR), VMERR_UNSUPPORTED_FIELD);
	enter();
	assert_int_equal(l2_get(VMCS_VM_INSTRUCTION_ERROR), VMERR_UNSUPPORTED_FIELD);
}

/* Expect: VMREAD and VMWRITE that exit see what L2, or L1 without an exit, has written. */
static void l1_reaches_every_field(void **state)
{
	u64 value;

	(void)state;
	begin();
	scene_enter();
	l2_set(VMCS_GUEST_LDTR_LIMIT, 0x55);
	l2_set(VMCS_TSC_OFFSET, 0x1111111122222222);
	scene_exit_to_l1(EXIT_CPUID, 0);
	assert_int_equal(l1_vmptrld(SHADOW).outcome, L1_OK);
	assert_int_equal(l1_get(VMCS_GUEST_LDTR_LIMIT), 0x55);
	assert_int_equal(l1_vmwrite(VMCS_TSC_OFFSET.encoding + 1u, 0x3333).outcome, L1_OK);
	assert_int_equal(l1_get(VMCS_TSC_OFFSET), 0x333322222222);
	assert_int_equal(l1_vmwrite(VMCS_EXIT_REASON.encoding, 0x12).outcome, L1_OK);
	assert_int_equal(l1_vmread_to_memory(VMCS_EXIT_REASON.encoding, &value).outcome, L1_OK);
	assert_int_equal(value, 0x12);
	enter();
	assert_int_equal(l2_get(VMCS_TSC_OFFSET), 0x333322222222);
	assert_int_equal(l2_get(VMCS_EXIT_REASON), 0x12);
}

/* L1 must not do that without VMCLEAR; its memory decides then. */
static void a_type_that_changed_under_l0_is_no_trap(void **state)
{
	(void)state;
	begin();
	*(u32 *)l1_pointer(SHADOW) = VMCS12_REVISION;
	assert_int_equal(l1_vmptrld(SHADOW).outcome, L1_OK);
	assert_int_equal(l1_vmwrite(VMCS_HOST_RSP.encoding, 0x66).outcome, L1_OK);
	*(u32 *)l1_pointer(SHADOW) |= VMCS12_SHADOW_INDICATOR;
	enter();
	assert_int_equal(l2_get(VMCS_HOST_RSP), 0x66);
}

static void without_shadowing_the_indicator_is_a_wrong_revision(void **state)
{
	(void)state;
	scene_begin(BUILD_LONG);
	scene.hardware.control[WORD_PROC2].may_be_1 &= ~PROC2_VMCS_SHADOWING;
	scene_play();
	make_shadow(SHADOW);
	assert_int_equal(l1_vmptrld(SHADOW).error, VMERR_VMPTRLD_REVISION);
}

/* --- at random --------------------------------------------------------------------------- */

#define PLACES 12	/* more than there are slots */
#define PLACE(n) L1_REGION(12 + (n))

static u64 account[PLACES][array_size(kinds)];
static u64 seed;

static u32 any(u32 count)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (u32)(seed >> 33) % count;
}

static struct vmcs12 *region_of(u32 place)
{
	return l1_pointer(PLACE(place));
}

static void load(u32 place)
{
	assert_int_equal(l1_vmptrld(PLACE(place)).outcome, L1_OK);
}

static void clear(u32 place)
{
	assert_int_equal(l1_vmclear(PLACE(place)).outcome, L1_OK);
	for (u32 i = 0; i < array_size(kinds); i++)
		assert_int_equal(vmcs12_get(region_of(place), kinds[i]), account[place][i]);
}

/* L1 looks at fields of one, or writes them: often enough for L0 to learn of it. */
static void work_on(u32 place)
{
	u32 times = any(20) ? any(8) : 300;

	load(place);
	for (; times; times--) {
		u32 i = any(array_size(kinds));

		if (any(2)) {
			assert_int_equal(l1_get(kinds[i]), account[place][i]);
		} else {
			account[place][i] = any(1u << 30);
			assert_int_equal(l1_vmwrite(kinds[i].encoding, account[place][i]).outcome, L1_OK);
		}
	}
}

/* Another processor, or L1 itself, has it meanwhile: values or even the type are others. */
static void change_in_memory(u32 place)
{
	u32 i = any(array_size(kinds));

	clear(place);
	if (any(2))
		vmcs12_set(region_of(place), kinds[i], account[place][i] = any(1u << 30));
	if (!any(4))
		region_of(place)->revision ^= VMCS12_SHADOW_INDICATOR;
}

/* L2 has it linked. */
static void run_l2_with(u32 place)
{
	if (!vmcs12_is_shadow(region_of(place)))
		return;
	assert_int_equal(l1_vmptrld(L1_REGION(0)).outcome, L1_OK);
	assert_int_equal(l1_vmwrite(VMCS_VMCS_LINK_POINTER.encoding, PLACE(place)).outcome, L1_OK);
	for (u32 entries = any(3) + 1; entries; entries--) {
		scene_enter();
		for (u32 times = any(6); times; times--) {
			u32 i = any(array_size(kinds));

			if (any(2))
				assert_int_equal(l2_get(kinds[i]), account[place][i]);
			else
				l2_set(kinds[i], account[place][i] = any(1u << 30));
		}
		scene_exit_to_l1(EXIT_CPUID, 0);
	}
}

static void leave_vmx_operation(void)
{
	assert_int_equal(l1_vmxoff().outcome, L1_OK);
	assert_int_equal(l1_vmxon(L1_VMXON).outcome, L1_OK);
}

/* Expect: whatever comes in between, each VMCS has in each field what was written last. */
static void values_are_never_lost(void **state)
{
	(void)state;
	for (u64 run = 1; run <= 40; run++) {
		begin();
		seed = run;
		memset(account, 0, sizeof(account));
			for (u32 place = 0; place < PLACES; place++)
			any(3) ? make_shadow(PLACE(place)) : l1_make_region(PLACE(place));
		for (u32 step = 0; step < 200; step++) {
			u32 place = any(PLACES), what = any(20);

			if (what < 8)
				work_on(place);
			else if (what < 14)
				run_l2_with(place);
			else if (what < 16)
				clear(place);
			else if (what < 19)
				change_in_memory(place);
			else
				leave_vmx_operation();
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_go_back_and_forth),
		cmocka_unit_test(values_are_never_lost),
		cmocka_unit_test(a_cleared_vmcs_is_all_in_memory),
		cmocka_unit_test(nothing_is_copied_when_nothing_has_changed),
		cmocka_unit_test(a_linked_vmcs_may_be_evicted),
		cmocka_unit_test(closed_fields_exit_to_l1),
		cmocka_unit_test(without_the_control_all_exit),
		cmocka_unit_test(without_secondary_controls_nothing_is_linked),
		cmocka_unit_test(fields_that_do_not_exist_fail_in_l2),
		cmocka_unit_test(hidden_fields_fail_in_l2),
		cmocka_unit_test(user_code_of_l2_gets_gp),
		cmocka_unit_test(a_shadow_vmcs_is_never_entered),
		cmocka_unit_test(l1_reaches_every_field),
		cmocka_unit_test(a_type_that_changed_under_l0_is_no_trap),
		cmocka_unit_test(without_shadowing_the_indicator_is_a_wrong_revision),
	};

	return cmocka_run_group_tests_name("path_shadow_l2", tests, NULL, NULL);
}
