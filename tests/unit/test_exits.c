/* SPDX-License-Identifier: MIT */
/*
 * exits.def: every reason has a name, a rule and a handler; the rules ask only
 * for controls that L1 can set; and an exit that nobody handles cannot come.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

/* exits.c is one array and a call; what its headers need of the kernel is not executed here. */
#undef HOST_TEST
#include "vmx/exits.c"

#include "vmx/msr_bitmap.h"
#include "vmx/nested/reflect.h"

/* --- handlers that only say who they are -------------------------------------- */

static const char *called;

#define HANDLER(name)                                                                  \
	void handle_##name(maybe_unused struct vcpu *vcpu, maybe_unused const struct vm_exit *exit) \
	{                                                                              \
		called = #name;                                                        \
	}

HANDLER(exception_or_nmi)
HANDLER(triple_fault)
HANDLER(init_signal)
HANDLER(sipi)
HANDLER(task_switch)
HANDLER(nmi_window)
HANDLER(cpuid)
HANDLER(getsec)
HANDLER(invd)
HANDLER(undefined_opcode)
HANDLER(vmcall)
HANDLER(vmclear)
HANDLER(vmlaunch)
HANDLER(vmptrld)
HANDLER(vmptrst)
HANDLER(vmread)
HANDLER(vmresume)
HANDLER(vmwrite)
HANDLER(vmxoff)
HANDLER(vmxon)
HANDLER(cr_access)
HANDLER(rdmsr)
HANDLER(wrmsr)
HANDLER(entry_failure)
HANDLER(machine_check)
HANDLER(io_instruction)
HANDLER(ept_violation)
HANDLER(ept_misconfiguration)
HANDLER(invept)
HANDLER(preemption_timer)
HANDLER(invvpid)
HANDLER(xsetbv)
HANDLER(unexpected)
HANDLER(vmfunc)
HANDLER(descriptor_tables)

/* --- the table as data ----------------------------------------------------------- */

struct row {
	u32 number;
	const char *name, *handler;
	char kind;		/* '0' L0, '1' L1, 'I' IF, 'A' ASK */
	u8 word;
	u32 control;
};

#define L0 '0', 0, 0
#define L1 '1', 0, 0
#define IF(word, name) 'I', WORD_##word, CONTROL_MASK(word, name)
#define ASK(function) 'A', 0, 0
static const struct row rows[] = {
#define X(number, name, handler, rule) { number, #name, #handler, rule },
#include "vmx/exits.def"
#undef X
};
#undef L0
#undef L1
#undef IF
#undef ASK

static const struct control_info *control_of(const struct row *row)
{
	for (u32 i = 0; i < controls_count; i++)
		if (controls[i].word == row->word && UINT32_C(1) << controls[i].bit == row->control)
			return &controls[i];
	return NULL;
}

static bool is_unexpected(const struct row *row)
{
	return strcmp(row->handler, "unexpected") == 0;
}

static enum reflect_owner owner_of(const struct row *row, const struct vmcs12 *vmcs12)
{
	struct vm_exit exit = { .reason = row->number, .basic = (u16)row->number };
	struct reflect_question question = { .vmcs12 = vmcs12, .exit = &exit, .msr = 0x10 };

	return reflect(&question);
}

/* --- tests -------------------------------------------------------------------------- */

static void every_reason_has_a_name_and_a_rule(void **state)
{
	(void)state;
	for (u32 i = 0; i < array_size(rows); i++) {
		assert_string_equal(exit_name(rows[i].number), rows[i].name);
		assert_true(reflect_is_known(rows[i].number));
		assert_true(rows[i].number < EXIT_REASON_COUNT);
		assert_true(i == 0 || rows[i].number > rows[i - 1].number);
	}
}

static void every_reason_has_its_own_handler(void **state)
{
	(void)state;
	for (u32 i = 0; i < array_size(rows); i++) {
		struct vm_exit exit = { .basic = (u16)rows[i].number };

		called = NULL;
		exits_dispatch(NULL, &exit);
		assert_string_equal(called, rows[i].handler);
	}
}

/* Expect: a number that the table lacks, within its range or far beyond, is unknown, and an instruction that L1's processor lacks. */
static void a_reason_without_a_row_is_an_undefined_opcode(void **state)
{
	static const u16 unknown[] = { 35, 38, 42, 69, 74, 77, 78, 100, 0xffff };

	(void)state;
	for (u32 i = 0; i < array_size(unknown); i++) {
		struct vm_exit exit = { .basic = unknown[i] };

		called = NULL;
		exits_dispatch(NULL, &exit);
		assert_string_equal(called, "undefined_opcode");
		assert_string_equal(exit_name(unknown[i]), "UNKNOWN");
		assert_false(reflect_is_known(unknown[i]));
	}
}

static void rules_ask_only_for_controls_that_l1_may_set(void **state)
{
	(void)state;
	for (u32 i = 0; i < array_size(rows); i++) {
		if (rows[i].kind != 'I')
			continue;
		assert_non_null(control_of(&rows[i]));
		if (!control_of(&rows[i])->offered)
			fail_msg("%s asks for %s", rows[i].name, control_of(&rows[i])->name);
	}
}

/* Expect: where L0 has no handler, only L1's control makes L2 exit, so the exit is L1's. */
static void an_exit_without_a_handler_is_never_l0s(void **state)
{
	(void)state;
	for (u32 i = 0; i < array_size(rows); i++) {
		if (!is_unexpected(&rows[i]))
			continue;
		if (rows[i].kind == 'I' && control_of(&rows[i])->merge != MERGE_L1)
			fail_msg("%s: L2 may exit for L0's sake", rows[i].name);
		assert_int_not_equal(rows[i].kind, 'A');
	}
}

