/* SPDX-License-Identifier: MIT */
/*
 * The monitor on L0's console: it stops the processors, tells what they were doing, and lets them go on.
 * commands.c has the commands, session.c the conversation. It looks and changes nothing that a guest could tell.
 */
#pragma once

#include "monitor/edit.h"
#include "monitor/view.h"
#include "vmx/nested/nested.h"
#include "vmx/vcpu.h"

struct monitor {
	struct monitor_out *out;
	const struct handoff *handoff;
	u32 home;			/* the processor on which it was opened */
	u32 cpu;			/* the one that commands are about; the session begins with `home` */

	/* Of commands.c: scratch memory, which needs no preparation. */
	struct view view[2];
	struct nested_slot slot;
	struct vmcs12 vmcs12;
};

/* Carries out a line, which it takes apart. False: the guests are to go on. */
bool monitor_command(struct monitor *monitor, char *line);

typedef bool monitor_work(struct monitor *monitor, struct vcpu *vcpu, void *argument);

/*
 * Has `work` done by that stopped processor, be it this one or another, while this one waits: what it writes comes out as
 * it writes it. Returns what it returned: false where the user broke off. A processor that cannot be reached is
 * reported in words, after "CPU n: ", and that is true unless the user broke off.
 */
bool monitor_on(struct monitor *monitor, u32 cpu, monitor_work *work, void *argument);

/* A reset of the machine. */
noreturn void monitor_reset(void);
