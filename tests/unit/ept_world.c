/* SPDX-License-Identifier: MIT */
/*
 * The world of ept_world.h. What L2 sees is judged at each access: it must be
 * a translation that EPT12 had since the last INVEPT of its EP4TA or violation
 * at its address; what L1 is told must be what EPT12 says now.
 */
#include "tests/unit/ept_world.h"

#include <string.h>

#include "mm/page_alloc.h"
#include "mm/phys.h"
#include "tests/fake/phys.h"

/* The audit reads every table: not after each miss. */
#define AUDIT_EVERY 8

#define ACCESSED 0x100ull
#define DIRTY 0x200ull
#define EPTP_AD 0x40ull
#define ADDRESS 0x000ffffffffff000ull

static const unsigned int tables_of_level[] = { 0, WORLD_PT, WORLD_PD, WORLD_PDPT, WORLD_PML4, WORLD_PML5 };

/* Table n of a level (1 page table ... 5). */
static u64 table_at(unsigned int level, unsigned int n)
{
	u64 at = WORLD_TABLES_AT;

	for (unsigned int below = 1; below < level; below++)
		at += tables_of_level[below] * 4096;
	return at + n % tables_of_level[level] * 4096;
}

u64 world_address(unsigned int n)
{
	static const u64 pml4[] = { 0, 1 }, high[] = { 0, 1, 511 }, middle[] = { 0, 1, 2 }, low[] = { 0, 1, 511 };

	return pml4[n / 27 % 2] << 39 | high[n / 9 % 3] << 30 | middle[n / 3 % 3] << 21 | low[n % 3] << 12;
}

u64 world_eptp(const struct world *world, unsigned int n)
{
	bool five = n >= 2 * WORLD_PML4 && (world->hardware.ept_vpid & EPT_CAP_5_LEVEL);
	bool flags = n % 2 && (world->hardware.ept_vpid & EPT_CAP_ACCESSED_DIRTY);
	u64 table = five ? table_at(5, 0) : table_at(4, n / 2);

	return table | 6 | (five ? 4 << 3 : 3 << 3) | (flags ? EPTP_AD : 0);
}

/* All zero, but for what the counts make invisible anyway: a fuzzer begins often. */
static void begin_empty(struct world *world)
{
	memset(&world->processor, 0, sizeof(world->processor));
	for (unsigned int t = 0; t < 2 * array_size(world->legal[0]); t++) {
		struct world_legal *legal = world->legal[t % 2][t / 2];

		for (unsigned int n = 0; n < WORLD_PAGES; n++) {
			legal[n].versions = 0;
			legal[n].anything = false;
		}
	}
	world->bytes = NULL;
	world->left = world->random = 0;
	world->accesses = world->misses = world->neighbours = world->reflected = world->misconfigured = 0;
	world->stale = world->logged = world->full = 0;
	world->mode_based = world->logging = world->sub_pages = false;
	world->by_sub_page = world->sub_page_events = 0;
	world->hardware = world->offered = (struct vmx_caps){ 0 };
}

void world_begin(struct world *world, u64 ept_vpid_hardware, u64 ept_vpid_offered, u64 pages)
{
	void *scratch, *pool;

	fake_memory_reset();
	begin_empty(world);
	scratch = page_alloc();
	pool = page_alloc_contiguous(pages);
	model_require(scratch && pool);
	world->memory = (struct l1_memory){
		.hidden_base = hpa(FAKE_BLOCK_BASE), .hidden_size = FAKE_BLOCK_SIZE,
		.scratch = phys_of(scratch), .physical_address_bits = 40,
	};
	world->hardware.ept_vpid = ept_vpid_hardware;
	world->offered.ept_vpid = ept_vpid_offered;
	world->processor.advanced = (ept_vpid_hardware & EPT_CAP_ADVANCED_EXIT_INFORMATION) != 0;
	world->log = (struct page_log){ .page = l1_gpa(WORLD_LOG_AT), .index = 9 };
	memset(pool, 0xa5, pages * PAGE_SIZE);
	ept02_init(&world->ept02, &world->memory, &world->hardware, &world->offered, pool, pages);
}

