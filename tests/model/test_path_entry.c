/* SPDX-License-Identifier: MIT */
/*
 * VM entries of L1 on the model: what L0 refuses, what hardware refuses, and what vmcs02
 * has of vmcs12. SDM "VM Entries".
 */
#include "tests/model/scene.h"

#include <string.h>


#define BITMAP UINT64_C(0xa0000)
#define LIST UINT64_C(0x90000)
#define FAILED UINT64_C(0x80000000)

static void put_msr(u32 n, u32 index, u64 value)
{
	((struct msr_entry *)l1_pointer(LIST))[n] = (struct msr_entry){ .index = index, .value = value };
}

/* --- refused by L0 ---------------------------------------------------------------- */

/* Expect: VMfail 7, one line, and nothing entered. */
static void bad_controls_fail_with_7(void **state)
{
	struct l1_result result;

	(void)state;
	scene_begin(BUILD_LONG);
	scene_control(WORD_PIN, PIN_VIRTUAL_NMIS, PIN_NMI_EXITING);
	scene_play();
	result = l1_vmlaunch();
	assert_int_equal(result.outcome, L1_FAIL_VALID);
	assert_int_equal(result.error, VMERR_CONTROLS);
	assert_int_equal(model.cpu.counter[COUNTER_ENTRY_REFUSALS], 1);
	assert_true(model_said("VM entry refused: "));
}

static void bad_host_state_fails_with_8(void **state)
{
	struct l1_result result;

	(void)state;
	scene_begin(BUILD_LONG);
	scene_set(VMCS_HOST_CS_SELECTOR, 0);
	scene_play();
	result = l1_vmlaunch();
	assert_int_equal(result.outcome, L1_FAIL_VALID);
	assert_int_equal(result.error, VMERR_HOST_STATE);
}

/* Expect: an exit with reason 33 that loads L1's host state; vmcs12's guest state and launch state stay. */
static void bad_guest_state_is_an_exit(void **state)
{
	(void)state;
	scene_begin(BUILD_LONG);
	scene_set(VMCS_GUEST_RFLAGS, 0);
	scene_play();
	assert_int_equal(l1_vmlaunch().outcome, L1_EXITED);
	assert_int_equal(l1_get(VMCS_EXIT_REASON), FAILED | EXIT_INVALID_GUEST_STATE);
	assert_int_equal(scene_running(VMCS_GUEST_RSP), vmcs12_get(&scene.vmcs12, VMCS_HOST_RSP));
	assert_int_equal(l1_get(VMCS_GUEST_RFLAGS), 0);
	assert_int_equal(l1_vmresume().error, VMERR_VMRESUME_NOT_LAUNCHED);
}

/* After L2 has run, hardware checks most of guest state; L1's link pointer it never sees. */
static void a_bad_link_pointer_is_found_after_a_run(void **state)
{
	(void)state;
	scene_begin(BUILD_LONG);
	scene_play();
	scene_enter();
	scene_exit_to_l1(EXIT_CPUID, 0);
	assert_int_equal(l1_vmwrite(VMCS_VMCS_LINK_POINTER.encoding, 0x123).outcome, L1_OK);
	assert_int_equal(l1_vmresume().outcome, L1_EXITED);
	assert_int_equal(l1_get(VMCS_EXIT_REASON), FAILED | EXIT_INVALID_GUEST_STATE);
	assert_int_equal(l1_get(VMCS_EXIT_QUALIFICATION), ENTRY_FAIL_LINK_POINTER);
}

/* --- PDPTEs -------------------------------------------------------------------------- */

static void begin_pae_without_ept(void)
{
	u64 *pdpte;

	scene_begin(BUILD_PAE);
	scene_control(WORD_PROC, 0, PROC_ACTIVATE_SECONDARY_CONTROLS);
	scene_play();
	pdpte = l1_pointer(vmcs12_get(&scene.vmcs12, VMCS_GUEST_CR3));
	for (u64 i = 0; i < 4; i++)
		pdpte[i] = 0x70001 + i * PAGE_SIZE;
}

