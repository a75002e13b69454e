/* SPDX-License-Identifier: MIT */
/*
 * CET state, PKRS, the user-interrupt vector and IA32_PERF_GLOBAL_CTRL on the way to L2
 * and back, by each combination of controls; VMFUNC and #VE. SDM "Loading Guest Control
 * Registers, Debug Registers, and MSRs", "Loading Host Control Registers, Debug Registers, MSRs".
 */
#include "tests/model/scene.h"

#include <string.h>

#include "vmx/nested/vm_functions.h"

#define BITMAP UINT64_C(0xa0000)

#define OF_L1 UINT64_C(0x11)
#define OF_GUEST UINT64_C(0x22)
#define OF_L2 UINT64_C(0x33)
#define OF_HOST UINT64_C(0x2c)	/* no bit that SSP or IA32_S_CET could not have */

struct way {
	u32 msr, shift;
	u32 entry, exit;
	vmcs_field guest, host;
	bool cleared;			/* instead of loaded */
};

static const struct way ways[] = {
	{ IA32_S_CET, 0, CONTROL_MASK(ENTRY, LOAD_CET_STATE), CONTROL_MASK(EXIT, LOAD_CET_STATE), VMCS_FIELD(GUEST_IA32_S_CET),
	  VMCS_FIELD(HOST_IA32_S_CET), false },
	{ IA32_INTERRUPT_SSP_TABLE_ADDR, 0, CONTROL_MASK(ENTRY, LOAD_CET_STATE), CONTROL_MASK(EXIT, LOAD_CET_STATE),
	  VMCS_FIELD(GUEST_IA32_INTERRUPT_SSP_TABLE), VMCS_FIELD(HOST_IA32_INTERRUPT_SSP_TABLE), false },
	{ IA32_PKRS, 0, CONTROL_MASK(ENTRY, LOAD_PKRS), CONTROL_MASK(EXIT, LOAD_PKRS), VMCS_FIELD(GUEST_IA32_PKRS),
	  VMCS_FIELD(HOST_IA32_PKRS), false },
	{ IA32_UINTR_MISC, 32, CONTROL_MASK(ENTRY, LOAD_UINV), CONTROL_MASK(EXIT, CLEAR_UINV), VMCS_FIELD(GUEST_UINV),
	  VMCS_FIELD(GUEST_UINV), true },
};

static u64 in_msr(const struct way *way)
{
	return processor_msr(way->msr)->value >> way->shift;
}

static void set_msr(const struct way *way, u64 value)
{
	processor_msr(way->msr)->value = value << way->shift;
}

static void play(const struct way *way, bool load, bool restore)
{
	scene_begin(BUILD_LONG);
	scene_control(WORD_ENTRY, load ? way->entry : 0, 0);
	scene_control(WORD_EXIT, restore ? way->exit : 0, 0);
	if (!way->cleared)
		scene_set(way->host, OF_HOST);
	scene_set(way->guest, OF_GUEST);
	/* All zeros: L0 alone watches MSRs. */
	scene_control(WORD_PROC, PROC_USE_MSR_BITMAPS, 0);
	scene_set(VMCS_MSR_BITMAP_ADDRESS, BITMAP);
	scene_play();
	set_msr(way, OF_L1);
}

/* Expect: L2 has L1's value or its own, also after exits that L0 keeps; L1 has L2's or its own; vmcs12 has L2's. */
static void each_control_does_its_part(void **state)
{
	(void)state;
	for (u32 i = 0; i < array_size(ways); i++) {
		for (u32 which = 0; which < 4; which++) {
			const struct way *way = &ways[i];
			bool load = which & 1, restore = which & 2;

			play(way, load, restore);
			scene_enter();
			assert_int_equal(in_msr(way), load ? OF_GUEST : OF_L1);
			set_msr(way, OF_L2);
			scene_exit_to_l0();
			assert_int_equal(in_msr(way), OF_L2);
			scene_exit_to_l1(EXIT_CPUID, 0);
			assert_int_equal(in_msr(way), restore ? (way->cleared ? 0 : OF_HOST) : OF_L2);
			assert_int_equal(l1_get(way->guest), OF_L2);
		}
	}
}