/* A sound entry for place i of table n, the same each time: a link, or a page of the level's size. */
static u64 sound_entry(unsigned int level, unsigned int n, unsigned int i)
{
	static const u64 regions[] = { 0, 0x40000000, 0x200000, 0x400000, 0, FAKE_BLOCK_BASE - 0x200000, FAKE_BLOCK_BASE };
	u64 size = 1ull << (12 + 9 * (level - 1));
	u64 region = regions[(n + i * 2 + level) % 7] & ~(size - 1);

	if (level == 1)
		return (region + i * size) | 0x437;
	if (level <= 3 && (n + i) % 3 == 2)
		return (region + i * size) | 0x4b7;
	return table_at(level - 1, n + i) | 0x407;
}

void world_populate(struct world *world)
{
	static const u64 indices[] = { 0, 1, 2, 511 };

	for (unsigned int level = 1; level <= 5; level++) {
		for (unsigned int n = 0; n < tables_of_level[level]; n++) {
			u64 *table = phys_to_ptr(hpa(table_at(level, n)));

			for (unsigned int i = 0; i < array_size(indices); i++)
				table[indices[i]] = sound_entry(level, n, i);
		}
	}
	world_invept_all(world);
}

/* --- what is legal -------------------------------------------------------- */

static struct world_legal *legal_of(struct world *world, u64 eptp12, unsigned int n)
{
	u64 table = ((eptp12 & ADDRESS) - table_at(4, 0)) / 4096;

	return &world->legal[(eptp12 & EPT02_MODE_BASED) != 0][table][n];
}

static bool is_same(const struct model_page *a, const struct model_page *b)
{
	return a->page == b->page && a->permissions == b->permissions && a->type == b->type;
}

/* What EPT12 says now is legal from now on. */
static void note_current(struct world *world, u64 eptp12, unsigned int n)
{
	struct world_legal *legal = legal_of(world, eptp12, n);
	struct model_page now = model_walk(&world->ept02, eptp12, world_address(n));

	if (now.outcome != MODEL_TRANSLATED || legal->anything)
		return;
	for (unsigned int i = 0; i < legal->versions; i++) {
		const struct world_version *version = &legal->version[i];

		if (version->page == now.page && version->permissions == now.permissions && version->type == now.type)
			return;
	}
	if (legal->versions == WORLD_VERSIONS)
		legal->anything = true;
	else
		legal->version[legal->versions++] = (struct world_version){ now.page, now.permissions, now.type };
}

/* Nothing else than what EPT12 says now is legal. */
static void note_invalidated(struct world *world, u64 eptp12, unsigned int n)
{
	struct world_legal *legal = legal_of(world, eptp12, n);

	legal->versions = 0;
	legal->anything = false;
	note_current(world, eptp12, n);
}

static void check_seen(struct world *world, u64 eptp12, unsigned int n, u64 access, const struct model_page *seen)
{
	const struct world_legal *legal = legal_of(world, eptp12, n);
	struct model_page now = model_walk(&world->ept02, eptp12, world_address(n));
	bool found = legal->anything;

	for (unsigned int i = 0; i < legal->versions && !found; i++) {
		const struct world_version *version = &legal->version[i];

		found = version->page == seen->page && version->type == seen->type && !(access & ~version->permissions);
	}
	model_require(found);
	if (now.outcome != MODEL_TRANSLATED || now.page != seen->page)
		world->stale++;
}

/* A flush that a root needs is not forgotten, as long as the caller asks for each root's. */
static void audit(const struct world *world)
{
	for (unsigned int i = 0; i < EPT02_ROOTS; i++)
		model_require(!world->ept02.roots[i].flush_needed || world->ept02.flush_needed);
	model_audit(&world->ept02);
}

/* --- L1 ------------------------------------------------------------------- */

static void for_all_pages(struct world *world, void note(struct world *, u64, unsigned int), u64 ep4ta)
{
	for (unsigned int e = 0; e < WORLD_EPTPS; e += 2) {
		u64 eptp12 = world_eptp(world, e);

		for (unsigned int n = 0; n < WORLD_PAGES && (!ep4ta || (eptp12 & ADDRESS) == ep4ta); n++) {
			note(world, eptp12, n);
			if (world->mode_based)
				note(world, eptp12 | EPT02_MODE_BASED, n);
		}
	}
}

void world_write(struct world *world, u64 at, u64 value)
{
	u64 *entry = phys_to_ptr(hpa(at));

	model_require(at < FAKE_BLOCK_BASE || (at & ADDRESS) == world->memory.scratch.value);
	*entry = value;
	for_all_pages(world, note_current, 0);
}

