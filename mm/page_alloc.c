/* SPDX-License-Identifier: MIT */
/*
 * A pointer that moves up through the block: bring-up is the only customer, and
 * nothing is ever given back.
 */
#include "mm/page_alloc.h"

#include "arch/spinlock.h"
#include "arch/string.h"
#include "mm/phys.h"

static struct {
	struct spinlock lock;
	u64 next;
	u64 end;
} pages;

void page_alloc_init(hpa_t first, hpa_t end)
{
	pages.next = align_up(first.value, PAGE_SIZE);
	pages.end = end.value;
}

void *page_alloc_contiguous(u64 count)
{
	u64 address = 0;
	void *result;

	spin_lock(&pages.lock);
	if (count <= (pages.end - pages.next) / PAGE_SIZE) {
		address = pages.next;
		pages.next += count * PAGE_SIZE;
	}
	spin_unlock(&pages.lock);
	if (address == 0)
		return NULL;
	result = phys_to_ptr(hpa(address));
	return memset(result, 0, count * PAGE_SIZE);
}

void *page_alloc(void)
{
	return page_alloc_contiguous(1);
}

u64 page_alloc_remaining(void)
{
	return pages.end - pages.next;
}
