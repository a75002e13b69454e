/* SPDX-License-Identifier: MIT */
/* Interruption-information words: build and ask. */

#include "vmx/events.h"

#include "arch/x86.h"

bool interruption_has_length(u64 information)
{
	switch (interruption_type(information)) {
	case INTERRUPTION_SOFTWARE_INTERRUPT:
	case INTERRUPTION_PRIVILEGED_SOFTWARE_EXCEPTION:
	case INTERRUPTION_SOFTWARE_EXCEPTION:
		return true;
	default:
		return false;
	}
}

bool exception_has_error_code(u8 vector)
{
	const u64 with_code = BIT(VECTOR_DF) | BIT(VECTOR_TS) | BIT(VECTOR_NP) | BIT(VECTOR_SS) | BIT(VECTOR_GP) |
			      BIT(VECTOR_PF) | BIT(VECTOR_AC) | BIT(VECTOR_CP);

	return vector < 32 && bit_is_set(with_code, vector);
}

u32 event_exception(u8 vector)
{
	u64 information = INTERRUPTION_VALID | vector | field_put(INTERRUPTION_HARDWARE_EXCEPTION, INTERRUPTION_TYPE);

	if (exception_has_error_code(vector))
		information |= INTERRUPTION_DELIVER_ERROR_CODE;
	return (u32)information;
}