void world_invept(struct world *world, u64 eptp12)
{
	ept02_invalidate_single(&world->ept02, eptp12);
	for_all_pages(world, note_invalidated, eptp12 & ADDRESS);
	audit(world);
}

void world_invept_all(struct world *world)
{
	ept02_invalidate_all(&world->ept02);
	for_all_pages(world, note_invalidated, 0);
	audit(world);
}

/* --- L2 ------------------------------------------------------------------- */

static u8 before[WORLD_TABLES * 4096];

static u64 read_entry_at(u64 at)
{
	u64 value;

	memcpy(&value, phys_to_ptr(hpa(at)), 8);
	return value;
}

/* EPT12 may have changed only in the accessed flags of the walk and the dirty flag of its leaf. */
static void check_flags(const struct world *world, u64 eptp12, unsigned int n, bool filled, bool write)
{
	struct model_page now = model_walk(&world->ept02, eptp12, world_address(n));
	const u8 *after = phys_to_ptr(hpa(WORLD_TABLES_AT));
	bool flags = (eptp12 & EPTP_AD) != 0 && filled;

	for (unsigned int i = 0; i < now.entries && flags; i++) {
		bool leaf = i + 1 == now.entries;
		u64 at = now.entry_at[i] - WORLD_TABLES_AT, want, is;

		memcpy(&is, phys_to_ptr(hpa(now.entry_at[i])), 8);
		model_require(is & ACCESSED);
		model_require(!leaf || !write || (is & DIRTY));
		if (at >= sizeof(before))
			continue;	/* in the scratch page, where L1 sees hidden memory */
		memcpy(&want, before + at, 8);
		want |= ACCESSED | (leaf && write ? DIRTY : 0);
		memcpy(before + at, &want, 8);
	}
	model_require(!memcmp(before, after, sizeof(before)));
}

static void check_violation(struct world *world, u64 eptp12, unsigned int n, u64 needs, u64 given, const struct ept02_result *told)
{
	struct model_page now = model_walk(&world->ept02, eptp12, world_address(n));
	u64 permissions = now.outcome == MODEL_TRANSLATED ? now.permissions : 0;
	u64 access = given & 7, kept = world->offered.ept_vpid & EPT_CAP_ADVANCED_EXIT_INFORMATION ? 0xf80 : 0x180;

	if (!(given & 0x100) && (eptp12 & EPTP_AD)) {
		access |= 3;
		needs |= 3;
	}
	model_require(now.outcome != MODEL_MISCONFIGURED);
	model_require(needs & ~permissions);
	model_require(told->qualification == (access | (permissions & 7) << 3 | (permissions & 0x400) >> 4 | (given & kept)));
	model_require(told->entry == (now.entries ? now.leaf : ~0ull));
}

/* What hardware would find for L2's pages, before a miss. */
static bool translated_before[WORLD_PAGES];

/* Without an entry to L2, which may fill something. */
static struct model_page find_in_ept02(struct world *world, u64 eptp12, unsigned int n)
{
	u64 faulted = world->ept02.faulted_eptp12, eptp02;

	world->ept02.faulted_eptp12 = 0;
	eptp02 = ept02_eptp(&world->ept02, eptp12);
	world->ept02.faulted_eptp12 = faulted;
	return model_walk_ept02(eptp02 | (eptp12 & EPT02_MODE_BASED), world_address(n));
}

static void note_translated(struct world *world, u64 eptp12)
{
	for (unsigned int n = 0; n < WORLD_PAGES; n++)
		translated_before[n] = find_in_ept02(world, eptp12, n).outcome == MODEL_TRANSLATED;
}

/*
 * Whatever else has come, because it is near or was there before INVEPT, is what EPT12 says now; with accessed and dirty
 * flags, only what has been accessed, and writable only what is dirty. SDM "Accessed and Dirty Flags for EPT".
 */
static void check_neighbours(struct world *world, u64 eptp12)
{
	for (unsigned int n = 0; n < WORLD_PAGES; n++) {
		struct model_page filled = find_in_ept02(world, eptp12, n), now;

		if (filled.outcome != MODEL_TRANSLATED || translated_before[n])
			continue;
		now = model_walk(&world->ept02, eptp12, world_address(n));
		model_require(now.outcome == MODEL_TRANSLATED);
		for (unsigned int i = 0; i < now.entries && (eptp12 & EPTP_AD); i++)
			model_require(read_entry_at(now.entry_at[i]) & ACCESSED);
		if ((eptp12 & EPTP_AD) && !(now.leaf & DIRTY))
			now.permissions &= ~2ull;
		model_require(is_same(&now, &filled));
		world->neighbours++;
	}
}

