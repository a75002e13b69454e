/* SPDX-License-Identifier: MIT */
/*
 * A pointer that moves up through the block: bring-up is the only customer, and
 * nothing is ever given back. Without a lock, as it serves before GS is L0's.
 */
#include "mm/page_alloc.h"

#include "arch/atomic.h"
#include "arch/string.h"
#include "mm/phys.h"

static struct {
	u64 next;
	u64 end;
} pages;

void page_alloc_init(hpa_t first, hpa_t end)
{
	pages.next = align_up(first.value, PAGE_SIZE);
	pages.end = end.value;
}

void *page_alloc_uncleared(u64 count)
{
	u64 address;

	do {
		address = atomic_read64(&pages.next);
		if (count > (pages.end - address) / PAGE_SIZE)
			return NULL;
	} while (!atomic_replace64(&pages.next, address, address + count * PAGE_SIZE));
	return phys_to_ptr(hpa(address));
}

void *page_alloc_contiguous(u64 count)
{
	void *first = page_alloc_uncleared(count);

	return first ? memset(first, 0, count * PAGE_SIZE) : NULL;
}

void *page_alloc(void)
{
	return page_alloc_contiguous(1);
}

u64 page_alloc_remaining(void)
{
	return pages.end - atomic_read64(&pages.next);
}