/* SDM "Instructions That Cause VM Exits Unconditionally", "Other Causes of VM Exits": L1 can do these whatever L0 sets. */
static void what_always_exits_has_a_handler(void **state)
{
	static const u32 always[] = {
		EXIT_TRIPLE_FAULT, EXIT_INIT_SIGNAL, EXIT_SIPI, EXIT_TASK_SWITCH, EXIT_CPUID, EXIT_GETSEC, EXIT_INVD, EXIT_XSETBV,
		EXIT_VMCALL, EXIT_VMCLEAR, EXIT_VMLAUNCH, EXIT_VMPTRLD, EXIT_VMPTRST, EXIT_VMREAD, EXIT_VMRESUME, EXIT_VMWRITE,
		EXIT_VMXOFF, EXIT_VMXON, EXIT_INVEPT, EXIT_INVVPID, EXIT_RDMSR, EXIT_WRMSR, EXIT_CR_ACCESS, EXIT_EPT_VIOLATION,
		EXIT_EPT_MISCONFIGURATION, EXIT_INVALID_GUEST_STATE, EXIT_MSR_LOADING, EXIT_MACHINE_CHECK_ENTRY,
	};

	(void)state;
	for (u32 i = 0; i < array_size(always); i++) {
		struct vm_exit exit = { .basic = (u16)always[i] };

		exits_dispatch(NULL, &exit);
		if (strcmp(called, "unexpected") == 0)
			fail_msg("%s", exit_name(always[i]));
	}
}

/* Expect: L1 sees none of what only L0 could have caused, whatever vmcs12 says; and the cause is out of reach. */
static void exits_that_l0_must_have_are_never_l1s(void **state)
{
	static const struct { u32 reason; u32 control; } must[] = {
		{ EXIT_VMFUNC, 0 },	/* in L1's name: it decides there what is L1's */
		{ EXIT_PML_FULL, CONTROL_MASK(PROC2, ENABLE_PML) },
	};
	static struct vmcs12 vmcs12;
	u32 count = 0;

	(void)state;
	memset(&vmcs12.fields, 0xff, sizeof(vmcs12.fields));
	for (u32 i = 0; i < array_size(rows); i++) {
		if (rows[i].kind != '0')
			continue;
		assert_true(count < array_size(must));
		assert_int_equal(rows[i].number, must[count].reason);
		assert_int_equal(owner_of(&rows[i], &vmcs12), OWNER_L0);
		if (must[count].control)
			assert_int_equal(control_of(&(struct row){ .word = WORD_PROC2, .control = must[count].control })->merge, MERGE_OFF);
		count++;
	}
	assert_int_equal(count, array_size(must));
}

/* Expect: with no control set in vmcs12, L1 gets what always exits, and L0 the rest; with all set, L1 gets every IF. */
static void rules_follow_the_controls(void **state)
{
	static struct vmcs12 none, all;

	(void)state;
	memset(&none, 0, sizeof(none));
	memset(&all.fields, 0xff, sizeof(all.fields));
	for (u32 i = 0; i < array_size(rows); i++) {
		if (rows[i].kind == 'I') {
			assert_int_equal(owner_of(&rows[i], &none), OWNER_L0);
			assert_int_equal(owner_of(&rows[i], &all), OWNER_L1);
		} else if (rows[i].kind == '1') {
			assert_int_equal(owner_of(&rows[i], &none), OWNER_L1);
			assert_int_equal(owner_of(&rows[i], &all), OWNER_L1);
		}
	}
}

/* Expect: one control alone decides, and no other of its word. */
static void each_rule_listens_to_its_own_control(void **state)
{
	static struct vmcs12 vmcs12;

	(void)state;
	for (u32 i = 0; i < array_size(rows); i++) {
		u32 others;

		if (rows[i].kind != 'I')
			continue;
		memset(&vmcs12, 0, sizeof(vmcs12));
		vmcs12_set(&vmcs12, VMCS_PROCESSOR_BASED_CONTROLS, PROC_ACTIVATE_SECONDARY_CONTROLS);
		others = vmcs12_control(&vmcs12, (enum control_word)rows[i].word);
		vmcs12_set(&vmcs12, control_fields[rows[i].word], others | rows[i].control);
		assert_int_equal(owner_of(&rows[i], &vmcs12), OWNER_L1);
		vmcs12_set(&vmcs12, control_fields[rows[i].word], ~rows[i].control);
		assert_int_equal(owner_of(&rows[i], &vmcs12), OWNER_L0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_reason_has_a_name_and_a_rule),
		cmocka_unit_test(every_reason_has_its_own_handler),
		cmocka_unit_test(a_reason_without_a_row_is_an_undefined_opcode),
		cmocka_unit_test(rules_ask_only_for_controls_that_l1_may_set),
		cmocka_unit_test(an_exit_without_a_handler_is_never_l0s),
		cmocka_unit_test(what_always_exits_has_a_handler),
		cmocka_unit_test(exits_that_l0_must_have_are_never_l1s),
		cmocka_unit_test(rules_follow_the_controls),
		cmocka_unit_test(each_rule_listens_to_its_own_control),
	};

	return cmocka_run_group_tests_name("exits", tests, NULL, NULL);
}