/* What was just filled is what EPT12 says now, page by page; writable only when dirty flags are off or set. */
static void check_filled(struct world *world, u64 eptp12, unsigned int n)
{
	struct model_page now = model_walk(&world->ept02, eptp12, world_address(n));
	struct model_page filled = find_in_ept02(world, eptp12, n);

	model_require(now.outcome == MODEL_TRANSLATED && filled.outcome == MODEL_TRANSLATED);
	if ((eptp12 & EPTP_AD) && !(now.leaf & DIRTY))
		now.permissions &= ~2ull;
	model_require(is_same(&now, &filled));
}

/* SDM "Page-Modification Logging": one entry for each dirty flag that was set, downwards, and none else. */
static void check_log(struct world *world, unsigned int n, bool dirtied, u16 index_before)
{
	u64 *entry = phys_to_ptr(hpa(WORLD_LOG_AT + index_before * 8ull));

	if (!world->logging || !dirtied) {
		model_require(world->log.index == index_before);
		return;
	}
	model_require(index_before < 512 && world->log.index == (u16)(index_before - 1));
	model_require(*entry == world_address(n));
	*entry = 0;
	world->logged++;
}

/* There was no room: an allowed access that had a flag to set. L1 makes room. */
static void check_full(struct world *world, u64 eptp12, const struct model_page *now, u64 qualification, const struct ept02_result *told)
{
	bool write = (qualification & 2) || !(qualification & 0x100), missing = write && !(now->leaf & DIRTY);

	for (unsigned int i = 0; i < now->entries; i++)
		missing |= !(read_entry_at(now->entry_at[i]) & ACCESSED);
	model_require(world->logging && world->log.index >= 512 && (eptp12 & EPTP_AD));
	model_require(now->outcome == MODEL_TRANSLATED && missing && told->qualification == 0);
	world->log.index = 3;
	world->full++;
}

/* May the answer to this miss come from L1's sub-page-permission tables? */
static bool asks_sub_pages(const struct world *world, const struct model_page *now, u64 needs, u64 qualification)
{
	return world->sub_pages && now->outcome == MODEL_TRANSLATED && (needs & ~now->permissions) == 2 && (now->permissions & 1) &&
	       (now->leaf >> 61 & 1) && (qualification & 0x180) == 0x180 && now->entries == now->levels;
}

/* Such a write: filled only if its part allows it, an event only if the tables do not tell. */
static void check_sub_pages(struct world *world, u64 address, enum ept02_outcome outcome)
{
	u64 vector;
	enum model_sub_pages found = model_walk_sub_pages(&world->ept02, WORLD_SPPTP, address, &vector);

	model_require((found != MODEL_VECTOR) == (outcome == EPT02_SPP_EVENT));
	model_require(outcome != EPT02_FILLED || (vector >> ((address & 0xfff) / 128 * 2) & 1));
	world->by_sub_page += outcome == EPT02_FILLED;
	world->sub_page_events += outcome == EPT02_SPP_EVENT;
}

/* One miss, of an access that needs these permissions: gives it to EPT02 and judges the answer. */
static enum ept02_outcome miss(struct world *world, u64 eptp12, unsigned int n, u64 needs, u64 qualification)
{
	bool write = (qualification & 2) || (!(qualification & 0x100) && (eptp12 & EPTP_AD));
	struct model_page now = model_walk(&world->ept02, eptp12, world_address(n));
	u64 page = world_address(n);
	const struct ept02_miss missed = { eptp12, l2_gpa(page + (qualification & 0xff)), qualification, false, &world->log,
					 world->sub_pages ? WORLD_SPPTP | 1 : 0 };
	u16 index = world->log.index;
	struct ept02_result result;
	bool dirtied;

