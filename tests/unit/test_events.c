/* SPDX-License-Identifier: MIT */
/* Interruption-information words. SDM "VM-Entry Controls for Event Injection", "Exceptions and Interrupts". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/compiler.h"
#include "arch/x86.h"
#include "vmx/events.h"

static void the_type_is_bits_10_to_8(void **state)
{
	(void)state;
	for (u32 type = 0; type < 8; type++) {
		assert_int_equal(interruption_type(0x80000000u | type << 8), type);
		assert_int_equal(interruption_type(~UINT32_C(0x700) | type << 8), type);
	}
}

static void an_nmi_is_one_only_when_valid(void **state)
{
	(void)state;
	assert_true(interruption_is_nmi(0x80000202));
	assert_true(interruption_is_nmi(0x80001202));
	assert_false(interruption_is_nmi(0x00000202));
	assert_false(interruption_is_nmi(0x80000302));
	assert_false(interruption_is_nmi(0x80000002));
}

static void software_events_alone_have_an_instruction_length(void **state)
{
	(void)state;
	for (u32 type = 0; type < 8; type++) {
		bool software = type == INTERRUPTION_SOFTWARE_INTERRUPT || type == INTERRUPTION_PRIVILEGED_SOFTWARE_EXCEPTION ||
				type == INTERRUPTION_SOFTWARE_EXCEPTION;

		assert_true(interruption_has_length(0x80000000u | type << 8) == software);
	}
}

/* Expect: #DF, #TS, #NP, #SS, #GP, #PF, #AC and #CP, and no other of 256. */
static void eight_exceptions_push_an_error_code(void **state)
{
	static const u8 with_code[] = { 8, 10, 11, 12, 13, 14, 17, 21 };
	u32 next = 0;

	(void)state;
	for (u32 vector = 0; vector < 256; vector++) {
		bool expected = next < array_size(with_code) && with_code[next] == vector;

		next += expected;
		assert_true(exception_has_error_code((u8)vector) == expected);
	}
	assert_int_equal(next, array_size(with_code));
}

static void an_exception_to_inject_is_one_word(void **state)
{
	(void)state;
	assert_int_equal(event_exception(VECTOR_UD), 0x80000306);
	assert_int_equal(event_exception(VECTOR_DB), 0x80000301);
	assert_int_equal(event_exception(VECTOR_GP), 0x80000b0d);
	assert_int_equal(event_exception(VECTOR_PF), 0x80000b0e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_type_is_bits_10_to_8),
		cmocka_unit_test(an_nmi_is_one_only_when_valid),
		cmocka_unit_test(software_events_alone_have_an_instruction_length),
		cmocka_unit_test(eight_exceptions_push_an_error_code),
		cmocka_unit_test(an_exception_to_inject_is_one_word),
	};

	return cmocka_run_group_tests_name("events", tests, NULL, NULL);
}
