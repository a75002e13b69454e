/* SPDX-License-Identifier: MIT */
/* The page pool: a pointer that moves up, and back at a scenario's end. */
#include "tests/guests/lib/memory.h"

#include "tests/guests/lib/report.h"

static u64 next, end;

void pages_init(u64 start, u64 count)
{
	next = start;
	end = start + count * PAGE_SIZE;
}

void *pages_alloc(u64 count, u64 alignment)
{
	u64 start = (next + alignment - 1) & ~(alignment - 1);

	if (start + count * PAGE_SIZE > end)
		scenario_abort("out of pages");
	next = start + count * PAGE_SIZE;
	return memset((void *)start, 0, count * PAGE_SIZE);
}

void *page_alloc(void)
{
	return pages_alloc(1, PAGE_SIZE);
}

u64 pages_mark(void)
{
	return next;
}

void pages_release(u64 mark)
{
	next = mark;
}
