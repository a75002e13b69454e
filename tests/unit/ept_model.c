/* SPDX-License-Identifier: MIT */
/*
 * The model of ept_model.h. It shares no code with mm/ept.c and vmx/nested:
 * only the arena and the constants' meaning, spelled out here again from the
 * tables of SDM "EPT Translation Mechanism".
 */
#include "tests/unit/ept_model.h"

#include <string.h>

#include "mm/phys.h"

#define ADDRESS 0x000ffffffffff000ull
#define ACCESSED_DIRTY 0x40ull
#define MODE_BASED (1ull << 63)
#define PARKED (1ull << 53)

/* The permission bits of entries beneath this EPTP. */
static u64 permissions_of(u64 eptp)
{
	return eptp & MODE_BASED ? 0x407 : 7;
}

static u64 read_entry(u64 at)
{
	const u64 *entry = phys_to_ptr(hpa(at));

	return entry ? *entry : ~0ull;
}

static u64 l1_page_to_hpa(const struct l1_memory *memory, u64 page)
{
	u64 begin = memory->hidden_base.value, end = begin + memory->hidden_size;

	return page >= begin && page < end ? memory->scratch.value : page;
}

static bool has(const struct vmx_caps *caps, unsigned int bit)
{
	return (caps->ept_vpid >> bit) & 1;
}

/* SDM "EPT Misconfigurations", figure by figure. `level` 1 is the page table. */
static bool is_bad(u64 entry, unsigned int level, const struct vmx_caps *caps, unsigned int width, u64 permissions)
{
	bool leaf = level == 1 || ((level == 2 || level == 3) && (entry & 0x80));
	u64 type = (entry >> 3) & 7;

	if ((entry & 3) == 2)
		return true;
	if (!(entry & 1) && (entry & permissions) && !has(caps, 0))
		return true;
	for (unsigned int bit = width; bit < 52; bit++) {
		if (entry >> bit & 1)
			return true;
	}
	if (!leaf)
		return (entry & (level >= 4 ? 0xf8 : 0x78)) != 0;
	if (level == 3 && (!has(caps, 17) || (entry & 0x3ffff000)))
		return true;
	if (level == 2 && (!has(caps, 16) || (entry & 0x1ff000)))
		return true;
	return type != 0 && type != 1 && type != 4 && type != 5 && type != 6;
}

struct model_page model_walk(const struct ept02 *ept02, u64 eptp12, u64 address)
{
	unsigned int levels = (unsigned int)((eptp12 >> 3) & 7) + 1;
	struct model_page found = { .outcome = MODEL_NOT_PRESENT, .levels = levels };
	u64 table = eptp12 & ADDRESS, permissions = permissions_of(eptp12), entry, reach;

	if (address >> (12 + 9 * levels))
		return found;
	for (unsigned int level = levels;; level--) {
		unsigned int shift = 12 + 9 * (level - 1);
		u64 at = table + ((address >> shift) & 511) * 8;

		found.entry_at[found.entries++] = at = l1_page_to_hpa(ept02->memory, at & ~0xfffull) + (at & 0xfff);
		entry = found.leaf = read_entry(at);
		permissions &= entry;
		if (!(entry & permissions_of(eptp12)))
			return found;
		if (is_bad(entry, level, ept02->offered, ept02->memory->physical_address_bits, permissions_of(eptp12))) {
			found.outcome = MODEL_MISCONFIGURED;
			return found;
		}
		table = entry & ADDRESS;
		if (level == 1 || (level <= 3 && (entry & 0x80))) {
			reach = (1ull << shift) - 1;
			break;
		}
	}
	found.outcome = MODEL_TRANSLATED;
	found.permissions = permissions;
	found.type = entry & 0x78;
	found.page = l1_page_to_hpa(ept02->memory, (table & ~reach) + (address & reach & ~0xfffull));
	return found;
}

enum model_sub_pages model_walk_sub_pages(const struct ept02 *ept02, u64 spptp12, u64 address, u64 *vector)
{
	u64 table = spptp12 & ADDRESS, entry = 0, legal = ((1ull << ept02->memory->physical_address_bits) - 1) & ~0xffeull;

	for (unsigned int shift = 39; shift >= 12; shift -= 9) {
		u64 at = table + ((address >> shift) & 511) * 8;

		entry = read_entry(l1_page_to_hpa(ept02->memory, at & ~0xfffull) + (at & 0xfff));
		if (shift > 12 && !(entry & 1))
			return MODEL_SPP_MISS;
		if (shift > 12 && (entry & ~legal))
			return MODEL_SPP_MISCONFIGURED;
		table = entry & ADDRESS;
	}
	*vector = entry;
	return entry & 0xaaaaaaaaaaaaaaaaull ? MODEL_SPP_MISCONFIGURED : MODEL_VECTOR;
}

/* --- audit ---------------------------------------------------------------- */

static u64 pool_index(const struct ept02 *ept02, u64 page)
{
	u64 index = (page - phys_of(ept02->pool).value) / 4096;

	model_require(page >= phys_of(ept02->pool).value && index < ept02->pages);
	return index;
}