static void pdptes_come_from_memory_at_each_entry(void **state)
{
	u64 *pdpte;

	(void)state;
	begin_pae_without_ept();
	scene_enter();
	assert_int_equal(scene_running(VMCS_GUEST_PDPTE2), 0x72001);
	scene_exit_to_l1(EXIT_CPUID, 0);
	pdpte = l1_pointer(vmcs12_get(&scene.vmcs12, VMCS_GUEST_CR3));
	pdpte[2] = 0x99001;
	scene_enter();
	assert_int_equal(scene_running(VMCS_GUEST_PDPTE2), 0x99001);
	assert_int_equal(scene_running(VMCS_EPT_POINTER), model.machine->eptp01);
}

static void a_bad_pdpte_in_memory_is_an_exit(void **state)
{
	u64 *pdpte;

	(void)state;
	begin_pae_without_ept();
	pdpte = l1_pointer(vmcs12_get(&scene.vmcs12, VMCS_GUEST_CR3));
	pdpte[3] = 0x70007;
	assert_int_equal(l1_vmlaunch().outcome, L1_EXITED);
	assert_int_equal(l1_get(VMCS_EXIT_REASON), FAILED | EXIT_INVALID_GUEST_STATE);
	assert_int_equal(l1_get(VMCS_EXIT_QUALIFICATION), ENTRY_FAIL_PDPTE);
}

/* --- refused by the processor --------------------------------------------------------- */

/* Expect: as though L1's instruction had failed, and a line that says that a check is missing. */
static void hardware_may_refuse_what_passed(void **state)
{
	static const u32 errors[] = { VMERR_CONTROLS, VMERR_HOST_STATE };

	(void)state;
	for (u32 i = 0; i < 2; i++) {
		struct l1_result result;

		scene_begin(BUILD_LONG);
		scene_play();
		processor.refuse_with = errors[i];
		result = l1_vmlaunch();
		assert_int_equal(result.outcome, L1_FAIL_VALID);
		assert_int_equal(result.error, errors[i]);
		assert_int_equal(model.vcpu.nested->state, NESTED_ROOT_CURRENT);
		assert_true(model_said("Testudo lacks the check"));
		scene_enter();	/* it goes on as before */
	}
}

/* Memory that hardware looks at changes after the checks have passed: the rule can be named now. */
static void a_threshold_above_vtpr_is_named(void **state)
{
	struct l1_result result;

	(void)state;
	scene_begin(BUILD_LONG);
	scene_control(WORD_PROC, PROC_USE_TPR_SHADOW, 0);
	scene_set(VMCS_TPR_THRESHOLD, 5);
	scene_play();
	scene_enter();
	scene_exit_to_l1(EXIT_CPUID, 0);
	((u8 *)l1_pointer(BUILDER_VIRTUAL_APIC))[0x80] = 0x10;
	result = l1_vmresume();
	assert_int_equal(result.outcome, L1_FAIL_VALID);
	assert_int_equal(result.error, VMERR_CONTROLS);
	assert_false(model_said("Testudo lacks the check"));
}

/* Expect: exit 33 for L1, with the rule where our checks have one, else a word that one is missing. */
static void hardware_may_refuse_guest_state(void **state)
{
	(void)state;
	scene_begin(BUILD_LONG);
	scene_play();
	processor.fail_with = EXIT_INVALID_GUEST_STATE;
	assert_int_equal(l1_vmlaunch().outcome, L1_EXITED);
	assert_int_equal(l1_get(VMCS_EXIT_REASON), FAILED | EXIT_INVALID_GUEST_STATE);
	assert_true(model_said("Testudo lacks the check"));

	/* Left to hardware after a run: guest state that L1 spoils through the shadow VMCS. */
	scene_enter();
	scene_exit_to_l1(EXIT_CPUID, 0);
	assert_int_equal(l1_vmwrite(VMCS_GUEST_RFLAGS.encoding, 0).outcome, L1_OK);
	assert_int_equal(l1_vmresume().outcome, L1_EXITED);
	assert_int_equal(l1_get(VMCS_EXIT_REASON), FAILED | EXIT_INVALID_GUEST_STATE);
	assert_true(model_said("GUEST_RFLAGS"));
}

