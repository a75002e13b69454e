/* SPDX-License-Identifier: MIT */
/*
 * Exits of L2 that L0 keeps, and what must hold before L2 goes on; and things that
 * happen seldom: many refusals, VTPR that sinks while L0 works, injections that are put off. On
 * the model.
 */
#include "tests/model/scene.h"

#define BITMAP UINT64_C(0xa0000)

static u8 *vtpr(void)
{
	return (u8 *)l1_pointer(BUILDER_VIRTUAL_APIC) + 0x80;
}

/* L2 runs with a TPR threshold of 5, and an MSR bitmap of L1's that is all zeros. */
static void begin_with_threshold(u32 proc2)
{
	scene_begin(BUILD_LONG);
	scene_control(WORD_PROC, PROC_USE_TPR_SHADOW | PROC_USE_MSR_BITMAPS, PROC_CR8_LOAD_EXITING | PROC_CR8_STORE_EXITING);
	scene_control(WORD_PROC2, proc2, 0);
	scene_set(VMCS_MSR_BITMAP_ADDRESS, BITMAP);
	scene_set(VMCS_TPR_THRESHOLD, 5);
	scene_play();
	scene_enter();
}

/* Expect: VTPR sinks below the threshold while L0 works for L2. On a bare processor L2 would go on until it writes TPR. */
static void a_priority_that_sinks_does_not_stop_l2(void **state)
{
	(void)state;
	begin_with_threshold(0);
	*vtpr() = 0x30;
	scene_exit_to_l0();
	assert_int_equal(scene_running(VMCS_TPR_THRESHOLD), 3);
	assert_true(scene_running(VMCS_PROCESSOR_BASED_CONTROLS) & PROC_CR8_LOAD_EXITING);

	/* MOV to CR8 from RAX, which is not below: L2 goes on. */
	model.vcpu.regs.gpr[REG_RAX] = 9;
	assert_true(model_exit_for(EXIT_CR_ACCESS, 8));
	assert_true(model_in_l2());
	assert_int_equal(*vtpr(), 0x90);
	/* And one that is: the exit that L1 asked for. */
	model.vcpu.regs.gpr[REG_RAX] = 2;
	assert_true(model_exit_for(EXIT_CR_ACCESS, 8));
	assert_false(model_in_l2());
	assert_int_equal(l1_get(VMCS_EXIT_REASON), EXIT_TPR_BELOW_THRESHOLD);
	assert_int_equal(*vtpr(), 0x20);
	/* L1 resumes with what it asks of its own: nothing of the watch stays. */
	*vtpr() = 0x50;
	scene_enter();
	assert_int_equal(scene_running(VMCS_TPR_THRESHOLD), 5);
	assert_false(scene_running(VMCS_PROCESSOR_BASED_CONTROLS) & PROC_CR8_LOAD_EXITING);
}

static void a_priority_written_by_msr_is_watched_too(void **state)
{
	(void)state;
	begin_with_threshold(PROC2_VIRTUALIZE_X2APIC_MODE);
	*vtpr() = 0x30;
	scene_exit_to_l0();
	model.vcpu.regs.gpr[REG_RCX] = IA32_X2APIC_TPR;
	model.vcpu.regs.gpr[REG_RAX] = 0x10;
	model.vcpu.regs.gpr[REG_RDX] = 0;
	assert_true(model_exit_for(EXIT_WRMSR, 0));
	assert_false(model_in_l2());
	assert_int_equal(l1_get(VMCS_EXIT_REASON), EXIT_TPR_BELOW_THRESHOLD);
}

/* Expect: an NMI window beside the watch keeps both. */
static void a_window_keeps_the_watch(void **state)
{
	(void)state;
	begin_with_threshold(0);
	*vtpr() = 0x30;
	scene_exit_to_l0();
	*processor_field(VMCS_GUEST_INTERRUPTIBILITY_STATE) = INTERRUPTIBILITY_NMI;
	model.cpu.nmi_pending = 1;
	scene_exit_to_l0();
	assert_true(scene_running(VMCS_PROCESSOR_BASED_CONTROLS) & PROC_NMI_WINDOW_EXITING);
	assert_true(scene_running(VMCS_PROCESSOR_BASED_CONTROLS) & PROC_CR8_LOAD_EXITING);
}

