/* SPDX-License-Identifier: MIT */
/* See vmx/nested/bitmap02.h. SDM "MSR-Bitmap Address", "I/O-Bitmap Addresses", "Software Access to Related Structures". */

#include "vmx/nested/bitmap02.h"

#include "arch/atomic.h"
#include "arch/compiler.h"
#include "arch/string.h"

#define NOWHERE UINT64_C(0xffffffffffffffff)

void bitmap02_init(struct bitmap02 *bitmap, u64 *content, u32 pages)
{
	bitmap->content = content;
	bitmap->count = bitmap->pages = 0;
	for (u32 i = 0; i < BITMAP02_PAGES; i++)
		bitmap->at[i] = (struct bitmap02_place){ .address = NOWHERE };
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
	bitmap->count = bitmap->pages = 0;
}

void bitmap02_learn(struct bitmap02 *bitmap, u32 word, u64 value)
{
	if (!is_learned(bitmap, word)) {
		if (bitmap->count == BITMAP02_WORDS)
			forget(bitmap);
		bitmap->word[bitmap->count++] = (u16)word;
		bitmap->pages |= 1u << word / BITMAP02_PAGE_WORDS;
	}
	bitmap->content[word] = value;
}

void bitmap02_refresh(struct bitmap02 *bitmap, const struct bitmap12 *from, const struct l1_memory *memory)
{
	for (u32 i = 0; i < BITMAP02_PAGES; i++) {
		struct bitmap02_place *at = &bitmap->at[i];

		if (!(bitmap->pages & 1u << i))
			continue;
		if (unlikely(at->address != from->page[i].value))
			*at = (struct bitmap02_place){ from->page[i].value, l1_look(memory, from->page[i]) };
		/* What L0 cannot reach is ones; what L2 needs of the other page it will say again. */
		if (unlikely(!at->page)) {
			forget(bitmap);
			return;
		}
	}
	/* At nearly every entry: few instructions for each. */
	for (const u16 *word = bitmap->word, *end = word + bitmap->count; word != end; word++) {
		const u64 *page = bitmap->at[*word / BITMAP02_PAGE_WORDS].page;

		bitmap->content[*word] = from->own[*word] | atomic_read64(&page[*word % BITMAP02_PAGE_WORDS]);
	}
}
