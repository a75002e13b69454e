/* SPDX-License-Identifier: MIT */
/*
 * The monitor on the model: a session without keys, and what must be the same after each command as before. For a
 * unit test and a fuzzer.
 */
#pragma once

#include "monitor/monitor.h"
#include "tests/fake/collect.h"

struct hands {
	struct monitor monitor;
	struct collect answer;		/* to the last command */
	bool was_reset;			/* by the last command */
};

extern struct hands hands;

/* L0 has been booted; nothing has been typed. */
void hands_begin(void);

/*
 * The command, between two moments of whoever runs. Aborts where L0's state, its counters or a VMCS is another one afterwards, or a line is
 * too long. False: the guests are to go on.
 */
bool hands_command(const char *line);
