/* SPDX-License-Identifier: MIT */
/*
 * The debug registers as the processor compares them with an access to data or ports: for
 * what L0 reads and writes in a guest's place. Pure.
 */
#pragma once

#include "arch/types.h"

/* DR0 to DR3, and DR7 that says what they mean. SDM "Debug Control Register (DR7)". */
struct breakpoints {
	u64 address[4];
	u64 dr7;
};

#define DR7_ENABLES UINT64_C(0xff)	/* L0, G0, ... G3: none set, nothing to compare */

/*
 * What the access adds to pending debug exceptions: 0 unless an enabled data
 * breakpoint lies in it. SDM "Guest Non-Register State".
 */
u64 breakpoints_hit(const struct breakpoints *breakpoints, u64 linear, u32 size, bool write);

/* The same for IN and OUT, where CR4.DE is set. */
u64 breakpoints_hit_port(const struct breakpoints *breakpoints, u16 port, u32 size);