static void a_machine_check_during_entry_is_l1s(void **state)
{
	(void)state;
	scene_begin(BUILD_LONG);
	scene_play();
	processor.fail_with = EXIT_MACHINE_CHECK_ENTRY;
	assert_int_equal(l1_vmlaunch().outcome, L1_EXITED);
	assert_int_equal(l1_get(VMCS_EXIT_REASON), FAILED | EXIT_MACHINE_CHECK_ENTRY);
	assert_true(model_said("machine check"));
}

/* --- MSR lists, once-only controls ------------------------------------------------------ */

static void begin_with_list(u32 count)
{
	scene_begin(BUILD_LONG);
	scene_set(VMCS_ENTRY_MSR_LOAD_ADDRESS, LIST);
	scene_set(VMCS_ENTRY_MSR_LOAD_COUNT, count);
	scene_control(WORD_PROC, PROC_USE_MSR_BITMAPS, 0);
	scene_set(VMCS_MSR_BITMAP_ADDRESS, BITMAP);
	scene_play();
}

/* Expect: L0 handles an exit of L2; the list is not loaded again. */
static void an_entry_list_is_loaded_once(void **state)
{
	(void)state;
	begin_with_list(1);
	put_msr(0, IA32_LSTAR, 0x1234);
	scene_enter();
	assert_int_equal(processor_msr(IA32_LSTAR)->value, 0x1234);
	wrmsr(IA32_LSTAR, 0x5678);
	scene_exit_to_l0();
	assert_int_equal(processor_msr(IA32_LSTAR)->value, 0x5678);
	scene_exit_to_l1(EXIT_CPUID, 0);
	scene_enter();
	assert_int_equal(processor_msr(IA32_LSTAR)->value, 0x1234);
}

/* Expect: reason 34 and the entry's number, whoever finds it: L0, the processor, or L0 for its own block. */
static void a_bad_entry_in_the_list_is_an_exit(void **state)
{
	static const struct msr_entry bad[] = {
		{ .index = IA32_FS_BASE }, { .index = 0x1234567 }, { .index = IA32_PAT, .value = 0xff },
		{ .index = IA32_APIC_BASE, .value = FAKE_BLOCK_BASE | BIT(11) }, { .index = IA32_X2APIC_FIRST },
	};

	(void)state;
	for (u32 i = 0; i < array_size(bad); i++) {
		begin_with_list(2);
		put_msr(0, IA32_LSTAR, 1);
		put_msr(1, bad[i].index, bad[i].value);
		if (i == 4)
			wrmsr(IA32_APIC_BASE, rdmsr(IA32_APIC_BASE) | BIT(10));
		assert_int_equal(l1_vmlaunch().outcome, L1_EXITED);
		assert_int_equal(l1_get(VMCS_EXIT_REASON), FAILED | EXIT_MSR_LOADING);
		assert_int_equal(l1_get(VMCS_EXIT_QUALIFICATION), 2);
	}
}

static void performance_counters_are_loaded_once(void **state)
{
	(void)state;
	scene_begin(BUILD_LONG);
	scene_control(WORD_ENTRY, ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL, 0);
	scene_control(WORD_PROC, PROC_USE_MSR_BITMAPS, 0);
	scene_set(VMCS_MSR_BITMAP_ADDRESS, BITMAP);
	scene_play();
	scene_enter();
	assert_true(scene_running(VMCS_ENTRY_CONTROLS) & ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL);
	scene_exit_to_l0();
	assert_false(scene_running(VMCS_ENTRY_CONTROLS) & ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL);
}

/* A list that changes memory types: EPT01 follows at the next exit. */
static void mtrrs_in_a_list_are_noticed(void **state)
{
	(void)state;
	begin_with_list(1);
	put_msr(0, IA32_MTRR_DEF_TYPE, 0x800);
	scene_enter();
	assert_true(model.vcpu.nested->mtrrs_loaded);
	scene_exit_to_l1(EXIT_CPUID, 0);
	assert_false(model.vcpu.nested->mtrrs_loaded);
}

/* --- bitmaps, VPIDs ------------------------------------------------------------------------ */

