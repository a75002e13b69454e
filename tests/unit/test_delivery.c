/* SPDX-License-Identifier: MIT */
/*
 * When an NMI or INIT that L0 holds may reach its guest. SDM "Priority Among
 * Concurrent Events", "Interruptibility State".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/vmcs12_builder.h"
#include "vmx/events.h"
#include "vmx/nested/delivery.h"

#define INJECT_INTERRUPT 0x80000021
#define INJECT_NMI 0x80000202
#define INJECT_MTF 0x80000700

static struct builder builder;
static struct delivery_state state;

static void start(u32 pin)
{
	u32 old;

	builder_init(&builder, BUILD_LONG);
	old = vmcs12_control(&builder.vmcs12, WORD_PIN) & ~(PIN_NMI_EXITING | PIN_VIRTUAL_NMIS);
	vmcs12_set(&builder.vmcs12, VMCS_PIN_BASED_CONTROLS, old | pin);
	state = (struct delivery_state){ .activity = ACTIVITY_ACTIVE };
}

static enum delivery nmi_in_l2(void)
{
	return delivery_of_nmi_in_l2(&builder.vmcs12, &state);
}

static void a_free_guest_takes_an_nmi_at_once(void **unused)
{
	(void)unused;
	start(0);
	assert_int_equal(delivery_of_nmi(&state), DELIVERY_NOW);
	assert_int_equal(nmi_in_l2(), DELIVERY_NOW);
	state.activity = ACTIVITY_HLT;
	assert_int_equal(delivery_of_nmi(&state), DELIVERY_NOW);
	state.activity = ACTIVITY_SHUTDOWN;
	assert_int_equal(delivery_of_nmi(&state), DELIVERY_NOW);
}

static void blocking_and_other_events_go_first(void **unused)
{
	static const u64 blocking[] = { INTERRUPTIBILITY_STI, INTERRUPTIBILITY_MOV_SS, INTERRUPTIBILITY_NMI };

	(void)unused;
	start(0);
	for (u32 i = 0; i < array_size(blocking); i++) {
		state.interruptibility = blocking[i];
		assert_int_equal(delivery_of_nmi(&state), DELIVERY_AT_WINDOW);
		assert_int_equal(nmi_in_l2(), DELIVERY_AT_WINDOW);
	}
	state.interruptibility = 0;
	state.injection = INJECT_INTERRUPT;
	assert_int_equal(delivery_of_nmi(&state), DELIVERY_AT_WINDOW);
	state.injection = INJECT_MTF;
	assert_int_equal(delivery_of_nmi(&state), DELIVERY_AT_WINDOW);
}

/* Expect: the trap is delivered first; an injection by the entry would have dropped it. */
static void a_debug_trap_that_is_due_goes_first(void **unused)
{
	static const u64 due[] = { PENDING_DEBUG_BS, BIT(12) | BIT(0), BIT(12) | BIT(3), BIT(16) | BIT(12) };

	(void)unused;
	start(0);
	for (u32 i = 0; i < array_size(due); i++) {
		state.pending_debug = due[i];
		assert_int_equal(delivery_of_nmi(&state), DELIVERY_AT_WINDOW);
	}
	state.pending_debug = BIT(2); /* a breakpoint met but not enabled */
	assert_int_equal(delivery_of_nmi(&state), DELIVERY_NOW);
}

static void waiting_for_sipi_blocks_nmi_and_init(void **unused)
{
	static const u32 pins[] = { 0, CONTROL_MASK(PIN, NMI_EXITING), CONTROL_MASK(PIN, NMI_EXITING) | CONTROL_MASK(PIN, VIRTUAL_NMIS) };

	(void)unused;
	for (u32 i = 0; i < array_size(pins); i++) {
		start(pins[i]);
		state.activity = ACTIVITY_WAIT_FOR_SIPI;
		assert_int_equal(delivery_of_nmi(&state), DELIVERY_HELD);
		assert_int_equal(nmi_in_l2(), DELIVERY_HELD);
		assert_int_equal(delivery_of_init_in_l2(&state), DELIVERY_HELD);
	}
}

static void nmi_exiting_awaits_the_window_when_nmis_are_free(void **unused)
{
	(void)unused;
	start(PIN_NMI_EXITING);
	assert_int_equal(nmi_in_l2(), DELIVERY_AT_WINDOW);
	state.interruptibility = INTERRUPTIBILITY_MOV_SS;
	assert_int_equal(nmi_in_l2(), DELIVERY_AT_WINDOW);
	state.injection = INJECT_INTERRUPT;
	assert_int_equal(nmi_in_l2(), DELIVERY_AT_WINDOW);
	start(PIN_NMI_EXITING | PIN_VIRTUAL_NMIS);
	assert_int_equal(nmi_in_l2(), DELIVERY_AT_WINDOW);
}

/* Expect: held. L2's IRET does not unblock NMIs there, so no window may be opened in which it would. */
static void nmi_exiting_without_virtual_nmis_holds_a_blocked_nmi(void **unused)
{
	(void)unused;
	start(PIN_NMI_EXITING);
	state.interruptibility = INTERRUPTIBILITY_NMI;
	assert_int_equal(nmi_in_l2(), DELIVERY_HELD);
	state.interruptibility = 0;
	state.injection = INJECT_NMI;
	assert_int_equal(nmi_in_l2(), DELIVERY_HELD);
}

