/* SPDX-License-Identifier: MIT */
/*
 * NMIs and INITs that L0 holds for L1 or L2, on the model: at which entry each is handed on,
 * and that vmcs02 is bent no longer than that takes. SDM "Priority Among Concurrent
 * Events", docs/architecture.md "Interruptions".
 */
#include <string.h>

#include "tests/model/scene.h"

static const struct model_exit nmi_exit = { .reason = EXIT_EXCEPTION_OR_NMI, .interruption_information = (u32)EVENT_NMI };

/* An NMI comes while L0 works. */
static void nmi_in_root_mode(void)
{
	model.cpu.nmi_pending = 1;
}

static bool window_is_open(void)
{
	return scene_running(VMCS_PROCESSOR_BASED_CONTROLS) & PROC_NMI_WINDOW_EXITING;
}

static void begin(u32 pin)
{
	scene_begin(BUILD_LONG);
	scene_control(WORD_PIN, pin, 0);
	scene_play();
}

/* Expect: L1 has got the NMI as an exit of L2. */
static void assert_nmi_exit(void)
{
	assert_false(model_in_l2());
	assert_int_equal(l1_get(VMCS_EXIT_REASON), EXIT_EXCEPTION_OR_NMI);
	assert_int_equal(l1_get(VMCS_EXIT_INTERRUPTION_INFORMATION), EVENT_NMI);
	assert_int_equal(model.vcpu.nested->waiting & WAITING_NMI, 0);
}

/* --- L1 ---------------------------------------------------------------------------- */

static void an_nmi_for_l1_is_injected(void **state)
{
	(void)state;
	begin(0);
	nmi_in_root_mode();
	assert_true(model_exit_for(EXIT_CPUID, 0));
	assert_int_equal(processor.injected, EVENT_NMI);
	assert_true(model_exit_for(EXIT_CPUID, 0));
	assert_false(processor.injected & INTERRUPTION_VALID);
}

/* Expect: blocked NMIs wait for L1's IRET, by way of an NMI window; a second one merges with the first. */
static void an_nmi_for_l1_waits_for_its_window(void **state)
{
	(void)state;
	begin(0);
	*processor_field(VMCS_GUEST_INTERRUPTIBILITY_STATE) = INTERRUPTIBILITY_NMI;
	nmi_in_root_mode();
	assert_true(model_exit_for(EXIT_CPUID, 0));
	assert_true(window_is_open());
	assert_true(model_exit(&nmi_exit));
	assert_true(window_is_open());
	*processor_field(VMCS_GUEST_INTERRUPTIBILITY_STATE) = 0;
	assert_true(model_exit_for(EXIT_NMI_WINDOW, 0));
	assert_int_equal(processor.injected, EVENT_NMI);
	assert_false(window_is_open());
	assert_false(scene_running(VMCS_PIN_BASED_CONTROLS) & PIN_NMI_EXITING);
}

/* Expect: an end in plain words, not a VM entry that the processor refuses. */
static void without_the_state_to_wait_for_sipi_init_ends_the_machine(void **state)
{
	(void)state;
	scene_begin(BUILD_LONG);
	scene.hardware.misc &= ~VMX_MISC_ACTIVITY_WAIT_FOR_SIPI;
	assert_true(model_boot(&scene.hardware, false));
	assert_false(model_exit_for(EXIT_INIT_SIGNAL, 0));
	assert_non_null(model.ended);
	assert_non_null(strstr(model.ended, "SIPI"));
	assert_false(model.panicked);
}

static void init_and_sipi_start_l1_anew(void **state)
{
	(void)state;
	scene_begin(BUILD_LONG);
	assert_true(model_boot(&scene.hardware, false));
	assert_true(model_exit_for(EXIT_INIT_SIGNAL, 0));
	assert_int_equal(scene_running(VMCS_GUEST_ACTIVITY_STATE), ACTIVITY_WAIT_FOR_SIPI);
	assert_true(model.apic_disabled);
	assert_true(model_exit_for(EXIT_SIPI, 0x12));
	assert_int_equal(scene_running(VMCS_GUEST_CS_BASE), 0x12000);
	assert_false(model.apic_disabled);
}

