/* SPDX-License-Identifier: MIT */
/*
 * EPT02: pool, roots, invalidation. See ept02.h. Stale translations last no
 * longer here than the SDM lets them last in a TLB: until INVEPT, or until an
 * EPT violation at their address. What INVEPT finds is parked, in one store for
 * each entry of the root page; what is in it comes back table by table, judged
 * by EPT12 as it is then (ept02_revalidate).
 */
#include "vmx/nested/ept02_parts.h"

#include "vmx/nested/spp.h"

/* What hardware says of the access itself, true for EPT12 too: also NMI unblocking, shadow stack, asynchronous. */
#define QUALIFICATION_OF_ACCESS (EPT_RWX | BITS(8, 7) | BITS(13, 12) | BIT(16))
#define QUALIFICATION_ADVANCED BITS(11, 9)

/* Tables that one miss can need: one for each level below the roots. */
#define TABLES_PER_FILL (EPT_MAX_LEVELS - 1 + SPP_TABLES_PER_PAGE)

/* --- pages ---------------------------------------------------------------- */

static void pages_push(struct ept02 *ept02, struct ept02_pages *list, u32 number)
{
	ept02->page[number].next = list->first;
	ept02->page[list->first].previous = number;
	list->first = number;
	if (list->count++ == 0)
		list->last = number;
}

static void pages_remove(struct ept02 *ept02, struct ept02_pages *list, u32 number)
{
	const struct ept02_page *page = &ept02->page[number];

	if (number == list->first)
		list->first = page->next;
	else
		ept02->page[page->previous].next = page->next;
	if (number == list->last)
		list->last = page->previous;
	else
		ept02->page[page->next].previous = page->previous;
	list->count--;
}

/* Makes the page all zero; most of it is. */
static void *clean(struct ept02 *ept02, u32 number)
{
	u64 *table = (u64 *)(void *)(ept02->pool + number * PAGE_SIZE);
	u32 *used = &ept02->page[number].used;

	for (; *used; *used &= *used - 1)
		__builtin_memset(&table[__builtin_ctz(*used) * EPT02_GROUP], 0, EPT02_GROUP * sizeof(u64));
	return table;
}

void *ept02_take_page(void *source)
{
	const struct ept02_source *fill = source;
	struct ept02 *ept02 = fill->ept02;
	u32 number = ept02->free.first;

	if (ept02->free.count == 0)
		return NULL;
	pages_remove(ept02, &ept02->free, number);
	pages_push(ept02, &fill->root->tables, number);
	return clean(ept02, number);
}

void *ept02_take_spp_page(void *source)
{
	const struct ept02_source *fill = source;
	u64 *table = ept02_take_page(source);

	if (table)
		fill->ept02->page[ept02_page_of(fill->ept02, table)].used = ~UINT32_C(0);
	return table;
}

void ept02_give_page(struct ept02 *ept02, struct ept02_root *root, const u64 *table)
{
	u32 number = ept02_page_of(ept02, table);

	pages_remove(ept02, &root->tables, number);
	pages_push(ept02, &ept02->free, number);
}

static void forget_windows(struct ept02_root *root)
{
	for (unsigned int i = 0; i < EPT02_WINDOWS; i++)
		root->window[i].region = EPT02_NO_REGION;
}

void ept02_drop(struct ept02 *ept02, struct ept02_root *root)
{
	ept02_need_flush(ept02, root);
	forget_windows(root);
	if (root->tables.count == 0)
		return;		/* leaves are never in the root page itself */
	clean(ept02, ept02_page_of(ept02, root->table));
	if (unlikely(root->spptp12))
		__builtin_memset(root->spp_table, 0, PAGE_SIZE);
	ept02->page[root->tables.last].next = ept02->free.first;
	ept02->page[ept02->free.first].previous = root->tables.last;
	if (ept02->free.count == 0)
		ept02->free.last = root->tables.last;
	ept02->free.first = root->tables.first;
	ept02->free.count += root->tables.count;
	root->tables = (struct ept02_pages){ 0 };
}