/* Expect: the first refusals of a rule are told whole, later ones by their number, and then no more. */
static void many_refusals_are_told_shortly(void **state)
{
	u32 lines;

	(void)state;
	scene_begin(BUILD_LONG);
	scene_control(WORD_PIN, PIN_VIRTUAL_NMIS, PIN_NMI_EXITING);
	scene_play();
	lines = model.line_count;
	for (u32 i = 0; i < 5000; i++)
		assert_int_equal(l1_vmlaunch().error, VMERR_CONTROLS);
	assert_int_equal(model.cpu.counter[COUNTER_ENTRY_REFUSALS], 5000);
	assert_true(model_said("times by now"));
	assert_true(model.line_count - lines < 30);
}

/* INIT comes where L1 injects INT n, on a processor without the timer: it was being delivered, says the exit. */
static void an_injection_put_off_is_vectoring(void **state)
{
	const u64 software_interrupt = INTERRUPTION_VALID | (u64)INTERRUPTION_SOFTWARE_INTERRUPT << 8 | 0x30;

	(void)state;
	scene_begin(BUILD_LONG);
	scene.hardware.control[WORD_PIN].may_be_1 &= ~PIN_ACTIVATE_PREEMPTION_TIMER;
	scene_set(VMCS_ENTRY_INTERRUPTION_INFORMATION, software_interrupt);
	scene_set(VMCS_ENTRY_INSTRUCTION_LENGTH, 2);
	scene_play();
	assert_true(model_exit_for(EXIT_INIT_SIGNAL, 0));
	assert_int_equal(l1_vmlaunch().outcome, L1_EXITED);
	assert_int_equal(l1_get(VMCS_EXIT_REASON), EXIT_INIT_SIGNAL);
	assert_int_equal(l1_get(VMCS_IDT_VECTORING_INFORMATION), software_interrupt);
	assert_int_equal(l1_get(VMCS_EXIT_INSTRUCTION_LENGTH), 2);
}

static void vmptrld_of_the_current_vmcs_changes_nothing(void **state)
{
	u64 loads;

	(void)state;
	scene_begin(BUILD_LONG);
	scene_play();
	loads = model.cpu.counter[COUNTER_VMPTRLDS];
	assert_int_equal(l1_vmptrld(L1_REGION(0)).outcome, L1_OK);
	assert_int_equal(model.cpu.counter[COUNTER_VMPTRLDS], loads);
	scene_enter();
}

/* An unrestricted guest that stays in IA-32e mode, with and without EFER saved. */
static void the_mode_stays_as_it_is(void **state)
{
	(void)state;
	scene_begin(BUILD_LONG);
	scene_control(WORD_PROC2, PROC2_UNRESTRICTED_GUEST, 0);
	scene_play();
	scene_enter();
	scene_exit_to_l1(EXIT_CPUID, 0);
	assert_true(l1_get(VMCS_ENTRY_CONTROLS) & ENTRY_IA32E_MODE_GUEST);
	scene_enter();
}

/* VMX instructions of L2 are L1's exits. */
static void vmx_instructions_of_l2_exit_to_l1(void **state)
{
	static const u32 reasons[] = { EXIT_VMCLEAR, EXIT_VMLAUNCH, EXIT_VMPTRLD, EXIT_VMPTRST, EXIT_VMREAD, EXIT_VMRESUME, EXIT_VMWRITE,
				       EXIT_VMXOFF, EXIT_VMXON, EXIT_INVEPT, EXIT_INVVPID, EXIT_VMCALL };

	(void)state;
	scene_begin(BUILD_LONG);
	scene_play();
	for (u32 i = 0; i < array_size(reasons); i++) {
		scene_enter();
		scene_exit_to_l1(reasons[i], 0);
	}
}