/* --- NMIs in L2 ------------------------------------------------------------------------ */

static void an_nmi_that_l1_does_not_want_is_l2s(void **state)
{
	(void)state;
	begin(0);
	nmi_in_root_mode();
	scene_enter();
	assert_int_equal(processor.injected, EVENT_NMI);
}

static void an_nmi_that_l1_wants_comes_at_l2s_window(void **state)
{
	(void)state;
	begin(PIN_NMI_EXITING);
	scene_enter();
	scene_exit_to_l1(EXIT_CPUID, 0);
	*processor_field(VMCS_GUEST_INTERRUPTIBILITY_STATE) = INTERRUPTIBILITY_NMI;	/* L1 is within its own handler */
	nmi_in_root_mode();
	scene_enter();
	assert_true(window_is_open());
	assert_true(model_exit_for(EXIT_NMI_WINDOW, 0));
	assert_nmi_exit();
	scene_enter();
	assert_false(window_is_open());
}

/* The processor itself brings one while the window is open: it is L1's in any case, and one is enough. */
static void an_nmi_at_an_open_window_is_one(void **state)
{
	(void)state;
	begin(PIN_NMI_EXITING);
	*processor_field(VMCS_GUEST_INTERRUPTIBILITY_STATE) = INTERRUPTIBILITY_NMI;
	nmi_in_root_mode();
	scene_enter();
	assert_true(window_is_open());
	assert_true(model_exit(&nmi_exit));
	assert_nmi_exit();
	assert_true(model_exit_for(EXIT_CPUID, 0));
	assert_false(processor.injected & INTERRUPTION_VALID);
}

/* With virtual NMIs, blocking in L2 is not that of physical ones: L2 is left before its first instruction. */
static void an_nmi_reaches_l1_past_virtual_blocking(void **state)
{
	(void)state;
	for (u32 timer = 0; timer < 2; timer++) {
		scene_begin(BUILD_LONG);
		scene_control(WORD_PIN, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS, 0);
		scene_set(VMCS_GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_NMI);
		if (!timer)
			scene.hardware.control[WORD_PIN].may_be_1 &= ~PIN_ACTIVATE_PREEMPTION_TIMER;
		scene_play();
		*processor_field(VMCS_GUEST_INTERRUPTIBILITY_STATE) = INTERRUPTIBILITY_NMI;
		nmi_in_root_mode();
		assert_int_equal(l1_vmlaunch().outcome, L1_EXITED);
		assert_nmi_exit();
		assert_int_equal(l1_get(VMCS_GUEST_INTERRUPTIBILITY_STATE), INTERRUPTIBILITY_NMI);
		assert_int_equal(l1_get(VMCS_GUEST_RIP), vmcs12_get(&scene.vmcs12, VMCS_GUEST_RIP));
	}
}

/* Without virtual NMIs nothing that L2 does ends the blocking: no window would ever come. */
static void an_nmi_is_held_where_it_stays_blocked(void **state)
{
	(void)state;
	scene_begin(BUILD_LONG);
	scene_control(WORD_PIN, PIN_NMI_EXITING, 0);
	scene_set(VMCS_GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_NMI);
	scene_play();
	*processor_field(VMCS_GUEST_INTERRUPTIBILITY_STATE) = INTERRUPTIBILITY_NMI;
	nmi_in_root_mode();
	scene_enter();
	assert_false(window_is_open());
	assert_int_equal(model.vcpu.nested->waiting, WAITING_NMI);
}

/* L1's own timer, expired at once, goes first. */
static void l1s_timer_goes_before_an_nmi(void **state)
{
	(void)state;
	scene_begin(BUILD_LONG);
	scene_control(WORD_PIN, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS | PIN_ACTIVATE_PREEMPTION_TIMER, 0);
	scene_set(VMCS_GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_NMI);
	scene_play();
	*processor_field(VMCS_GUEST_INTERRUPTIBILITY_STATE) = INTERRUPTIBILITY_NMI;
	nmi_in_root_mode();
	assert_int_equal(l1_vmlaunch().outcome, L1_EXITED);
	assert_int_equal(processor.injected, EVENT_NMI);	/* into L1, then */
	assert_int_equal(l1_get(VMCS_EXIT_REASON), EXIT_PREEMPTION_TIMER);
}

