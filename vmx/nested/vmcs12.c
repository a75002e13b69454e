/* SPDX-License-Identifier: MIT */
/*
 * The canonical form of a region just read from L1. It decides nothing about
 * validity: check_*.c do. Pure.
 */
#include "vmx/nested/vmcs12.h"

void vmcs12_sanitize_header(struct vmcs12 *vmcs12)
{
	if (vmcs12->launch_state != LAUNCH_STATE_LAUNCHED)
		vmcs12->launch_state = LAUNCH_STATE_CLEAR;
}

void vmcs12_sanitize(struct vmcs12 *vmcs12)
{
	vmcs12_sanitize_header(vmcs12);

	/* Fields that L1 is never shown must not carry anything in either. */
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++) {
		u64 mask = vmcs_fields[i].class == CLASS_ABSENT ? 0 : vmcs_width_mask(vmcs_fields[i].field.encoding);

		vmcs12->fields.value[i] &= mask;
	}
}
