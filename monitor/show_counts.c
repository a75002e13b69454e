/* SPDX-License-Identifier: MIT */
/* Exits by reason and by who handled them; the record of refused entries in words. Pure. */
#include "monitor/show_counts.h"

#include "drivers/printk.h"
#include "vmx/exit.h"
#include "vmx/nested/check_common.h"

static u64 sum(const u64 *counts)
{
	u64 total = 0;

	for (u32 i = 0; i < SHOW_REASONS; i++)
		total += counts[i];
	return total;
}

static const char *reason_name(u32 reason)
{
	return reason == SHOW_REASONS - 1 ? "all others" : exit_name(reason);
}

/* Those of L1 are all handled by L0. */
static bool show_line(struct monitor_out *out, const char *name, u64 l1, u64 l2, u64 kept)
{
	return out_line(out, "%-26s %16lu %16lu %16lu %16lu", name, l1, l2, kept, l2 - kept);
}

static bool show_reason(struct monitor_out *out, const struct exit_counts *counts, u32 reason)
{
	char name[32];

	if (!counts->l1[reason] && !counts->l2[reason])
		return true;
	(void)format_text(name, sizeof(name), "%3u %s", reason, reason_name(reason));
	return show_line(out, name, counts->l1[reason], counts->l2[reason], counts->kept[reason]);
}

bool show_exits(struct monitor_out *out, const struct exit_counts *counts)
{
	if (!out_line(out, "%-26s %16s %16s %16s %16s", "exits", "of L1", "of L2", "kept by L0", "given to L1"))
		return false;
	for (u32 i = 0; i < SHOW_REASONS; i++)
		if (!show_reason(out, counts, i))
			return false;
	return show_line(out, "in all", sum(counts->l1), sum(counts->l2), sum(counts->kept)) &&
	       out_line(out, "EPT02 was filled %lu times; %lu VM entries of L1's were refused", counts->ept02_fills, counts->refusals);
}

/* --- refusals ------------------------------------------------------------------------- */

static const char *rule_in(const struct entry_section *section, u16 number, const char **title)
{
	for (u32 i = 0; i < section->count; i++)
		if (section->checks[i].number == number) {
			*title = section->title;
			return section->checks[i].rule;
		}
	return NULL;
}

/* The sentence of the rule with that number, docs/refusals.md. */
static const char *rule_of(u16 number, const char **title)
{
	const char *rule = NULL;

	for (u32 i = 0; i < check_order_count && !rule; i++)
		rule = rule_in(check_order[i], number, title);
	if (!rule)
		rule = rule_in(&check_left_to_processor_section, number, title);
	for (u32 i = 0; i < refusal_others_count && !rule; i++)
		if (refusal_others[i].number == number) {
			*title = refusal_others[i].section;
			rule = refusal_others[i].rule;
		}
	return rule ? rule : "a rule without a sentence";
}

static bool show_refusal(struct monitor_out *out, const struct trace_record *record)
{
	const struct vmcs_field_info *field = vmcs_lookup(record->field);
	const char *title = "VM Entries", *rule = rule_of(record->rule, &title);
	struct out_wrap wrap;

	wrap_begin(&wrap, out, 6);
	wrap_add(&wrap, "TSC %lx, VMCS %lx:", record->tsc, record->vmcs);
	wrap_add_words(&wrap, rule);
	wrap_add(&wrap, "(%s = 0x%lx),", field ? field->name : "field", record->value);
	if (record->result & REFUSAL_EXIT)
		wrap_add(&wrap, "exit reason %u, qualification 0x%lx,", record->result & ~(u32)REFUSAL_EXIT, record->detail);
	else
		wrap_add(&wrap, "VMfail %u,", record->result);
	wrap_add_words(&wrap, "SDM");
	wrap_add(&wrap, "\"%s\",", title);
	wrap_add(&wrap, "rule %u", record->rule);
	return wrap_end(&wrap);
}

bool show_refusals(struct monitor_out *out, const struct refusal_log *log)
{
	const struct trace_record *record;

	if (!log->count)
		return out_line(out, "no VM entry of L1's was refused on this processor");
	for (u32 age = 0; (record = refusal_recent(log, age)) != NULL; age++)
		if (!show_refusal(out, record))
			return false;
	return out_line(out, "%lu in all, the last one first", log->count);
}
