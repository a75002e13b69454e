/* SPDX-License-Identifier: MIT */
/* The page pool: a pointer that moves up, and back at a scenario's end. */
#include "tests/guests/lib/memory.h"

#include "tests/guests/lib/cpu.h"
#include "tests/guests/lib/report.h"

static u64 next, end;
static volatile u32 lock;

void pages_init(u64 start, u64 count)
{
	next = start;
	end = start + count * PAGE_SIZE;
}

void *pages_alloc(u64 count, u64 alignment)
{
	u64 start;

	lock_take(&lock);
	start = (next + alignment - 1) & ~(alignment - 1);
	if (start + count * PAGE_SIZE <= end)
		next = start + count * PAGE_SIZE;
	else
		start = 0;
	lock_give(&lock);
	if (!start)
		scenario_abort("out of pages");
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