void ept02_make_room(struct ept02 *ept02)
{
	while (ept02->free.count < TABLES_PER_FILL) {
		struct ept02_root *oldest = NULL;

		for (unsigned int i = 0; i < EPT02_ROOTS; i++) {
			struct ept02_root *root = &ept02->roots[i];

			if (root->tables.count && (!oldest || root->last_used < oldest->last_used))
				oldest = root;
		}
		ept02_drop(ept02, oldest);
		ept02->recycled++;
	}
}

void ept02_init(struct ept02 *ept02, const struct l1_memory *memory, const struct vmx_caps *hardware,
		const struct vmx_caps *offered, void *first, u64 count)
{
	u64 own_pages = align_up(count * sizeof(struct ept02_page), PAGE_SIZE) / PAGE_SIZE;

	*ept02 = (struct ept02){
		.memory = memory, .hardware = hardware, .offered = offered,
		.pool = first, .page = first, .pages = count, .recent_eptp12 = ~UINT64_C(0),
	};
	/* Nobody has cleared them: that is done for each when it is taken. */
	for (u64 page = 0; page < count; page++)
		ept02->page[page].used = ~UINT32_C(0);
	for (u64 page = count; page-- > own_pages + 2 * EPT02_ROOTS;)
		pages_push(ept02, &ept02->free, (u32)page);
	for (u32 i = 0; i < EPT02_ROOTS; i++) {
		u32 number = (u32)own_pages + 2 * i;

		ept02->roots[i].asked_eptp12 = ~UINT64_C(0);
		ept02->roots[i].table = clean(ept02, number);
		ept02->roots[i].spp_table = clean(ept02, number + 1);
		forget_windows(&ept02->roots[i]);
	}
}

/* --- roots ---------------------------------------------------------------- */

/* The bits of EPTP12 upon which translations depend. Never 0. */
static u64 key_of(const struct ept02 *ept02, u64 eptp12)
{
	bool five = field_get(eptp12, EPTP_WALK_LENGTH) == 4 && (ept02->hardware->ept_vpid & EPT_CAP_5_LEVEL);
	bool accessed_dirty = (eptp12 & EPTP_ACCESSED_DIRTY) && (ept02->hardware->ept_vpid & EPT_CAP_ACCESSED_DIRTY);

	return (eptp12 & EPTP_ADDRESS) | field_put(five ? 4 : 3, EPTP_WALK_LENGTH) |
	       (accessed_dirty ? EPTP_ACCESSED_DIRTY : 0) | (eptp12 & EPT02_MODE_BASED);
}

bool ept02_is_of(const struct ept02_root *root, u64 eptp12)
{
	return root->eptp12 && !((root->eptp12 ^ eptp12) & EPTP_ADDRESS);
}

struct ept ept02_tables(const struct ept02 *ept02, const struct ept02_root *root)
{
	return (struct ept){
		.root = root->table,
		.levels = (u8)(field_get(root->eptp12, EPTP_WALK_LENGTH) + 1),
		.has_2m = (ept02->hardware->ept_vpid & EPT_CAP_2M) != 0,
		.has_1g = (ept02->hardware->ept_vpid & EPT_CAP_1G) != 0,
	};
}

struct ept_rules ept02_rules(const struct ept02 *ept02, const struct ept02_root *root)
{
	u64 offered = ept02->offered->ept_vpid;

	return (struct ept_rules){
		.execute_only = (offered & EPT_CAP_EXECUTE_ONLY) != 0,
		.has_2m = (offered & EPT_CAP_2M) != 0,
		.has_1g = (offered & EPT_CAP_1G) != 0,
		.physical_address_bits = ept02->memory->physical_address_bits,
		.mode_based = (root->eptp12 & EPT02_MODE_BASED) != 0,
	};
}