static void virtual_nmi_blocking_does_not_block_a_physical_nmi(void **unused)
{
	(void)unused;
	start(PIN_NMI_EXITING | PIN_VIRTUAL_NMIS);
	state.interruptibility = INTERRUPTIBILITY_NMI;
	assert_int_equal(nmi_in_l2(), DELIVERY_LEAVE);
	state.interruptibility = 0;
	state.injection = INJECT_NMI;
	assert_int_equal(nmi_in_l2(), DELIVERY_LEAVE);
}

/* Expect: it is refused as it is, where the window needs virtual NMIs, and accepted as the window has it. */
static void a_window_does_not_spoil_the_injection_of_an_nmi(void **unused)
{
	struct entry_failure failure;

	(void)unused;
	start(PIN_NMI_EXITING | PIN_VIRTUAL_NMIS);
	state.injection = INJECT_NMI;
	state.interruptibility = INTERRUPTIBILITY_NMI;
	vmcs12_set(&builder.vmcs12, VMCS_ENTRY_INTERRUPTION_INFORMATION, INJECT_NMI);
	vmcs12_set(&builder.vmcs12, VMCS_GUEST_INTERRUPTIBILITY_STATE, state.interruptibility);
	assert_false(check_guest(&builder.context, &failure));
	vmcs12_set(&builder.vmcs12, VMCS_GUEST_INTERRUPTIBILITY_STATE, delivery_blocking_with_window(&state));
	assert_true(check_guest(&builder.context, &failure));
}

/* Expect: all else stays, for the window is to wait until it ends. */
static void a_window_keeps_other_blocking(void **unused)
{
	static const u64 injections[] = { 0, INJECT_INTERRUPT, INJECT_MTF, INJECT_NMI & ~(u64)INTERRUPTION_VALID };
	const u64 all = INTERRUPTIBILITY_STI | INTERRUPTIBILITY_SMI | INTERRUPTIBILITY_NMI;

	(void)unused;
	start(0);
	state.interruptibility = all;
	for (u32 i = 0; i < array_size(injections); i++) {
		state.injection = injections[i];
		assert_int_equal(delivery_blocking_with_window(&state), all);
	}
	state.injection = INJECT_NMI;
	assert_int_equal(delivery_blocking_with_window(&state), all & ~(u64)INTERRUPTIBILITY_NMI);
}

/* Expect: the NMI is delivered by the next entry, whether or not STI held the window back. */
static void after_the_window_comes_the_nmi(void **unused)
{
	static const u64 left[] = { 0, INTERRUPTIBILITY_STI, INTERRUPTIBILITY_ENCLAVE };

	(void)unused;
	start(0);
	for (u32 i = 0; i < array_size(left); i++) {
		state.interruptibility = delivery_blocking_after_window(left[i]);
		assert_int_equal(state.interruptibility, left[i] & ~(u64)INTERRUPTIBILITY_STI);
		assert_int_equal(delivery_of_nmi(&state), DELIVERY_NOW);
		assert_int_equal(nmi_in_l2(), DELIVERY_NOW);
	}
}

static void init_leaves_from_every_other_state(void **unused)
{
	static const u64 activities[] = { ACTIVITY_ACTIVE, ACTIVITY_HLT, ACTIVITY_SHUTDOWN };

	(void)unused;
	start(0);
	state.interruptibility = INTERRUPTIBILITY_NMI | INTERRUPTIBILITY_MOV_SS;
	for (u32 i = 0; i < array_size(activities); i++) {
		state.activity = activities[i];
		assert_int_equal(delivery_of_init_in_l2(&state), DELIVERY_LEAVE);
	}
}

static void only_events_that_go_through_the_idt_are_vectoring(void **unused)
{
	(void)unused;
	start(0);
	assert_false(delivery_is_vectoring(&state));
	state.injection = INJECT_INTERRUPT;
	assert_true(delivery_is_vectoring(&state));
	state.injection = INJECT_MTF;
	assert_false(delivery_is_vectoring(&state));
	state.injection = INJECT_NMI & ~(u64)INTERRUPTION_VALID;
	assert_false(delivery_is_vectoring(&state));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_free_guest_takes_an_nmi_at_once),
		cmocka_unit_test(blocking_and_other_events_go_first),
		cmocka_unit_test(a_debug_trap_that_is_due_goes_first),
		cmocka_unit_test(waiting_for_sipi_blocks_nmi_and_init),
		cmocka_unit_test(nmi_exiting_awaits_the_window_when_nmis_are_free),
		cmocka_unit_test(nmi_exiting_without_virtual_nmis_holds_a_blocked_nmi),
		cmocka_unit_test(virtual_nmi_blocking_does_not_block_a_physical_nmi),
		cmocka_unit_test(a_window_does_not_spoil_the_injection_of_an_nmi),
		cmocka_unit_test(a_window_keeps_other_blocking),
		cmocka_unit_test(after_the_window_comes_the_nmi),
		cmocka_unit_test(init_leaves_from_every_other_state),
		cmocka_unit_test(only_events_that_go_through_the_idt_are_vectoring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
