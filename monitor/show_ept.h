/* SPDX-License-Identifier: MIT */
/* A walk of extended page tables, told level by level. Pure. */
#pragma once

#include "mm/ept.h"
#include "monitor/out.h"

struct ept_view {
	u64 eptp;
	struct ept_rules rules;		/* what an entry may be */
	const char *to;			/* what kind of address the tables lead to: "L1 physical", "physical" */
	/* The entry at that address; false where there is no memory that could be read. */
	bool (*read)(const void *context, u64 address, u64 *entry);
	const void *context;
};

struct ept_end {
	bool is_mapped;
	u64 address;			/* where the byte is */
};

/* False: print no more. */
bool show_ept(struct monitor_out *out, const struct ept_view *view, u64 address, struct ept_end *end);
