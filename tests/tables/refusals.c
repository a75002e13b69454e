/* SPDX-License-Identifier: MIT */
/*
 * Prints every rule of VM entry, one a line, for tools/refusals: number, what L1
 * gets, the sentence, the field that shows it, the SDM's title, separated by tabs.
 */
#include <stdio.h>

#include "vmx/nested/check_common.h"
#include "vmx/nested/refusal.h"

static void print_rule(u32 number, u32 result, const char *rule, vmcs_field field, const char *title)
{
	printf("%u\t%s %u\t%s\t%s\t%s\n", number, (result & REFUSAL_EXIT) != 0 ? "exit" : "VMfail", result & ~(u32)REFUSAL_EXIT, rule,
	       vmcs_fields[field.index].name, title);
}

static void print_section(const struct entry_section *section)
{
	for (u32 i = 0; i < section->count; i++)
		print_rule(section->checks[i].number, section->result, section->checks[i].rule, section->checks[i].field,
			   section->title);
}

int main(void)
{
	for (u32 i = 0; i < check_order_count; i++)
		print_section(check_order[i]);
	print_section(&check_left_to_processor_section);
	for (u32 i = 0; i < refusal_others_count; i++)
		print_rule(refusal_others[i].number, refusal_others[i].result, refusal_others[i].rule, refusal_others[i].field,
			   refusal_others[i].section);
	return 0;
}
