/* SPDX-License-Identifier: MIT */
/* L1 or L2, in which mode, at which address; VMX as L1 sees it; registers. Pure. */
#include "monitor/show_state.h"

#include "arch/bits.h"
#include "arch/x86.h"
#include "monitor/show_fields.h"
#include "vmx/controls.h"
#include "vmx/events.h"
#include "vmx/exit.h"
#include "vmx/insn_info.h"

/* SDM "Modes of Operation". */
static const char *mode(const struct view *running)
{
	if (!(view_get(running, VMCS_GUEST_CR0) & CR0_PE))
		return "real mode";
	if (view_get(running, VMCS_GUEST_RFLAGS) & RFLAGS_VM)
		return "virtual-8086";
	return show_code_size(view_get(running, VMCS_GUEST_CS_ACCESS_RIGHTS),
			      view_get(running, VMCS_GUEST_IA32_EFER) & EFER_LMA);
}

static const char *activity(const struct view *running)
{
	static const char names[][17] = { "", ", HLT", ", shutdown", ", waits for SIPI" };
	u64 state = view_get(running, VMCS_GUEST_ACTIVITY_STATE);

	return state < array_size(names) ? names[state] : ", no such activity state";
}

static u64 cpl(const struct view *running)
{
	return field_get(view_get(running, VMCS_GUEST_SS_ACCESS_RIGHTS), ACCESS_RIGHTS_DPL);
}

bool show_cpu(struct monitor_out *out, const struct state *state, const struct view *running, bool is_chosen)
{
	struct out_wrap wrap;

	wrap_begin(&wrap, out, 6);
	wrap_add(&wrap, "%c CPU %-3u APIC %-3u %s %s, CPL %lu, %04lx:%lx%s", is_chosen ? '*' : ' ', state->cpu, state->apic_id,
		 state->in_l2 ? "L2" : "L1", mode(running), cpl(running), view_get(running, VMCS_GUEST_CS_SELECTOR),
		 view_get(running, VMCS_GUEST_RIP), activity(running));
	if (state->has_current)
		wrap_add(&wrap, "vmcs12 %lx", state->vmcs12);
	return wrap_end(&wrap);
}

/* --- where ------------------------------------------------------------------------- */

static bool show_vmx(struct monitor_out *out, const struct state *state)
{
	if (state->is_aborted)
		return out_line(out, "L1 came to a VMX abort: this processor stands still until a reset");
	if (!state->in_vmx)
		return out_line(out, "L1 is not in VMX operation");
	if (!state->has_current)
		return out_line(out, "L1 is in VMX root operation, VMXON region %lx, without a current VMCS", state->vmxon_pointer);
	return out_line(out, "L1 is in VMX %s operation, VMXON region %lx, current VMCS %lx, %s",
			state->in_l2 ? "non-root" : "root", state->vmxon_pointer, state->vmcs12,
			state->is_launched ? "launched" : "clear");
}

static bool show_others(struct monitor_out *out, const struct state *state)
{
	struct out_wrap wrap;

	if (!state->other_count)
		return true;
	wrap_begin(&wrap, out, 6);
	wrap_add_words(&wrap, "other active VMCSs of L1's:");
	for (u32 i = 0; i < state->other_count; i++)
		wrap_add(&wrap, "%lx", state->others[i]);
	return wrap_end(&wrap);
}

static bool show_tables(struct monitor_out *out, const struct view *view12)
{
	u64 secondary = view_get(view12, VMCS_PROCESSOR_BASED_CONTROLS) & PROC_ACTIVATE_SECONDARY_CONTROLS ?
				view_get(view12, VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS) : 0;

	if (!(secondary & PROC2_ENABLE_EPT))
		return out_line(out, "vmcs12: no EPT, VPID %lu", secondary & PROC2_ENABLE_VPID ? view_get(view12, VMCS_VPID) : 0);
	return out_line(out, "vmcs12: EPTP %lx, VPID %lu", view_get(view12, VMCS_EPT_POINTER),
			secondary & PROC2_ENABLE_VPID ? view_get(view12, VMCS_VPID) : 0);
}

bool show_where(struct monitor_out *out, const struct state *state, const struct view *running, const struct view *view12)
{
	struct out_wrap wrap;

	wrap_begin(&wrap, out, 6);
	wrap_add(&wrap, "CPU %u runs %s: %s, CPL %lu, %04lx:%lx, CR3 %lx%s, last exit %s", state->cpu, state->in_l2 ? "L2" : "L1",
		 mode(running), cpl(running), view_get(running, VMCS_GUEST_CS_SELECTOR), view_get(running, VMCS_GUEST_RIP),
		 view_get(running, VMCS_GUEST_CR3), activity(running), exit_name(view_get(running, VMCS_EXIT_REASON) & EXIT_REASON_BASIC));
	return wrap_end(&wrap) && show_vmx(out, state) && (!state->has_current || show_tables(out, view12)) &&
	       show_others(out, state);
}

