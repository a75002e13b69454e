/* SPDX-License-Identifier: MIT */
/*
 * vmcs12 as data: which controls are in force, and the canonical form of a
 * region just read from L1. It decides nothing about validity: check_*.c do.
 * Pure.
 */
#include "vmx/nested/vmcs12.h"

bool vmcs12_has(const struct vmcs12 *vmcs12, enum control_word word, u32 mask)
{
	if (word == WORD_PROC2 && (vmcs12_control(vmcs12, WORD_PROC) & PROC_ACTIVATE_SECONDARY_CONTROLS) == 0)
		return false;
	return (vmcs12_control(vmcs12, word) & mask) == mask;
}

void vmcs12_sanitize(struct vmcs12 *vmcs12)
{
	if (vmcs12->launch_state != LAUNCH_STATE_LAUNCHED)
		vmcs12->launch_state = LAUNCH_STATE_CLEAR;

	/* Fields that L1 is never shown must not carry anything in either. */
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++) {
		u64 mask = vmcs_fields[i].class == CLASS_ABSENT ? 0 : vmcs_width_mask(vmcs_fields[i].field.encoding);

		vmcs12->fields.value[i] &= mask;
	}
}
