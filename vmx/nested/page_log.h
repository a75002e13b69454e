/* SPDX-License-Identifier: MIT */
/*
 * L1's page-modification log: what a processor writes there when it sets a
 * dirty flag of EPT12, done in software, as it is L0 that sets those flags.
 * vmcs02 never has the control. SDM "Page-Modification Logging". Pure.
 */
#pragma once

#include "mm/l1_memory.h"
#include "vmx/nested/vmcs12.h"

struct page_log {
	bool on;		/* "enable PML" in vmcs12 */
	l1_gpa_t page;		/* PML address */
	u16 index;		/* PML index */
};

/* The log of this vmcs12, and its index back into it. */
struct page_log page_log_of(const struct vmcs12 *vmcs12);
void page_log_save(const struct page_log *log, struct vmcs12 *vmcs12);

/* Must an access that would set an accessed or dirty flag become a page-modification log-full event? */
bool page_log_is_full(const struct page_log *log);

/* Logs the page of `address`. Only a log that is not full may be given. */
void page_log_add(struct page_log *log, const struct l1_memory *memory, l2_gpa_t address);