	memcpy(before, phys_to_ptr(hpa(WORLD_TABLES_AT)), sizeof(before));
	world->log.on = world->logging;
	note_translated(world, eptp12);
	result = ept02_handle(&world->ept02, &missed);
	if (++world->misses % AUDIT_EVERY == 0)
		audit(world);
	check_flags(world, eptp12, n, result.outcome == EPT02_FILLED, write);
	if (asks_sub_pages(world, &now, needs, qualification))
		check_sub_pages(world, missed.address.value, result.outcome);
	else
		model_require(result.outcome != EPT02_SPP_EVENT);
	dirtied = result.outcome == EPT02_FILLED && (eptp12 & EPTP_AD) && write && !(now.leaf & DIRTY);
	check_log(world, n, dirtied, index);
	switch (result.outcome) {
	case EPT02_FILLED:
		model_require(now.outcome == MODEL_TRANSLATED);
		check_filled(world, eptp12, n);
		check_neighbours(world, eptp12);
		break;
	case EPT02_MISCONFIGURED:
		model_require(now.outcome == MODEL_MISCONFIGURED);
		world->misconfigured++;
		break;
	case EPT02_VIOLATION:
		check_violation(world, eptp12, n, needs, qualification, &result);
		note_invalidated(world, eptp12 & ~EPT02_MODE_BASED, n);
		if (world->mode_based)
			note_invalidated(world, eptp12 | EPT02_MODE_BASED, n);
		world->reflected++;
		break;
	case EPT02_LOG_FULL:
		check_full(world, eptp12, &now, qualification, &result);
		break;
	case EPT02_SPP_EVENT:
		break;
	}
	return result.outcome;
}

/* A processor may translate ahead of any use, but sets no flag and tells nobody. */
static void prefill(struct world *world, u64 eptp12, unsigned int n)
{
	memcpy(before, phys_to_ptr(hpa(WORLD_TABLES_AT)), sizeof(before));
	note_translated(world, eptp12);
	ept02_prefill(&world->ept02, eptp12, l2_gpa(world_address(n)));
	model_require(!memcmp(before, phys_to_ptr(hpa(WORLD_TABLES_AT)), sizeof(before)));
	check_neighbours(world, eptp12);
}

bool world_access(struct world *world, u64 eptp12, unsigned int n, u64 access, bool page_walk)
{
	if (!(eptp12 & EPT02_MODE_BASED) && (access & MODEL_FETCH_USER))
		access = (access & 7) | EPT_ACCESS_EXECUTE;
	for (unsigned int try = 0; try < 4; try++) {
		struct model_access result;
		u64 eptp02;

		if (world->ept02.faulted_eptp12 == eptp12)
			note_translated(world, eptp12);
		eptp02 = ept02_eptp(&world->ept02, eptp12) | (eptp12 & EPT02_MODE_BASED);

		if (ept02_take_flush(&world->ept02, eptp12))
			model_flush(&world->processor, eptp02);
		result = model_try(&world->processor, eptp02, world_address(n), access, page_walk);
		if (result.done) {
			check_seen(world, eptp12, n, access, &result.used);
			world->accesses++;
			return true;
		}
		if (miss(world, eptp12, n, access, result.qualification) != EPT02_FILLED)
			return false;
	}
	model_broken("a filled miss lets L2 go on", __FILE__, __LINE__);
	return false;
}

/* --- steps ---------------------------------------------------------------- */

static u64 take(struct world *world, u64 below)
{
	if (world->bytes) {
		u8 byte = world->left ? *world->bytes : 0;

		world->bytes += world->left > 0;
		world->left -= world->left > 0;
		return byte % below;
	}
	world->random ^= world->random << 13;
	world->random ^= world->random >> 7;
	world->random ^= world->random << 17;
	return (world->random >> 20) % below;
}

/* An address that L1 may put into an entry: ordinary, near or in L0's block, far away, illegal. */
static u64 some_address(struct world *world, unsigned int level)
{
	static const u64 bases[] = {
		0x200000, 0x400000, 0, FAKE_BLOCK_BASE - 0x200000, FAKE_BLOCK_BASE, FAKE_BLOCK_BASE + 0x1000,
		FAKE_MEMORY_SIZE - 0x1000, FAKE_MEMORY_SIZE, 0x40000000, 0x8000000000, 0xffc0000000, 0x10000000000,
	};
	u64 address = bases[take(world, take(world, 16) ? 11 : 12)];

	address += take(world, 4) << (12 + 9 * (level - 1));
	return take(world, 8) ? address & ~((1ull << (12 + 9 * (level - 1))) - 1) : address & ADDRESS;
}

static u64 some_permissions(struct world *world)
{
	static const u64 often[] = { 7, 7, 7, 7, 3, 5, 1, 1 };

	u64 user = world->mode_based && take(world, 4) ? 0x400 : 0;

	return user | (take(world, 4) ? often[take(world, 8)] : take(world, 8));
}