/* --- registers ------------------------------------------------------------------------ */

static bool show_general(struct monitor_out *out, const struct live_registers *live, const struct view *running)
{
	static const char names[][4] = { "RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
					 "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15" };
	u64 values[array_size(names)];

	for (u32 i = 0; i < array_size(names); i++)
		values[i] = i == 4 ? view_get(running, VMCS_GUEST_RSP) : live->gpr[i];
	for (u32 i = 0; i < array_size(names); i += 4)
		if (!out_line(out, "%-3s %016lx  %-3s %016lx  %-3s %016lx  %-3s %016lx", names[i], values[i], names[i + 1],
			      values[i + 1], names[i + 2], values[i + 2], names[i + 3], values[i + 3]))
			return false;
	return true;
}

/* A register, and its bits by name. */
static bool show_named(struct monitor_out *out, const char *name, vmcs_field field, const struct view *running)
{
	struct out_wrap wrap;

	wrap_begin(&wrap, out, 6);
	wrap_add(&wrap, "%-6s %016lx", name, view_get(running, field));
	show_bits(&wrap, field, view_get(running, field));
	return wrap_end(&wrap);
}

static bool show_segment(struct monitor_out *out, const struct view *running, const char *name, u16 number)
{
	const struct vmcs_field_info *rights = &vmcs_fields[VMCS_INDEX_GUEST_ES_ACCESS_RIGHTS + number];
	struct out_wrap wrap;

	wrap_begin(&wrap, out, 6);
	wrap_add(&wrap, "%-4s %04lx  base %016lx  limit %08lx  rights %05lx", name,
		 running->image.value[VMCS_INDEX_GUEST_ES_SELECTOR + number], running->image.value[VMCS_INDEX_GUEST_ES_BASE + number],
		 running->image.value[VMCS_INDEX_GUEST_ES_LIMIT + number], view_get(running, rights->field));
	show_meaning(&wrap, rights, view_get(running, rights->field));
	return wrap_end(&wrap);
}

/* As vmx/vmcs_fields.def has them, one row after the other. */
static bool show_segments(struct monitor_out *out, const struct view *running)
{
	static const char names[][5] = { "ES", "CS", "SS", "DS", "FS", "GS", "LDTR", "TR" };

	static_assert(VMCS_INDEX_GUEST_TR_SELECTOR - VMCS_INDEX_GUEST_ES_SELECTOR == array_size(names) - 1 &&
		      VMCS_INDEX_GUEST_TR_BASE - VMCS_INDEX_GUEST_ES_BASE == array_size(names) - 1 &&
		      VMCS_INDEX_GUEST_TR_LIMIT - VMCS_INDEX_GUEST_ES_LIMIT == array_size(names) - 1 &&
		      VMCS_INDEX_GUEST_TR_ACCESS_RIGHTS - VMCS_INDEX_GUEST_ES_ACCESS_RIGHTS == array_size(names) - 1, "rows");
	for (u16 i = 0; i < array_size(names); i++)
		if (!show_segment(out, running, names[i], i))
			return false;
	return out_line(out, "GDTR       base %016lx  limit %08lx", view_get(running, VMCS_GUEST_GDTR_BASE),
			view_get(running, VMCS_GUEST_GDTR_LIMIT)) &&
	       out_line(out, "IDTR       base %016lx  limit %08lx", view_get(running, VMCS_GUEST_IDTR_BASE),
			view_get(running, VMCS_GUEST_IDTR_LIMIT));
}

bool show_registers(struct monitor_out *out, const struct live_registers *live, const struct view *running)
{
	return show_general(out, live, running) &&
	       out_line(out, "RIP    %016lx", view_get(running, VMCS_GUEST_RIP)) &&
	       show_named(out, "RFLAGS", VMCS_GUEST_RFLAGS, running) &&
	       show_named(out, "CR0", VMCS_GUEST_CR0, running) &&
	       out_line(out, "CR2    %016lx", live->cr2) &&
	       out_line(out, "CR3    %016lx", view_get(running, VMCS_GUEST_CR3)) &&
	       show_named(out, "CR4", VMCS_GUEST_CR4, running) &&
	       show_named(out, "EFER", VMCS_GUEST_IA32_EFER, running) &&
	       show_segments(out, running) &&
	       out_line(out, "DR0 %016lx  DR1 %016lx  DR2 %016lx  DR3 %016lx", live->dr[0], live->dr[1], live->dr[2], live->dr[3]) &&
	       out_line(out, "DR6 %016lx  DR7 %016lx", live->dr6, view_get(running, VMCS_GUEST_DR7));
}
