/* SPDX-License-Identifier: MIT */
/*
 * The arena of tests/fake/phys.h. Only touched pages cost memory; reset clears
 * only those, so that a fuzzer can call it a thousand times a second.
 */
#include "tests/fake/phys.h"

#include <string.h>

#include "mm/page_alloc.h"
#include "mm/phys.h"

static _Alignas(4096) u8 arena[FAKE_MEMORY_SIZE];
static u8 touched[FAKE_MEMORY_SIZE / 4096];
static u64 next_page = FAKE_BLOCK_BASE;
static u64 end_of_pages = FAKE_MEMORY_SIZE;

void *phys_to_ptr(hpa_t address)
{
	if (address.value >= FAKE_MEMORY_SIZE)
		return NULL;
	__atomic_store_n(&touched[address.value >> PAGE_SHIFT], 1, __ATOMIC_RELAXED); /* a test may have threads */
	return arena + address.value;
}

hpa_t phys_of(const void *pointer)
{
	return hpa((u64)((const u8 *)pointer - arena));
}

void *page_alloc_contiguous(u64 count)
{
	u64 first = next_page;

	if (count > (end_of_pages - next_page) / PAGE_SIZE)
		return NULL;
	next_page += count * PAGE_SIZE;
	/* Those that nobody has had yet are zero: a fuzzer brings up a whole machine each time. */
	for (u64 page = first; page < next_page; page += PAGE_SIZE) {
		if (touched[page >> PAGE_SHIFT])
			memset(arena + page, 0, PAGE_SIZE);
		touched[page >> PAGE_SHIFT] = 1;
	}
	return arena + first;
}

/* Here they are cleared like the others: what they hold would depend on the runs before. */
void *page_alloc_uncleared(u64 count)
{
	return page_alloc_contiguous(count);
}

void *page_alloc(void)
{
	return page_alloc_contiguous(1);
}

u64 page_alloc_remaining(void)
{
	return end_of_pages - next_page;
}

void fake_memory_reset(void)
{
	for (u64 page = 0; page < FAKE_MEMORY_SIZE / PAGE_SIZE; page++) {
		if (!touched[page])
			continue;
		memset(arena + page * PAGE_SIZE, 0, PAGE_SIZE);
		touched[page] = 0;
	}
	next_page = FAKE_BLOCK_BASE;
	end_of_pages = FAKE_MEMORY_SIZE;
}

void fake_memory_limit(u64 pages)
{
	end_of_pages = next_page + pages * PAGE_SIZE;
	if (end_of_pages > FAKE_MEMORY_SIZE)
		end_of_pages = FAKE_MEMORY_SIZE;
}