/* Expect: SSP has no MSR; one entry of L1's loads it, and no later one. */
static void ssp_is_loaded_by_one_entry(void **state)
{
	(void)state;
	scene_begin(BUILD_LONG);
	scene_control(WORD_EXIT, EXIT_LOAD_CET_STATE, 0);
	scene_set(VMCS_HOST_SSP, 0x4440);
	scene_play();
	processor.ssp = 0x1110;
	scene_enter();
	assert_int_equal(processor.ssp, 0x1110);
	processor.ssp = 0x3330;
	assert_true(model_exit_for(EXIT_CPUID, 0));
	assert_int_equal(processor.ssp, 0x4440);
	assert_true(scene_running(VMCS_ENTRY_CONTROLS) & ENTRY_LOAD_CET_STATE);
	processor.ssp = 0x5550;
	assert_int_equal(l1_get(VMCS_GUEST_SSP), 0x3330);
	assert_int_equal(processor.ssp, 0x5550);
	assert_false(scene_running(VMCS_ENTRY_CONTROLS) & ENTRY_LOAD_CET_STATE);
}

/* Expect: what the processor does not take stays as it was, and L1 can be entered. */
static void a_value_that_the_processor_refuses_stops_nobody(void **state)
{
	(void)state;
	scene_begin(BUILD_LONG);
	scene_control(WORD_EXIT, EXIT_LOAD_CET_STATE, 0);
	scene_set(VMCS_HOST_IA32_S_CET, 0x10);
	scene_play();
	processor_msr(IA32_S_CET)->may_be_1 = 0x4;
	processor_msr(IA32_S_CET)->value = 0x4;
	scene_enter();
	scene_exit_to_l1(EXIT_CPUID, 0);
	assert_int_equal(processor_msr(IA32_S_CET)->value, 0x4);
}

/* Expect: saved where L1 asks for it, and loaded from there at the next entry. */
static void performance_counters_are_saved(void **state)
{
	(void)state;
	for (u32 save = 0; save < 2; save++) {
		scene_begin(BUILD_LONG);
		scene_control(WORD_EXIT, save ? EXIT_SAVE_IA32_PERF_GLOBAL_CTRL : 0, 0);
		scene_control(WORD_ENTRY, ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL, 0);
		scene_set(VMCS_GUEST_IA32_PERF_GLOBAL_CTRL, 2);
		scene_play();
		scene_enter();
		wrmsr(IA32_PERF_GLOBAL_CTRL, 5);
		scene_exit_to_l1(EXIT_CPUID, 0);
		assert_int_equal(l1_get(VMCS_GUEST_IA32_PERF_GLOBAL_CTRL), save ? 5 : 2);
		scene_enter();
		assert_int_equal(scene_running(VMCS_GUEST_IA32_PERF_GLOBAL_CTRL), save ? 5 : 2);
	}
}

/* --- VM functions, virtualization exceptions --------------------------------------------- */

#define LIST UINT64_C(0x94000)
#define AREA UINT64_C(0x95000)
#define OTHER_EPT UINT64_C(0x96000)

static void begin_with_functions(u32 more)
{
	scene_begin(BUILD_LONG);
	scene_control(WORD_PROC2, PROC2_ENABLE_VM_FUNCTIONS | more, 0);
	scene_set(VMCS_VM_FUNCTION_CONTROLS, VM_FUNCTION_EPTP_SWITCHING);
	scene_set(VMCS_EPTP_LIST_ADDRESS, LIST);
	scene_set(VMCS_VIRTUALIZATION_EXCEPTION_ADDRESS, AREA);
}

static void vmfunc(u32 function, u32 index)
{
	const struct model_exit exit = { .reason = EXIT_VMFUNC, .length = 3 };

	model.vcpu.regs.gpr[REG_RAX] = function;
	model.vcpu.regs.gpr[REG_RCX] = index;
	assert_true(model_exit(&exit));
}

static void vmfunc_switches_ept02_without_l1(void **state)
{
	u64 before, rip;

	(void)state;
	begin_with_functions(0);
	scene_play();
	((u64 *)l1_pointer(LIST))[5] = OTHER_EPT | 6 | 3 << 3;
	scene_enter();
	assert_int_equal(scene_running(VMCS_VM_FUNCTION_CONTROLS), 0);
	before = scene_running(VMCS_EPT_POINTER);
	rip = scene_running(VMCS_GUEST_RIP);
	vmfunc(0, 5);
	assert_true(model_in_l2());
	assert_int_not_equal(scene_running(VMCS_EPT_POINTER), before);
	assert_true(scene_running(VMCS_GUEST_RIP) == rip + 3);
	scene_exit_to_l1(EXIT_CPUID, 0);
	assert_int_equal(l1_get(VMCS_EPT_POINTER), OTHER_EPT | 6 | 3 << 3);
	assert_int_equal(l1_get(VMCS_EPTP_INDEX), 5);
}

