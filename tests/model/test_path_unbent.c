/* SPDX-License-Identifier: MIT */
/*
 * vmcs02 is bent for windows and immediate exits (vmx/nested/windows.c); when the entry fails, in
 * whichever way, nothing of that may stay: the next entry has the vmcs02 of a vmcs12 that never failed.
 */
#include "tests/model/scene.h"

#include <string.h>

enum bend { NOT_BENT, NMI_WINDOW, IMMEDIATE_NMI, IMMEDIATE_INIT, BENDS };

static void prepare(enum bend bend)
{
	scene_begin(BUILD_LONG);
	scene_control(WORD_PIN, bend == IMMEDIATE_NMI ? PIN_NMI_EXITING | PIN_VIRTUAL_NMIS : 0, 0);
	if (bend == IMMEDIATE_INIT) {
		scene_set(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
		scene_set(VMCS_GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_STI);
	} else {
		scene_set(VMCS_GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_NMI);
	}
	if (bend == NMI_WINDOW)
		scene_set(VMCS_ENTRY_INTERRUPTION_INFORMATION, EVENT_NMI);
	scene_play();
	/* Or the NMI would be L1's own before it is anybody's. */
	*processor_field(VMCS_GUEST_INTERRUPTIBILITY_STATE) = INTERRUPTIBILITY_NMI;
}

static void bend_next_entry(enum bend bend)
{
	if (bend == IMMEDIATE_INIT)
		model.vcpu.nested->waiting |= WAITING_INIT;
	else
		model.cpu.nmi_pending = 1;
}

/* L1 changes a field that does not exit, and enters; what waited is gone. */
static struct vmcs_image enter_again(void)
{
	model.vcpu.nested->waiting = 0;
	assert_int_equal(l1_vmwrite(VMCS_GUEST_RSP.encoding, 0x1230).outcome, L1_OK);
	scene_enter();
	return processor.current->fields;
}

static void compare(const struct vmcs_image *fields, const struct vmcs_image *expected)
{
	const struct nested *nested = model.vcpu.nested;

	for (u32 i = 0; i < nested->row02_count; i++) {
		u16 row = nested->rows02[i];

		if (fields->value[row] != expected->value[row])
			fail_msg("%s is %lx, not %lx", vmcs_fields[row].name, fields->value[row], expected->value[row]);
	}
}

static void fail_and_enter(enum bend bend, u32 error, u32 reason)
{
	struct vmcs_image expected, fields;
	struct l1_result result;

	prepare(bend);
	expected = enter_again();
	prepare(bend);
	bend_next_entry(bend);
	processor.refuse_with = error;
	processor.fail_with = reason;
	result = l1_vmlaunch();
	assert_int_equal(result.outcome, error ? L1_FAIL_VALID : L1_EXITED);
	assert_false(model.vcpu.nested->nmi_window02);
	assert_false(model.vcpu.nested->immediate.armed);
	fields = enter_again();
	compare(&fields, &expected);
}

static void a_vmfail_leaves_nothing_bent(void **state)
{
	(void)state;
	for (enum bend bend = NMI_WINDOW; bend < BENDS; bend++) {
		fail_and_enter(bend, VMERR_CONTROLS, 0);
		fail_and_enter(bend, VMERR_HOST_STATE, 0);
	}
}

static void a_failed_entry_leaves_nothing_bent(void **state)
{
	(void)state;
	for (enum bend bend = NMI_WINDOW; bend < BENDS; bend++) {
		fail_and_enter(bend, 0, EXIT_INVALID_GUEST_STATE);
		fail_and_enter(bend, 0, EXIT_MSR_LOADING);
		fail_and_enter(bend, 0, EXIT_MACHINE_CHECK_ENTRY);
	}
}

/* Expect: that the entries above really are bent. */
static void entries_are_bent(void **state)
{
	struct vmcs_image straight;

	(void)state;
	prepare(NMI_WINDOW);
	straight = enter_again();
	assert_int_equal(image_get(&straight, VMCS_GUEST_INTERRUPTIBILITY_STATE), INTERRUPTIBILITY_NMI);
	prepare(NMI_WINDOW);
	bend_next_entry(NMI_WINDOW);
	scene_enter();
	assert_int_equal(scene_running(VMCS_GUEST_INTERRUPTIBILITY_STATE), 0);
	assert_true(scene_running(VMCS_PROCESSOR_BASED_CONTROLS) & PROC_NMI_WINDOW_EXITING);
	prepare(IMMEDIATE_NMI);
	bend_next_entry(IMMEDIATE_NMI);
	assert_int_equal(l1_vmlaunch().outcome, L1_EXITED);
	assert_int_equal(l1_get(VMCS_EXIT_REASON), EXIT_EXCEPTION_OR_NMI);
	prepare(IMMEDIATE_INIT);
	bend_next_entry(IMMEDIATE_INIT);
	assert_int_equal(l1_vmlaunch().outcome, L1_EXITED);
	assert_int_equal(l1_get(VMCS_EXIT_REASON), EXIT_INIT_SIGNAL);
	assert_int_equal(l1_get(VMCS_GUEST_INTERRUPTIBILITY_STATE), INTERRUPTIBILITY_STI);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_are_bent),
		cmocka_unit_test(a_vmfail_leaves_nothing_bent),
		cmocka_unit_test(a_failed_entry_leaves_nothing_bent),
	};

	return cmocka_run_group_tests_name("path_unbent", tests, NULL, NULL);
}