static void unconditional_io_exits_need_no_bitmaps(void **state)
{
	(void)state;
	scene_begin(BUILD_LONG);
	scene_watches_ports = true;
	scene_control(WORD_PROC, PROC_UNCONDITIONAL_IO_EXITING, 0);
	scene_play();
	scene_enter();
	assert_false(scene_running(VMCS_PROCESSOR_BASED_CONTROLS) & PROC_USE_IO_BITMAPS);
	scene_exit_to_l1(EXIT_IO_INSTRUCTION, 0x405 << 16);
}

/* 65535 shares its tag with 1: whoever comes second must not see the other's translations. */
static void a_shared_vpid_is_flushed_at_entry(void **state)
{
	static const struct {
		u16 vpid12;
		bool shared;
	} cases[] = { { 1, true }, { 2, false }, { 0xffff, true } };

	(void)state;
	for (u32 i = 0; i < array_size(cases); i++) {
		struct tlb_entry entry = { .vpid = cases[i].vpid12 == 2 ? 3 : 2, .linear = 0x1000, .to = 1 };

		scene_begin(BUILD_LONG);
		scene_set(VMCS_VPID, cases[i].vpid12);
		scene_play();
		tlb_insert(&processor.tlb, &entry);
		scene_enter();
		assert_int_equal(scene_running(VMCS_VPID), entry.vpid);
		assert_int_equal(tlb_find(&processor.tlb, entry.vpid, 0, 0x1000, NULL) == NULL, cases[i].shared);
	}
}

/* A vmcs02 that L0 has written before gets only what differs. */
static void a_second_entry_writes_less(void **state)
{
	u64 first, second;

	(void)state;
	scene_begin(BUILD_LONG);
	scene_play();
	first = model.cpu.counter[COUNTER_VMWRITES];
	scene_enter();
	first = model.cpu.counter[COUNTER_VMWRITES] - first;
	scene_exit_to_l1(EXIT_CPUID, 0);
	second = model.cpu.counter[COUNTER_VMWRITES];
	scene_enter();
	second = model.cpu.counter[COUNTER_VMWRITES] - second;
	assert_true(second * 4 < first);
}

/* What vmcs02 holds of the rare guest fields is newer than vmcs12, also when other fields make the merge a whole one. */
static void rare_fields_survive_a_whole_merge(void **state)
{
	(void)state;
	scene_begin(BUILD_LONG);
	scene_play();
	scene_enter();
	*processor_field(VMCS_GUEST_ES_BASE) = 0x7777;
	scene_exit_to_l1(EXIT_CPUID, 0);
	assert_int_equal(l1_vmwrite(VMCS_TSC_OFFSET.encoding, 5).outcome, L1_OK);
	scene_enter();
	assert_int_equal(scene_running(VMCS_GUEST_ES_BASE), 0x7777);
	assert_int_equal(scene_running(VMCS_TSC_OFFSET), 5);
	scene_exit_to_l1(EXIT_CPUID, 0);
	assert_int_equal(l1_get(VMCS_GUEST_ES_BASE), 0x7777);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_controls_fail_with_7),
		cmocka_unit_test(bad_host_state_fails_with_8),
		cmocka_unit_test(bad_guest_state_is_an_exit),
		cmocka_unit_test(a_bad_link_pointer_is_found_after_a_run),
		cmocka_unit_test(pdptes_come_from_memory_at_each_entry),
		cmocka_unit_test(a_bad_pdpte_in_memory_is_an_exit),
		cmocka_unit_test(hardware_may_refuse_what_passed),
		cmocka_unit_test(a_threshold_above_vtpr_is_named),
		cmocka_unit_test(hardware_may_refuse_guest_state),
		cmocka_unit_test(a_machine_check_during_entry_is_l1s),
		cmocka_unit_test(an_entry_list_is_loaded_once),
		cmocka_unit_test(a_bad_entry_in_the_list_is_an_exit),
		cmocka_unit_test(performance_counters_are_loaded_once),
		cmocka_unit_test(mtrrs_in_a_list_are_noticed),
		cmocka_unit_test(unconditional_io_exits_need_no_bitmaps),
		cmocka_unit_test(a_shared_vpid_is_flushed_at_entry),
		cmocka_unit_test(a_second_entry_writes_less),
		cmocka_unit_test(rare_fields_survive_a_whole_merge),
	};

	return SCENE_RUN_BOTH("path_entry", tests);
}
