/* SPDX-License-Identifier: MIT */
/* Where a processor is, and its registers. Pure. */
#pragma once

#include "monitor/out.h"
#include "monitor/view.h"

/* How the processor got there, and what L1 has of VMX. */
struct state {
	u32 cpu, apic_id;
	bool in_l2, in_vmx, has_current, is_aborted;
	u64 vmxon_pointer, vmcs12;	/* l1_gpa; the second of the current VMCS */
	bool is_launched;		/* vmcs12 */
	u64 others[8];			/* further VMCSs that L1 has active here */
	u32 other_count;
};

/* What the processor has, and no VMCS. */
struct live_registers {
	u64 gpr[16];			/* as instructions number them; RSP is the VMCS's */
	u64 cr2, dr[4], dr6;
};

/* One line. `running` is vmcs01, or vmcs02 while L2 runs. All return false: print no more. */
bool show_cpu(struct monitor_out *out, const struct state *state, const struct view *running, bool is_chosen);
/* In full. `view12` counts while there is a current VMCS. */
bool show_where(struct monitor_out *out, const struct state *state, const struct view *running, const struct view *view12);
bool show_registers(struct monitor_out *out, const struct live_registers *live, const struct view *running);