/* With accessed and dirty flags (of `eptp`) a leaf has them, so that hardware has none to set that EPT12 has not. */
static void audit_leaf(const struct ept02 *ept02, u64 eptp, u64 entry, unsigned int level)
{
	const struct l1_memory *memory = ept02->memory;
	u64 size = 1ull << (12 + 9 * (level - 1));
	u64 begin = entry & ADDRESS, hidden_end = memory->hidden_base.value + memory->hidden_size;
	bool scratch = level == 1 && begin == memory->scratch.value;

	if (eptp & ACCESSED_DIRTY)
		model_require((entry & 0x100) && (!(entry & 2) || (entry & 0x200)));
	model_require(scratch || begin >= hidden_end || begin + size <= memory->hidden_base.value);
}

/*
 * Counts the tables below, those that are parked too; each must be a page of the pool that was not seen before. No
 * group of 16 entries is in use without being known to be.
 */
static u64 audit_table(const struct ept02 *ept02, u64 eptp, u64 table, unsigned int level, u8 *seen)
{
	u64 tables = 0, permissions = permissions_of(eptp);

	model_require(!seen[pool_index(ept02, table)]++);
	for (unsigned int i = 0; i < 512; i++) {
		u64 entry = read_entry(table + i * 8);

		model_require(!entry || (ept02->page[pool_index(ept02, table)].used >> i / 16 & 1));
		if (!(entry & 0x407)) {
			model_require(!entry || (level > 1 && (entry & ~ADDRESS) == PARKED));
			tables += entry ? 1 + audit_table(ept02, eptp, entry & ADDRESS, level - 1, seen) : 0;
			continue;
		}
		model_require(entry & permissions);
		model_require(!is_bad(entry, level, ept02->hardware, ept02->memory->physical_address_bits, permissions));
		if (level == 1 || (level <= 3 && (entry & 0x80)))
			audit_leaf(ept02, eptp, entry, level);
		else
			tables += 1 + audit_table(ept02, eptp, entry & ADDRESS, level - 1, seen);
	}
	return tables;
}

/* Sub-page-permission tables: the root is a page of its own, those below are the root's. */
static u64 audit_sub_pages(const struct ept02 *ept02, u64 table, unsigned int level, u8 *seen)
{
	u64 tables = 0;

	model_require(!seen[pool_index(ept02, table)]++);
	for (unsigned int i = 0; i < 512; i++) {
		u64 entry = read_entry(table + i * 8);

		if (level == 1)
			model_require(!(entry & 0xaaaaaaaaaaaaaaaaull));
		else if (entry)
			tables += 1 + audit_sub_pages(ept02, entry & ADDRESS, level - 1, seen);
	}
	return tables;
}

static void audit_list(const struct ept02 *ept02, const struct ept02_pages *list, u8 *seen)
{
	u32 page = list->first, before = 0;

	for (u64 i = 0; i < list->count; i++) {
		model_require(page < ept02->pages && !seen[page] && (!i || ept02->page[page].previous == before));
		before = page;
		seen[page] = 1;
		if (i + 1 == list->count)
			model_require(page == list->last);
		page = ept02->page[page].next;
	}
}

/* What a free page still has is known. */
static void audit_free(const struct ept02 *ept02, u32 page)
{
	const u64 *entry = (const u64 *)(const void *)(ept02->pool + page * 4096ull);

	for (unsigned int i = 0; i < 512; i++)
		model_require(!entry[i] || (ept02->page[page].used >> i / 16 & 1));
}

void model_audit(const struct ept02 *ept02)
{
	static u8 in_tables[65536], in_lists[65536];
	u64 link_pages = (ept02->pages * sizeof(struct ept02_page) + 4095) / 4096, listed = 0;

	model_require(ept02->pages <= sizeof(in_tables));
	memset(in_tables, 0, ept02->pages);
	memset(in_lists, 0, ept02->pages);
	for (u64 page = 0; page < link_pages; page++)
		in_tables[page] = in_lists[page] = 1;
	for (unsigned int i = 0; i < EPT02_ROOTS; i++) {
		const struct ept02_root *root = &ept02->roots[i];
		unsigned int levels = root->eptp12 ? (unsigned int)((root->eptp12 >> 3) & 7) + 1 : 4;

		model_require(audit_table(ept02, root->eptp12, phys_of(root->table).value, levels, in_tables) +
			      audit_sub_pages(ept02, phys_of(root->spp_table).value, 4, in_tables) == root->tables.count);
		audit_list(ept02, &root->tables, in_lists);
	}
	for (u64 page = 0; page < ept02->pages; page++)
		listed += in_lists[page];
	model_require(listed + 2 * EPT02_ROOTS + ept02->free.count == ept02->pages);
	audit_list(ept02, &ept02->free, in_lists);
	for (u32 page = ept02->free.first, i = 0; i < ept02->free.count; i++, page = ept02->page[page].next) {
		model_require(!in_tables[page]);
		audit_free(ept02, page);
	}
}

/* --- the processor -------------------------------------------------------- */

