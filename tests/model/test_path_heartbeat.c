/* SPDX-License-Identifier: MIT */
/*
 * L0's heartbeat (vmx/heartbeat.h) on the model: it comes in L1 and in an L2 that has no timer of L1's, never stops, and
 * neither L1 nor L1's timer knows of it.
 */
#include "tests/model/scene.h"

#include "vmx/heartbeat.h"

#define KEY 0x1d
#define TIMER UINT64_C(0x123456)
#define BITMAP UINT64_C(0xa0000)	/* all zeros */

static void play(bool l1s_timer)
{
	scene_control(WORD_EXIT, EXIT_SAVE_DEBUG_CONTROLS | EXIT_SAVE_IA32_EFER | EXIT_LOAD_IA32_EFER | EXIT_SAVE_IA32_PAT |
		      EXIT_LOAD_IA32_PAT, 0);
	scene_control(WORD_ENTRY, ENTRY_LOAD_DEBUG_CONTROLS | ENTRY_LOAD_IA32_EFER | ENTRY_LOAD_IA32_PAT, 0);
	if (l1s_timer)
		scene_control(WORD_PIN, PIN_ACTIVATE_PREEMPTION_TIMER, 0);
	scene_set(VMCS_PREEMPTION_TIMER_VALUE, TIMER);
	model_monitor_key = KEY;
	scene_play();
	model_monitor_key = 0;
}

static void begin(bool l1s_timer)
{
	scene_begin(BUILD_LONG);
	play(l1s_timer);
}

static u64 heartbeat(void)
{
	return HEARTBEAT_TICKS >> (scene.hardware.misc & 0x1f);
}

/* It has counted down. */
static void beat(void)
{
	u64 rip = scene_running(VMCS_GUEST_RIP);
	bool in_l2 = model_in_l2();

	assert_true(scene_running(VMCS_PIN_BASED_CONTROLS) & PIN_ACTIVATE_PREEMPTION_TIMER);
	*processor_field(VMCS_PREEMPTION_TIMER_VALUE) = 0;
	assert_true(model_exit_for(EXIT_PREEMPTION_TIMER, 0));
	assert_true(processor.in_guest && model_in_l2() == in_l2);
	assert_true(scene_running(VMCS_GUEST_RIP) == rip);
	assert_int_equal(scene_running(VMCS_PREEMPTION_TIMER_VALUE), heartbeat());
}

static void round_trip(void)
{
	scene_enter();
	scene_exit_to_l1(EXIT_CPUID, 0);
	l1_set(VMCS_GUEST_RIP, l1_get(VMCS_GUEST_RIP) + 2);
}

/* Expect: it counts through exits of both, and vmcs12 keeps the value that L1 has written. */
static void it_comes_in_l1_and_in_l2(void **state)
{
	(void)state;
	begin(false);
	for (u32 i = 0; i < 6; i++) {
		assert_true(scene_running(VMCS_EXIT_CONTROLS) & EXIT_SAVE_PREEMPTION_TIMER);
		beat();
		beat();
		scene_enter();
		assert_true(scene_running(VMCS_EXIT_CONTROLS) & EXIT_SAVE_PREEMPTION_TIMER);
		beat();
		beat();
		scene_exit_to_l1(EXIT_CPUID, 0);
		assert_int_equal(l1_get(VMCS_PREEMPTION_TIMER_VALUE), TIMER);
		l1_set(VMCS_GUEST_RIP, l1_get(VMCS_GUEST_RIP) + 2);
	}
}

/* Expect: L1's timer is L1's. */
static void it_makes_way_for_l1s(void **state)
{
	(void)state;
	begin(true);
	for (u32 i = 0; i < 6; i++) {
		beat();
		scene_enter();
		assert_int_equal(scene_running(VMCS_PREEMPTION_TIMER_VALUE), TIMER);
		scene_exit_to_l1(EXIT_PREEMPTION_TIMER, 0);
	}
}

/* L0 keeps an exit of L2 to itself, which has saved this for the timer. */
static void exit_to_l0_with(u64 timer)
{
	*processor_field(VMCS_PREEMPTION_TIMER_VALUE) = timer;
	model.vcpu.regs.gpr[REG_RCX] = IA32_FEATURE_CONTROL;
	assert_true(model_exit_for(EXIT_RDMSR, 0));
}

/* Expect: L1's timer at 0 is due until L1 has the exit, whatever L0's exit before it has saved. Bochs saves what L1's time has left. */
static void l1s_timer_stays_due(void **state)
{
	(void)state;
	scene_begin(BUILD_LONG);
	scene_control(WORD_PROC, PROC_USE_MSR_BITMAPS, 0);
	scene_set(VMCS_MSR_BITMAP_ADDRESS, BITMAP);
	play(true);
	for (u64 timer = 0; timer < 2; timer++) {
		l1_set(VMCS_PREEMPTION_TIMER_VALUE, timer);
		l1_set(VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_WAIT_FOR_SIPI); /* the only one in which no timer exits */
		scene_enter();
		*processor_field(VMCS_GUEST_ACTIVITY_STATE) = ACTIVITY_ACTIVE;
		exit_to_l0_with(timer ? timer : heartbeat() - 1);
		assert_true(model_in_l2() == (timer != 0));
	}
	assert_int_equal(scene_running(VMCS_PREEMPTION_TIMER_VALUE), 1);
	scene_exit_to_l1(EXIT_PREEMPTION_TIMER, 0);
}

