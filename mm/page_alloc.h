/* SPDX-License-Identifier: MIT */
/*
 * Pages of L0's block. Everything is taken at bring-up, per CPU; after launch
 * nothing is allocated, so nothing can fail then. Pools that live on (EPT02)
 * take their pages once and recycle them themselves.
 */
#pragma once

#include "arch/compiler.h"
#include "mm/addr.h"

/* Once, by the first CPU: the pages of [first, end), mapped at VA = PA. */
void page_alloc_init(hpa_t first, hpa_t end);

/* A zeroed page, or NULL when the block is used up (bring-up then refuses). */
void *page_alloc(void) must_check;
/* `count` zeroed pages in a row, or NULL. */
void *page_alloc_contiguous(u64 count) must_check;
/* The same with whatever the pages hold: for who clears each before its use. */
void *page_alloc_uncleared(u64 count) must_check;
/* Bytes of the block not yet handed out. */
u64 page_alloc_remaining(void);