static u64 hash(u64 ep4ta, u64 page)
{
	return (page >> 12) * 31 + (page >> 21) * 17 + (page >> 30) * 7 + (page >> 39) + (ep4ta >> 12) * 101;
}

static struct model_tlb_entry *tlb_slot(struct model_processor *processor, u64 ep4ta, u64 page)
{
	return &processor->tlb[hash(ep4ta, page) % MODEL_CACHE];
}

static struct model_structure_entry *structure_slot(struct model_processor *processor, u64 ep4ta, u64 region,
						    unsigned int level)
{
	return &processor->structures[(hash(ep4ta, region << 12) + level) % MODEL_CACHE];
}

void model_flush(struct model_processor *processor, u64 eptp02)
{
	for (unsigned int i = 0; i < MODEL_CACHE; i++) {
		if (processor->tlb[i].ep4ta == (eptp02 & ADDRESS))
			processor->tlb[i].valid = false;
		if (processor->structures[i].ep4ta == (eptp02 & ADDRESS))
			processor->structures[i].valid = false;
	}
}

/* SDM "Operations that Invalidate Cached Mappings": what a violation forgets by itself. */
static void forget_address(struct model_processor *processor, u64 ep4ta, u64 address)
{
	for (unsigned int i = 0; i < MODEL_CACHE; i++) {
		struct model_tlb_entry *tlb = &processor->tlb[i];
		struct model_structure_entry *structure = &processor->structures[i];

		if (tlb->ep4ta == ep4ta && tlb->page == (address & ~0xfffull))
			tlb->valid = false;
		if (structure->ep4ta == ep4ta && structure->region == address >> (12 + 9 * structure->level))
			structure->valid = false;
	}
}

/* The lowest table for this address that the processor (NULL: none that remembers) has, else the root. */
static u64 begin_walk(struct model_processor *processor, u64 eptp02, u64 address, unsigned int *level)
{
	unsigned int levels = (unsigned int)((eptp02 >> 3) & 7) + 1;
	u64 ep4ta = eptp02 & ADDRESS;

	for (*level = processor ? 1 : levels; *level < levels; (*level)++) {
		u64 region = address >> (12 + 9 * *level);
		const struct model_structure_entry *known = structure_slot(processor, ep4ta, region, *level);

		if (known->valid && known->ep4ta == ep4ta && known->region == region && known->level == *level)
			return known->table;
	}
	return ep4ta;
}

static struct model_page walk_ept02(struct model_processor *processor, u64 eptp02, u64 address)
{
	struct model_page found = { .outcome = MODEL_NOT_PRESENT };
	u64 ep4ta = eptp02 & ADDRESS, entry, reach;
	unsigned int level;
	u64 table = begin_walk(processor, eptp02, address, &level);

	for (;; level--) {
		unsigned int shift = 12 + 9 * (level - 1);

		entry = read_entry(table + ((address >> shift) & 511) * 8);
		if (!(entry & permissions_of(eptp02)))
			return found;
		table = entry & ADDRESS;
		reach = (1ull << shift) - 1;
		if (level == 1 || (level <= 3 && (entry & 0x80)))
			break;
		model_require((entry & 0x407) == 0x407);
		if (processor)
			*structure_slot(processor, ep4ta, address >> shift, level - 1) =
				(struct model_structure_entry){ true, ep4ta, address >> shift, level - 1, table };
	}
	found.outcome = MODEL_TRANSLATED;
	found.permissions = entry & permissions_of(eptp02);
	found.type = entry & 0x78;
	found.page = (table & ~reach) + (address & reach & ~0xfffull);
	return found;
}

struct model_page model_walk_ept02(u64 eptp02, u64 address)
{
	return walk_ept02(NULL, eptp02, address);
}

struct model_access model_try(struct model_processor *processor, u64 eptp02, u64 address, u64 access, bool page_walk)
{
	u64 ep4ta = eptp02 & ADDRESS, page = address & ~0xfffull;
	struct model_tlb_entry *cached = tlb_slot(processor, ep4ta, page);
	struct model_access result = { .done = false };

	if (page_walk && (eptp02 & ACCESSED_DIRTY))
		access |= 3;
	if ((access & MODEL_FETCH_USER) && !(eptp02 & MODE_BASED))
		access = (access & ~MODEL_FETCH_USER) | 4;
	if (!cached->valid || cached->ep4ta != ep4ta || cached->page != page) {
		struct model_page to = walk_ept02(processor, eptp02, address);

		if (to.outcome == MODEL_TRANSLATED)
			*cached = (struct model_tlb_entry){ true, ep4ta, page, to };
		result.used = to;
	} else {
		result.used = cached->to;
	}
	result.done = result.used.outcome == MODEL_TRANSLATED && !(access & ~result.used.permissions);
	if (!result.done)
		forget_address(processor, ep4ta, address);
	result.qualification = (access & 7) | (access & MODEL_FETCH_USER ? 4 : 0) | 0x80 | (page_walk ? 0 : 0x100);
	if (processor->advanced && !page_walk)
		result.qualification |= 0x400 | (access & MODEL_FETCH_USER ? 0x200 : 0);
	return result;
}