static u64 some_leaf(struct world *world, unsigned int level)
{
	static const u64 types[] = { 6, 6, 6, 0, 1, 4, 5, 6 };
	u64 type = take(world, 16) ? types[take(world, 8)] : take(world, 8);
	u64 entry = type << 3 | (level > 1 ? 0x80 : 0);

	/* One statement each: the bytes must mean the same with every compiler. */
	entry |= some_address(world, level);
	entry |= some_permissions(world);
	entry |= take(world, 2) << 6;
	entry |= take(world, 4) << 8;
	if (world->sub_pages)
		entry |= take(world, 2) << 61;
	return entry;
}

static u64 some_entry(struct world *world, unsigned int level)
{
	u64 kind = take(world, 16), entry, garbage;

	if (kind == 0)
		return 0;
	if (kind == 1) {	/* garbage in one byte of something sound */
		entry = some_leaf(world, level > 3 ? 3 : level);
		garbage = take(world, 256);
		return entry ^ garbage << take(world, 56);
	}
	if (level == 1 || (level <= 3 && kind < 7))
		return some_leaf(world, level);
	entry = take(world, 4) ? 0x407 : some_permissions(world);
	entry |= take(world, 2) << 8;
	if (kind == 15)		/* into a table of any level, itself perhaps, or into L0's block */
		return entry | (take(world, 4) ? WORLD_TABLES_AT + take(world, WORLD_TABLES) * 4096 : FAKE_BLOCK_BASE);
	return entry | table_at(level - 1, (unsigned int)take(world, 8));
}

static void edit(struct world *world)
{
	static const u64 indices[] = { 0, 1, 2, 511 };
	static const u8 levels[] = { 1, 1, 1, 1, 2, 2, 3, 4 };
	unsigned int level = take(world, 32) ? levels[take(world, 8)] : 5;
	u64 table = table_at(level, (unsigned int)take(world, 8));
	u64 index = indices[take(world, 4)];

	world_write(world, table + index * 8, some_entry(world, level));
}

/* L1 writes its sub-page-permission tables: sound mostly, and everywhere for the pages that are looked at. */
static void edit_sub_pages(struct world *world)
{
	static const u64 indices[] = { 0, 1, 2, 511 };
	unsigned int level = (unsigned int)take(world, 4);
	u64 *table = phys_to_ptr(hpa(WORLD_SPP_AT + level * 4096)), entry;

	for (unsigned int i = 0; i < array_size(indices); i++) {
		entry = level ? (WORLD_SPP_AT + (level - 1) * 4096) | 1 : take(world, 256) * 0x0101010101010101 & 0x5555555555555555;
		if (!take(world, 16))
			entry ^= 1ull << take(world, 64);
		table[indices[i]] = entry;
	}
}

bool world_step(struct world *world)
{
	static const u64 accesses[] = { 1, 1, 2, 2, 3, 4, 5, 7 }, modes[] = { 1, 2, 2, 3, 4, 4, MODEL_FETCH_USER, MODEL_FETCH_USER };
	u64 eptp12, access;
	unsigned int page;

	if (world->bytes && !world->left)
		return false;
	eptp12 = world_eptp(world, (unsigned int)take(world, take(world, 4) ? 3 : WORLD_EPTPS));
	if (world->mode_based && take(world, 3))
		eptp12 |= EPT02_MODE_BASED;
	if (world->sub_pages && !take(world, 8))
		edit_sub_pages(world);
	switch (take(world, 16)) {
	case 0: case 1: case 2:
		edit(world);
		break;
	case 3:
		world_invept(world, eptp12);
		break;
	case 4:
		if (!take(world, 16))
			world_populate(world);
		else if (!take(world, 4))
			world_invept_all(world);
		break;
	case 5:
		prefill(world, eptp12, (unsigned int)take(world, take(world, 4) ? 9 : WORLD_PAGES));
		break;
	default:
		page = (unsigned int)take(world, take(world, 4) ? 9 : WORLD_PAGES);
		access = (eptp12 & EPT02_MODE_BASED ? modes : accesses)[take(world, 8)];
		/* Nothing is fetched from a guest paging-structure entry. */
		(void)world_access(world, eptp12, page, access, !take(world, 4) && !(access & (EPT_ACCESS_EXECUTE | MODEL_FETCH_USER)));
		break;
	}
	return true;
}