/* Expect: the entry failed, so the NMI was not delivered, and L1 gets it. */
static void an_nmi_whose_entry_fails_is_not_lost(void **state)
{
	(void)state;
	begin(0);
	nmi_in_root_mode();
	processor.fail_with = EXIT_INVALID_GUEST_STATE;
	assert_int_equal(l1_vmlaunch().outcome, L1_EXITED);
	assert_int_equal(processor.injected, EVENT_NMI);	/* into L1 */
	assert_int_equal(l1_get(VMCS_EXIT_REASON), EXIT_REASON_ENTRY_FAILURE | EXIT_INVALID_GUEST_STATE);
}

/* The same when the instruction itself fails; nothing of what vmcs02 was bent to stays. */
static void a_refused_entry_forgets_the_window(void **state)
{
	(void)state;
	begin(PIN_NMI_EXITING);
	*processor_field(VMCS_GUEST_INTERRUPTIBILITY_STATE) = INTERRUPTIBILITY_NMI;
	nmi_in_root_mode();
	processor.refuse_with = VMERR_CONTROLS;
	assert_int_equal(l1_vmlaunch().error, VMERR_CONTROLS);
	assert_false(model.vcpu.nested->nmi_window02);
	assert_int_equal(model.vcpu.nested->waiting & WAITING_NMI, WAITING_NMI);
	assert_true(window_is_open());
	scene_enter();
	assert_true(window_is_open());
	assert_true(model_exit_for(EXIT_NMI_WINDOW, 0));
	assert_nmi_exit();
	assert_false(window_is_open());
}

/* --- INIT ---------------------------------------------------------------------------------- */

/* Blocked in L1's VMX root operation: it is L1's exit as soon as L2 runs, before its first instruction. */
static void an_init_waits_for_l2(void **state)
{
	(void)state;
	for (u32 timer = 0; timer < 2; timer++) {
		scene_begin(BUILD_LONG);
		if (!timer)
			scene.hardware.control[WORD_PIN].may_be_1 &= ~PIN_ACTIVATE_PREEMPTION_TIMER;
		scene_play();
		assert_true(model_exit_for(EXIT_INIT_SIGNAL, 0));
		assert_int_equal(model.vcpu.nested->waiting, WAITING_INIT);
		assert_int_equal(l1_vmlaunch().outcome, L1_EXITED);
		assert_int_equal(l1_get(VMCS_EXIT_REASON), EXIT_INIT_SIGNAL);
		assert_int_equal(model.vcpu.nested->waiting, 0);
		scene_enter();
		assert_false(scene_running(VMCS_PIN_BASED_CONTROLS) & PIN_ACTIVATE_PREEMPTION_TIMER);
	}
}

static void an_init_waits_for_vmxoff(void **state)
{
	(void)state;
	begin(0);
	assert_true(model_exit_for(EXIT_INIT_SIGNAL, 0));
	(void)l1_vmxoff();
	assert_int_equal(scene_running(VMCS_GUEST_ACTIVITY_STATE), ACTIVITY_WAIT_FOR_SIPI);
	assert_int_equal(model.vcpu.nested->state, NESTED_OUTSIDE);
}

/* Expect: what INIT goes before, L2 has again afterwards: blocking by STI, a trap that is due; its trap flag exits are off meanwhile. */
static void an_init_goes_before_blocking_and_traps(void **state)
{
	(void)state;
	scene_begin(BUILD_LONG);
	scene_control(WORD_PROC, PROC_MONITOR_TRAP_FLAG, 0);
	scene_set(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF | RFLAGS_TF);
	scene_set(VMCS_GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_STI);
	scene_set(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, PENDING_DEBUG_BS);
	scene_set(VMCS_PREEMPTION_TIMER_VALUE, 0x777);
	scene_play();
	assert_true(model_exit_for(EXIT_INIT_SIGNAL, 0));
	assert_int_equal(l1_vmlaunch().outcome, L1_EXITED);
	assert_int_equal(l1_get(VMCS_EXIT_REASON), EXIT_INIT_SIGNAL);
	assert_int_equal(l1_get(VMCS_GUEST_INTERRUPTIBILITY_STATE), INTERRUPTIBILITY_STI);
	assert_int_equal(l1_get(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS), PENDING_DEBUG_BS);
	assert_int_equal(scene_of12(VMCS_PREEMPTION_TIMER_VALUE), 0x777);
}

