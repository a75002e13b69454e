/* SPDX-License-Identifier: MIT */
/* Page-modification logging: see page_log.h. L1's page is reached through l1_write alone. */
#include "vmx/nested/page_log.h"

#define ENTRIES (PAGE_SIZE / sizeof(u64))

struct page_log page_log_of(const struct vmcs12 *vmcs12)
{
	if (likely(!vmcs12_has(vmcs12, WORD_PROC2, PROC2_ENABLE_PML)))
		return (struct page_log){ .on = false };
	return (struct page_log){
		.on = true,
		.page = l1_gpa(vmcs12_get(vmcs12, VMCS_PML_ADDRESS)),
		.index = (u16)vmcs12_get(vmcs12, VMCS_PML_INDEX),
	};
}

void page_log_save(const struct page_log *log, struct vmcs12 *vmcs12)
{
	if (unlikely(log->on))
		vmcs12_set(vmcs12, VMCS_PML_INDEX, log->index);
}

bool page_log_is_full(const struct page_log *log)
{
	return log->on && log->index >= ENTRIES;
}

void page_log_add(struct page_log *log, const struct l1_memory *memory, l2_gpa_t address)
{
	u64 entry = align_down(address.value, PAGE_SIZE);

	if (!log->on)
		return;
	l1_write(memory, l1_gpa(log->page.value + log->index * sizeof(u64)), &entry, sizeof(entry));
	log->index--; /* from 0 to 0xffff: full */
}
