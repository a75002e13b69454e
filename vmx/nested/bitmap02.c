/* SPDX-License-Identifier: MIT */
/* See vmx/nested/bitmap02.h. SDM "MSR-Bitmap Address", "I/O-Bitmap Addresses", "Software Access to Related Structures". */

#include "vmx/nested/bitmap02.h"

#include "arch/atomic.h"
#include "arch/string.h"

void bitmap02_init(struct bitmap02 *bitmap, u64 *content, u32 pages)
{
	bitmap->content = content;
	bitmap->count = 0;
	memset(content, 0xff, pages * PAGE_SIZE);
}

u64 bitmap12_read(const struct bitmap12 *bitmap, const struct l1_memory *memory, u32 word)
{
	l1_gpa_t page = bitmap->page[word / BITMAP02_PAGE_WORDS];

	return l1_read64(memory, l1_gpa(page.value + word % BITMAP02_PAGE_WORDS * sizeof(u64)));
}

static bool is_learned(const struct bitmap02 *bitmap, u32 word)
{
	for (u32 i = 0; i < bitmap->count; i++)
		if (bitmap->word[i] == word)
			return true;
	return false;
}

/* All exits again: what L2 still needs will be learned anew. */
static void forget(struct bitmap02 *bitmap)
{
	for (u32 i = 0; i < bitmap->count; i++)
		bitmap->content[bitmap->word[i]] = ~UINT64_C(0);
	bitmap->count = 0;
}

void bitmap02_learn(struct bitmap02 *bitmap, u32 word, u64 value)
{
	if (!is_learned(bitmap, word)) {
		if (bitmap->count == BITMAP02_WORDS)
			forget(bitmap);
		bitmap->word[bitmap->count++] = (u16)word;
	}
	bitmap->content[word] = value;
}

void bitmap02_refresh(struct bitmap02 *bitmap, const struct bitmap12 *from, const struct l1_memory *memory)
{
	const u64 *page[BITMAP02_PAGES];

	for (u32 i = 0; i < BITMAP02_PAGES; i++)
		page[i] = l1_look(memory, from->page[i]);
	for (u32 i = 0; i < bitmap->count; i++) {
		u32 word = bitmap->word[i];
		const u64 *l1 = page[word / BITMAP02_PAGE_WORDS];

		bitmap->content[word] = from->own[word] | (l1 ? atomic_read64(&l1[word % BITMAP02_PAGE_WORDS]) : ~UINT64_C(0));
	}
}