/* An event that the entry injects is delivered first, and ends blocking by itself. */
static void an_init_comes_after_the_injected_event(void **state)
{
	(void)state;
	scene_begin(BUILD_LONG);
	scene_set(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	scene_set(VMCS_ENTRY_INTERRUPTION_INFORMATION, INTERRUPTION_VALID | 0x20);
	scene_play();
	assert_true(model_exit_for(EXIT_INIT_SIGNAL, 0));
	assert_int_equal(l1_vmlaunch().outcome, L1_EXITED);
	assert_int_equal(l1_get(VMCS_EXIT_REASON), EXIT_INIT_SIGNAL);
}

/* State that the processor is not to see whole must not pass for that reason. */
static void an_init_hides_no_bad_state(void **state)
{
	(void)state;
	begin(0);
	scene_enter();
	scene_exit_to_l1(EXIT_CPUID, 0);
	assert_int_equal(l1_vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE.encoding, INTERRUPTIBILITY_STI).outcome, L1_OK);
	assert_true(model_exit_for(EXIT_INIT_SIGNAL, 0));
	assert_int_equal(l1_vmresume().outcome, L1_EXITED);	/* blocking by STI with interrupts off */
	assert_int_equal(l1_get(VMCS_EXIT_REASON), EXIT_REASON_ENTRY_FAILURE | EXIT_INVALID_GUEST_STATE);
	assert_int_equal(model.vcpu.nested->waiting, WAITING_INIT);
}

/* L2's own exit may come in spite of the timer: it is what L1 sees, and the timer is L2's again. */
static void another_exit_may_come_first(void **state)
{
	(void)state;
	scene_begin(BUILD_LONG);
	scene_set(VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_HLT);
	scene_play();
	assert_true(model_exit_for(EXIT_INIT_SIGNAL, 0));
	processor.fail_with = EXIT_MACHINE_CHECK_ENTRY;
	assert_int_equal(l1_vmlaunch().outcome, L1_EXITED);
	assert_int_equal(l1_get(VMCS_EXIT_REASON), EXIT_REASON_ENTRY_FAILURE | EXIT_MACHINE_CHECK_ENTRY);
	assert_false(model.vcpu.nested->immediate.armed);
	assert_int_equal(model.vcpu.nested->waiting, WAITING_INIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_nmi_for_l1_is_injected),
		cmocka_unit_test(an_nmi_for_l1_waits_for_its_window),
		cmocka_unit_test(init_and_sipi_start_l1_anew),
		cmocka_unit_test(without_the_state_to_wait_for_sipi_init_ends_the_machine),
		cmocka_unit_test(an_nmi_that_l1_does_not_want_is_l2s),
		cmocka_unit_test(an_nmi_that_l1_wants_comes_at_l2s_window),
		cmocka_unit_test(an_nmi_at_an_open_window_is_one),
		cmocka_unit_test(an_nmi_reaches_l1_past_virtual_blocking),
		cmocka_unit_test(an_nmi_is_held_where_it_stays_blocked),
		cmocka_unit_test(l1s_timer_goes_before_an_nmi),
		cmocka_unit_test(an_nmi_whose_entry_fails_is_not_lost),
		cmocka_unit_test(a_refused_entry_forgets_the_window),
		cmocka_unit_test(an_init_waits_for_l2),
		cmocka_unit_test(an_init_waits_for_vmxoff),
		cmocka_unit_test(an_init_goes_before_blocking_and_traps),
		cmocka_unit_test(an_init_comes_after_the_injected_event),
		cmocka_unit_test(an_init_hides_no_bad_state),
		cmocka_unit_test(another_exit_may_come_first),
	};

	return SCENE_RUN_BOTH("path_windows", tests);
}