/* Expect: an event whose delivery met an EPT02 miss is delivered again, without L1 noticing. */
static void an_event_that_missed_ept02_is_injected_again(void **state)
{
	const u64 event = INTERRUPTION_VALID | (u64)INTERRUPTION_EXTERNAL << 8 | 0x41;
	u64 *pml4;

	(void)state;
	scene_begin(BUILD_LONG);
	scene_set(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	scene_play();
	pml4 = l1_pointer(0x40000);
	pml4[0] = 0x41007;
	((u64 *)l1_pointer(0x41000))[0] = 0xb7;
	scene_enter();
	assert_true(model_exit(&(struct model_exit){ .reason = EXIT_EPT_VIOLATION, .qualification = 0x181, .physical = 0x200000,
						     .vectoring_information = (u32)event }));
	assert_true(model_in_l2());
	assert_int_equal(processor.injected, event);
	assert_int_equal(model.cpu.counter[COUNTER_EPT02_FILLS], 1);
	/* What EPT12 does not have is L1's, with the event in the IDT-vectoring information. */
	assert_true(model_exit(&(struct model_exit){ .reason = EXIT_EPT_VIOLATION, .qualification = 0x181,
						     .physical = UINT64_C(0x8000000000), .vectoring_information = (u32)event }));
	assert_false(model_in_l2());
	assert_int_equal(l1_get(VMCS_IDT_VECTORING_INFORMATION), event);
	assert_int_equal(l1_get(VMCS_EXIT_QUALIFICATION), 0x181);
}

/* Expect: an entry of L0's own that fails shows L1 where L2 had come to, and the next entry begins there. */
static void a_resume_by_l0_that_fails_loses_nothing(void **state)
{
	(void)state;
	scene_begin(BUILD_LONG);
	scene_control(WORD_PROC, PROC_USE_MSR_BITMAPS, 0);
	scene_set(VMCS_MSR_BITMAP_ADDRESS, BITMAP);
	scene_play();
	scene_enter();
	*processor_field(VMCS_GUEST_ES_BASE) = 0x1234;
	*processor_field(VMCS_GUEST_RSP) = 0x5678;
	processor.fail_with = EXIT_MACHINE_CHECK_ENTRY;
	model.vcpu.regs.gpr[REG_RCX] = IA32_FEATURE_CONTROL;
	assert_true(model_exit_for(EXIT_RDMSR, 0));
	assert_false(model_in_l2());
	assert_int_equal(l1_get(VMCS_EXIT_REASON), EXIT_REASON_ENTRY_FAILURE | EXIT_MACHINE_CHECK_ENTRY);
	assert_int_equal(l1_get(VMCS_GUEST_ES_BASE), 0x1234);
	assert_int_equal(l1_get(VMCS_GUEST_RSP), 0x5678);
	scene_enter();
	assert_int_equal(scene_running(VMCS_GUEST_ES_BASE), 0x1234);
}

/* Expect: that L0 went on with L2 once says nothing of an entry by L1 that is refused later. */
static void a_refused_entry_after_a_resume_by_l0_is_l1s(void **state)
{
	(void)state;
	scene_begin(BUILD_LONG);
	scene_control(WORD_PROC, PROC_USE_MSR_BITMAPS, 0);
	scene_set(VMCS_MSR_BITMAP_ADDRESS, BITMAP);
	scene_play();
	scene_enter();
	scene_exit_to_l0();
	scene_exit_to_l1(EXIT_CPUID, 0);
	assert_int_equal(l1_vmwrite(VMCS_GUEST_RFLAGS.encoding, 0).outcome, L1_OK);
	assert_int_equal(l1_vmwrite(VMCS_GUEST_FS_SELECTOR.encoding, 3).outcome, L1_OK);
	assert_int_equal(l1_vmresume().outcome, L1_EXITED);
	assert_int_equal(l1_get(VMCS_EXIT_REASON), EXIT_REASON_ENTRY_FAILURE | EXIT_INVALID_GUEST_STATE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_resume_by_l0_that_fails_loses_nothing),
		cmocka_unit_test(a_refused_entry_after_a_resume_by_l0_is_l1s),
		cmocka_unit_test(a_priority_that_sinks_does_not_stop_l2),
		cmocka_unit_test(a_priority_written_by_msr_is_watched_too),
		cmocka_unit_test(a_window_keeps_the_watch),
		cmocka_unit_test(many_refusals_are_told_shortly),
		cmocka_unit_test(an_injection_put_off_is_vectoring),
		cmocka_unit_test(vmptrld_of_the_current_vmcs_changes_nothing),
		cmocka_unit_test(the_mode_stays_as_it_is),
		cmocka_unit_test(vmx_instructions_of_l2_exit_to_l1),
		cmocka_unit_test(an_event_that_missed_ept02_is_injected_again),
	};

	return SCENE_RUN_BOTH("path_resume", tests);
}
