/* SPDX-License-Identifier: MIT */
/*
 * A VMCS as the monitor shows it: the values of all fields at one moment, away from the processor. Pure.
 */
#pragma once

#include "vmx/vmcs_field.h"

struct view {
	const char *name;	/* "12", "02", "01" */
	const char *what;	/* of the whole, in words */
	bool has[VMCS_FIELD_COUNT];	/* by row: the processor has that field, or L1 is offered it */
	struct vmcs_image image;
};

/* 0 where there is no such field. */
static inline u64 view_get(const struct view *view, vmcs_field field)
{
	return view->has[field.index] ? image_get(&view->image, field) : 0;
}