static void vmfunc_that_l0_does_not_carry_out_is_l1s(void **state)
{
	(void)state;
	begin_with_functions(0);
	scene_play();
	scene_enter();
	vmfunc(0, 512);
	assert_false(model_in_l2());
	assert_int_equal(l1_get(VMCS_EXIT_REASON), EXIT_VMFUNC);
	assert_int_equal(l1_get(VMCS_EXIT_INSTRUCTION_LENGTH), 3);
}

/* Expect: the monitor trap behind VMFUNC, at its next instruction. */
static void vmfunc_counts_for_the_monitor_trap_flag(void **state)
{
	u64 rip;

	(void)state;
	begin_with_functions(0);
	scene_control(WORD_PROC, PROC_MONITOR_TRAP_FLAG, 0);
	scene_play();
	((u64 *)l1_pointer(LIST))[5] = OTHER_EPT | 6 | 3 << 3;
	scene_enter();
	rip = scene_running(VMCS_GUEST_RIP);
	vmfunc(0, 5);
	assert_false(model_in_l2());
	assert_int_equal(l1_get(VMCS_EXIT_REASON), EXIT_MONITOR_TRAP_FLAG);
	assert_true(l1_get(VMCS_GUEST_RIP) == rip + 3);
	assert_int_equal(l1_get(VMCS_EPTP_INDEX), 5);
}

static void violate(u64 qualification)
{
	const struct model_exit exit = { .reason = EXIT_EPT_VIOLATION, .qualification = qualification, .linear = 0x7000,
					 .physical = 0x7000 };

	assert_true(model_exit(&exit));
}

static void begin_with_exceptions(u64 bitmap)
{
	begin_with_functions(PROC2_EPT_VIOLATION_VE);
	scene_set(VMCS_EXCEPTION_BITMAP, bitmap);
	scene_play();
	memset(l1_pointer(AREA), 0, PAGE_SIZE);
	scene_enter();
	assert_false(scene_running(VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS) & PROC2_EPT_VIOLATION_VE);
}

static void a_violation_of_ept12_is_injected_as_exception(void **state)
{
	(void)state;
	begin_with_exceptions(0);
	violate(0x181);
	assert_true(model_in_l2());
	assert_int_equal(processor.injected, 0x80000300 | VECTOR_VE);
	assert_int_equal(*(u32 *)l1_pointer(AREA), EXIT_EPT_VIOLATION);
	/* The next one finds the area busy. */
	violate(0x181);
	assert_false(model_in_l2());
	assert_int_equal(l1_get(VMCS_EXIT_REASON), EXIT_EPT_VIOLATION);
}

/* Expect: with NMI unblocking by IRET, and RF. */
static void an_intercepted_exception_is_an_exit(void **state)
{
	(void)state;
	begin_with_exceptions(BIT(VECTOR_VE));
	violate(0x1181);
	assert_false(model_in_l2());
	assert_int_equal(l1_get(VMCS_EXIT_REASON), EXIT_EXCEPTION_OR_NMI);
	assert_int_equal(l1_get(VMCS_EXIT_INTERRUPTION_INFORMATION), 0x80001300 | VECTOR_VE);
	assert_true(l1_get(VMCS_GUEST_RFLAGS) & RFLAGS_RF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_control_does_its_part),
		cmocka_unit_test(ssp_is_loaded_by_one_entry),
		cmocka_unit_test(a_value_that_the_processor_refuses_stops_nobody),
		cmocka_unit_test(performance_counters_are_saved),
		cmocka_unit_test(vmfunc_switches_ept02_without_l1),
		cmocka_unit_test(vmfunc_that_l0_does_not_carry_out_is_l1s),
		cmocka_unit_test(vmfunc_counts_for_the_monitor_trap_flag),
		cmocka_unit_test(a_violation_of_ept12_is_injected_as_exception),
		cmocka_unit_test(an_intercepted_exception_is_an_exit),
	};

	return cmocka_run_group_tests_name("path_protection", tests, NULL, NULL);
}