/* Makes it the root for this key. Hardware tags its caches by the root page, which stays: flush. */
static void begin_root(struct ept02 *ept02, struct ept02_root *root, u64 key)
{
	bool write_back = (ept02->hardware->ept_vpid & EPT_CAP_WRITE_BACK) != 0;
	struct ept tables;

	ept02_drop(ept02, root);
	ept02->recycled += root->eptp12 != 0;
	for (unsigned int i = 0; i < EPT02_ROOTS; i++)
		ept02->twins |= &ept02->roots[i] != root && ept02_is_of(&ept02->roots[i], key);
	root->eptp12 = key;
	root->spptp12 = 0;
	root->all = key & EPT02_MODE_BASED ? EPT_PERMISSIONS : EPT_RWX;
	root->told = QUALIFICATION_OF_ACCESS;
	if (ept02->offered->ept_vpid & EPT_CAP_ADVANCED_EXIT_INFORMATION)
		root->told |= QUALIFICATION_ADVANCED;
	ept02_learn_ordinary(ept02, root);
	tables = ept02_tables(ept02, root);
	/*
	 * With A/D flags on in EPT12 they are on in EPT02 too: not for the flags,
	 * but because the processor then takes accesses to guest paging-structure
	 * entries for writes, as L1 was promised.
	 */
	root->eptp02 = ept_pointer(&tables, write_back ? MEMORY_WB : MEMORY_UC, (key & EPTP_ACCESSED_DIRTY) != 0);
}

/* The one with these bits of EPTP12, or the oldest, begun afresh. */
static struct ept02_root *root_with(struct ept02 *ept02, u64 key)
{
	struct ept02_root *found = &ept02->roots[0];	/* a slot never used has the age 0 */

	for (unsigned int i = 0; i < EPT02_ROOTS && found->eptp12 != key; i++) {
		struct ept02_root *root = &ept02->roots[i];

		if (root->eptp12 == key || root->last_used < found->last_used)
			found = root;
	}
	if (found->eptp12 != key)
		begin_root(ept02, found, key);
	return found;
}

/* The recent one is the last that was used: uses of it need not be noted. */
struct ept02_root *ept02_find_root(struct ept02 *ept02, u64 eptp12)
{
	struct ept02_root *found = ept02->roots, *end = ept02->roots + EPT02_ROOTS;

	while (found < end && found->asked_eptp12 != eptp12)
		found++;
	if (unlikely(found == end)) {
		found = root_with(ept02, key_of(ept02, eptp12));
		found->asked_eptp12 = eptp12;
	}
	found->last_used = ++ept02->clock;
	ept02->recent = found;
	ept02->recent_eptp12 = eptp12;
	return found;
}

u64 ept02_eptp(struct ept02 *ept02, u64 eptp12)
{
	if (ept02->faulted_eptp12 == eptp12)
		ept02_answer(ept02);
	return ept02_root_of(ept02, eptp12)->eptp02;
}

u64 ept02_spptp(struct ept02 *ept02, u64 eptp12, u64 spptp12)
{
	struct ept02_root *root;

	if (likely(!spptp12))
		return 0;
	root = ept02_root_of(ept02, eptp12);
	if (root->spptp12 != spptp12) {
		ept02_drop(ept02, root);
		root->spptp12 = spptp12;
	}
	return phys_of(root->spp_table).value;
}

/* --- invalidation --------------------------------------------------------- */

/* What is composed from sub-page-permission tables, too, is not kept. */
static void invalidate(struct ept02 *ept02, struct ept02_root *root)
{
	if (unlikely(root->spptp12)) {
		ept02_drop(ept02, root);
		return;
	}
	ept02_need_flush(ept02, root);
	if (!root->live)
		return;
	root->live = false;
	forget_windows(root);
	ept02_park(root->table, ept02->page[ept02_page_of(ept02, root->table)].used);
}

void ept02_invalidate_single(struct ept02 *ept02, u64 eptp12)
{
	for (unsigned int i = 0; i < EPT02_ROOTS; i++) {
		if (ept02_is_of(&ept02->roots[i], eptp12))
			invalidate(ept02, &ept02->roots[i]);
	}
}

void ept02_invalidate_all(struct ept02 *ept02)
{
	for (unsigned int i = 0; i < EPT02_ROOTS; i++) {
		if (ept02->roots[i].eptp12)
			invalidate(ept02, &ept02->roots[i]);
	}
}

bool ept02_take_flush(struct ept02 *ept02, u64 eptp12)
{
	struct ept02_root *root = ept02_root_of(ept02, eptp12);
	bool needed = root->flush_needed;

	root->flush_needed = false;
	ept02->flush_needed = false;
	for (unsigned int i = 0; i < EPT02_ROOTS; i++)
		ept02->flush_needed |= ept02->roots[i].flush_needed;
	return needed;
}