/* Expect: what L1 writes for a timer that it has not activated never reaches the processor, also where L1 writes it before each entry. */
static void an_idle_timer_of_l1s_is_not_taken_for_it(void **state)
{
	(void)state;
	begin(false);
	for (u32 i = 0; i < 12; i++) {
		l1_set(VMCS_PREEMPTION_TIMER_VALUE, i % 3);
		scene_enter();
		assert_int_equal(scene_running(VMCS_PREEMPTION_TIMER_VALUE), heartbeat());
		scene_exit_to_l1(EXIT_CPUID, 0);
		assert_int_equal(l1_get(VMCS_PREEMPTION_TIMER_VALUE), i % 3);
	}
}

/* Expect: on and off, each time the right one, also when L1's value is the same as L0's and has counted down. */
static void l1s_timer_comes_and_goes(void **state)
{
	(void)state;
	begin(false);
	l1_set(VMCS_PREEMPTION_TIMER_VALUE, heartbeat());
	for (u32 i = 0; i < 12; i++) {
		bool on = i / 2 % 2;
		u64 pin = l1_get(VMCS_PIN_BASED_CONTROLS) & ~(u64)PIN_ACTIVATE_PREEMPTION_TIMER;

		l1_set(VMCS_PIN_BASED_CONTROLS, on ? pin | PIN_ACTIVATE_PREEMPTION_TIMER : pin);
		scene_enter();
		if (on)
			*processor_field(VMCS_PREEMPTION_TIMER_VALUE) = 0;
		else
			beat();
		scene_exit_to_l1(on ? EXIT_PREEMPTION_TIMER : EXIT_CPUID, 0);
		assert_int_equal(l1_get(VMCS_PREEMPTION_TIMER_VALUE), heartbeat());
	}
}

/* Expect: the exits between are as quick as without, and do not wind it up. */
static void quick_ways_stay_quick(void **state)
{
	u32 quick;

	(void)state;
	begin(false);
	for (u32 i = 0; i < 8; i++)
		round_trip();
	quick = model.vcpu.nested->current->quick.leaves;
	for (u64 i = 1; i <= 8; i++) {
		scene_enter();
		*processor_field(VMCS_PREEMPTION_TIMER_VALUE) = heartbeat() - i;
		scene_exit_to_l1(EXIT_CPUID, 0);
		assert_int_equal(scene_of02(VMCS_PREEMPTION_TIMER_VALUE), heartbeat() - i);
	}
	assert_int_equal(model.vcpu.nested->current->quick.leaves, quick + 8);
}

static void without_the_controls_there_is_none(void **state)
{
	(void)state;
	for (u32 i = 0; i < 2; i++) {
		scene_begin(BUILD_LONG);
		if (i)
			scene.hardware.control[WORD_EXIT].may_be_1 &= ~EXIT_SAVE_PREEMPTION_TIMER;
		else
			scene.hardware.control[WORD_PIN].may_be_1 &= ~PIN_ACTIVATE_PREEMPTION_TIMER;
		play(false);
		assert_false(scene_running(VMCS_PIN_BASED_CONTROLS) & PIN_ACTIVATE_PREEMPTION_TIMER);
		scene_enter();
		assert_false(scene_running(VMCS_PIN_BASED_CONTROLS) & PIN_ACTIVATE_PREEMPTION_TIMER);
	}
}

static void without_a_monitor_there_is_none(void **state)
{
	(void)state;
	scene_begin(BUILD_LONG);
	scene_play();
	assert_int_equal(model.machine->heartbeat, 0);
	assert_false(scene_running(VMCS_PIN_BASED_CONTROLS) & PIN_ACTIVATE_PREEMPTION_TIMER);
}

/* Expect: never 0, which would be nothing but exits, however slow the timer is. */
static void its_value_is_never_0(void **state)
{
	struct vmx_caps caps;

	(void)state;
	scene_begin(BUILD_LONG);
	caps = scene.hardware;
	for (u64 rate = 0; rate < 32; rate++) {
		caps.misc = (caps.misc & ~UINT64_C(0x1f)) | rate;
		assert_true(heartbeat_value(&caps) != 0);
		assert_true(heartbeat_value(&caps) == 1 || (u64)heartbeat_value(&caps) << rate <= HEARTBEAT_TICKS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_comes_in_l1_and_in_l2),
		cmocka_unit_test(it_makes_way_for_l1s),
		cmocka_unit_test(l1s_timer_stays_due),
		cmocka_unit_test(an_idle_timer_of_l1s_is_not_taken_for_it),
		cmocka_unit_test(l1s_timer_comes_and_goes),
		cmocka_unit_test(quick_ways_stay_quick),
		cmocka_unit_test(without_the_controls_there_is_none),
		cmocka_unit_test(without_a_monitor_there_is_none),
		cmocka_unit_test(its_value_is_never_0),
	};

	return SCENE_RUN_BOTH("heartbeat", tests);
}
