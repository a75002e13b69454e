/* SPDX-License-Identifier: MIT */
/* Where the monitor's text goes in host tests: into memory, with a user who breaks off after so many pieces. */
#pragma once

#include "monitor/out.h"

#define COLLECT_SIZE 65536

struct collect {
	struct monitor_out out;		/* first */
	char text[COLLECT_SIZE];	/* ends with NUL; what does not fit is only counted */
	size_t length;			/* of all that was written */
	u32 patience;			/* writes until the user breaks off; UINT32_MAX: never */
	u32 too_late;			/* that came after it */
};

void collect_begin(struct collect *collect);
/* The longest line, without its end. */
size_t collect_width(const struct collect *collect);
