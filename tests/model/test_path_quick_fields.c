/* SPDX-License-Identifier: MIT */
/*
 * VMREAD and VMWRITE that exit answer quickly what the long way answers: after an exit of L2 that has left nearly
 * all in vmcs02 above all. An L1 whose last instruction was STI gets the long way.
 */
#include "tests/model/scene.h"

/* What L2 changes between two exits, whatever else it does. */
static const vmcs_field changed[] = {
	VMCS_FIELD(GUEST_RIP), VMCS_FIELD(GUEST_RSP), VMCS_FIELD(GUEST_ES_BASE), VMCS_FIELD(GUEST_FS_BASE), VMCS_FIELD(GUEST_GS_BASE),
	VMCS_FIELD(GUEST_LDTR_BASE), VMCS_FIELD(GUEST_GDTR_BASE), VMCS_FIELD(GUEST_IDTR_BASE), VMCS_FIELD(GUEST_IA32_SYSENTER_ESP),
	VMCS_FIELD(GUEST_IA32_SYSENTER_EIP), VMCS_FIELD(GUEST_IA32_SYSENTER_CS),
};

static void leave(u64 round)
{
	scene_enter();
	for (u32 i = 0; i < array_size(changed); i++)
		*processor_field(changed[i]) = 0x10000 + round * 0x1000 + i * 0x10;
	assert_true(model_exit_for(EXIT_CPUID, 0));
	assert_false(model_in_l2());
}

static bool is_deferred(void)
{
	return model.vcpu.nested->current->deferred;
}

static void begin(void)
{
	scene_begin(BUILD_LONG);
	scene_control(WORD_EXIT, EXIT_SAVE_DEBUG_CONTROLS, 0);
	scene_control(WORD_ENTRY, ENTRY_LOAD_DEBUG_CONTROLS, 0);
	scene_play();
	for (u64 round = 0; round < 5; round++)
		leave(round);
	assert_true(is_deferred());
}

static u64 read_the_long_way(u32 encoding)
{
	u64 value;

	*processor_field(VMCS_GUEST_INTERRUPTIBILITY_STATE) |= INTERRUPTIBILITY_STI;
	assert_int_equal(l1_vmread(encoding, &value).outcome, L1_OK);
	return value;
}

/* Expect: the same value both ways, of each field and of each high half; host state and controls without settling the exit. */
static void every_field_reads_the_same_both_ways(void **state)
{
	u32 at_once = 0, settled = 0;

	(void)state;
	begin();
	for (u32 i = 0; i < 2 * VMCS_FIELD_COUNT; i++) {
		u32 encoding = vmcs_fields[i / 2].field.encoding + i % 2;
		u64 value;

		leave(10 + i % 7);
		if (!insn_field(&model.vcpu.nested->offered, encoding))
			continue;
		assert_int_equal(l1_vmread(encoding, &value).outcome, L1_OK);
		at_once += is_deferred();
		settled += !is_deferred();
		if (value != read_the_long_way(encoding))
			fail_msg("%s: 0x%lx at once", vmcs_fields[i / 2].name, value);
	}
	assert_true(at_once > 40);
	assert_true(settled > 40);
}

/* Expect: what L1 writes stays, and beside it stays what L2 left. */
static void a_write_after_an_exit_changes_one_field(void **state)
{
	(void)state;
	for (u32 i = 0; i < array_size(changed); i++) {
		begin();
		leave(20);
		assert_true(is_deferred());
		l1_set(changed[i], 0x7770);
		for (u32 j = 0; j < array_size(changed); j++) {
			u64 left = 0x10000 + 20 * 0x1000 + j * 0x10;

			assert_int_equal(l1_get(changed[j]), i == j ? 0x7770 : left);
		}
		scene_enter();
		assert_int_equal(scene_running(changed[i]), 0x7770);
	}
}

static u64 uncounted(void)
{
	return processor.vmreads - model.cpu.counter[COUNTER_VMREADS];
}

/* Expect: each VMREAD of L0's is counted once, also those of a quick attempt that the long way repeats. */
static void vmreads_are_counted_both_ways(void **state)
{
	u64 before, value;

	(void)state;
	begin();
	(void)read_the_long_way(VMCS_GUEST_RSP.encoding);
	before = uncounted();
	assert_int_equal(l1_vmread(VMCS_HOST_IA32_SYSENTER_EIP.encoding, &value).outcome, L1_OK);
	assert_int_equal(uncounted(), before);
	(void)read_the_long_way(VMCS_HOST_IA32_SYSENTER_EIP.encoding);
	assert_int_equal(uncounted(), before);
	assert_int_equal(l1_vmread_to_memory(VMCS_HOST_IA32_SYSENTER_EIP.encoding, &value).outcome, L1_OK);
	assert_int_equal(uncounted(), before);
	assert_int_equal(l1_vmread(0x69fe, &value).outcome, L1_FAIL_VALID);
	assert_int_equal(uncounted(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_reads_the_same_both_ways),
		cmocka_unit_test(a_write_after_an_exit_changes_one_field),
		cmocka_unit_test(vmreads_are_counted_both_ways),
	};

	return cmocka_run_group_tests_name("path_quick_fields", tests, NULL, NULL);
}
