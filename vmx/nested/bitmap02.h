/* SPDX-License-Identifier: MIT */
/*
 * A bitmap of exits that hardware reads in place of L1's: ones, but for the few words that L2 has turned out to need. Those
 * are L1's and L0's together, read again at each entry by L1, so that a change of L1's counts then, whoever made it. A bit is
 * never clear here that was set there when the word was read. Pure.
 */
#pragma once

#include "mm/l1_memory.h"

/* Pages of an I/O bitmap; an MSR bitmap has one. */
#define BITMAP02_PAGES 2
#define BITMAP02_PAGE_WORDS (PAGE_SIZE / sizeof(u64))
/* What is read again at each entry must stay little. */
#define BITMAP02_WORDS 48

/* A page of L1's bitmap (l1_gpa), and where L0 sees it: NULL where it cannot. That never changes. */
struct bitmap02_place {
	u64 address;
	const u64 *page;
};

struct bitmap02 {
	u64 *content;		/* one page or two, for hardware */
	u32 count, pages;	/* of `word`; a bit for each page that they are in */
	struct bitmap02_place at[BITMAP02_PAGES];
	u16 word[BITMAP02_WORDS];	/* those that are not all ones */
};

/* L1's bitmap, and the bits that L0 needs. */
struct bitmap12 {
	l1_gpa_t page[BITMAP02_PAGES];
	const u64 *own;
};

void bitmap02_init(struct bitmap02 *bitmap, u64 *content, u32 pages);

u64 bitmap12_read(const struct bitmap12 *bitmap, const struct l1_memory *memory, u32 word);

/* L2 needs this word. The value is what whoever decided that has read; L0's bits are in it. */
void bitmap02_learn(struct bitmap02 *bitmap, u32 word, u64 value);

/* For an entry by L1: all words that L2 has needed. */
void bitmap02_refresh(struct bitmap02 *bitmap, const struct bitmap12 *from, const struct l1_memory *memory);
