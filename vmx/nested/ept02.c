/* SPDX-License-Identifier: MIT */
/*
 * EPT02: pool and roots, misses, invalidation. See ept02.h. Every leaf's
 * address comes from l1_to_hpa, so L2 cannot reach L0's memory whatever EPT12
 * says. Stale translations last no longer here than the SDM lets them last in
 * a TLB: until INVEPT, or until an EPT violation at their address.
 */
#include "vmx/nested/ept02.h"

#include "mm/ept.h"
#include "mm/phys.h"
#include "vmx/nested/ept12_walk.h"
#include "vmx/nested/spp.h"

/* Tables that one miss can need: one for each level below the roots. */
#define TABLES_PER_FILL (EPT_MAX_LEVELS - 1 + SPP_TABLES_PER_PAGE)
/* How often a walk is begun again when L1 changes EPT12 under it; then L2 just misses again. */
#define WALK_TRIES 8

/* Exit qualification of reason 48, beside EPT_ACCESS_*. SDM "Exit Qualification for EPT Violations". */
#define QUALIFICATION_ACCESS BITS(2, 0)
#define QUALIFICATION_PERMISSIONS BITS(5, 3)
#define QUALIFICATION_USER_EXECUTABLE BIT(6)	/* with mode-based execute control */
#define QUALIFICATION_LINEAR_VALID BIT(7)
#define QUALIFICATION_TRANSLATED BIT(8)	/* clear: an access to a guest paging-structure entry */
#define QUALIFICATION_ADVANCED BITS(11, 9)
/* What hardware says of the access itself, true for EPT12 too: also NMI unblocking, shadow stack, asynchronous. */
#define QUALIFICATION_OF_ACCESS (QUALIFICATION_ACCESS | BITS(8, 7) | BITS(13, 12) | BIT(16))
/* That of reason 62 has only NMI unblocking and asynchronous, in the same places. SDM "Basic VM-Exit Information". */
#define QUALIFICATION_OF_LOG_FULL (BIT(12) | BIT(16))
/* That of reason 66 has them, and whether it is a miss or a misconfiguration. */
#define QUALIFICATION_SPP_MISS BIT(11)

/* A root being filled: the context of its page source. */
struct fill {
	struct ept02 *ept02;
	struct ept02_root *root;
};

/* --- pages ---------------------------------------------------------------- */

static void pages_push(struct ept02 *ept02, struct ept02_pages *list, u32 page)
{
	ept02->next[page] = list->first;
	list->first = page;
	if (list->count++ == 0)
		list->last = page;
}

static void *pages_pop(struct ept02 *ept02, struct ept02_pages *list, u32 *page)
{
	*page = list->first;
	list->first = ept02->next[*page];
	list->count--;
	return ept02->pool + *page * PAGE_SIZE;
}

/* A page of the pool for a table of this root; there is one, because make_room came before. */
static void *take_page(void *context)
{
	struct fill *fill = context;
	u32 number;
	void *page;

	if (fill->ept02->free.count == 0)
		return NULL;
	page = pages_pop(fill->ept02, &fill->ept02->free, &number);
	pages_push(fill->ept02, &fill->root->tables, number);
	return __builtin_memset(page, 0, PAGE_SIZE);
}

static void need_flush(struct ept02 *ept02, struct ept02_root *root)
{
	root->flush_needed = true;
	ept02->flush_needed = true;
}

/* Forgets all translations of the root; its tables go back to the pool in one piece. */
static void root_drop(struct ept02 *ept02, struct ept02_root *root)
{
	need_flush(ept02, root);
	if (root->tables.count == 0)
		return;		/* leaves are never in the root page itself */
	__builtin_memset(root->table, 0, PAGE_SIZE);
	if (unlikely(root->spptp12))
		__builtin_memset(root->spp_table, 0, PAGE_SIZE);
	ept02->next[root->tables.last] = ept02->free.first;
	if (ept02->free.count == 0)
		ept02->free.last = root->tables.last;
	ept02->free.first = root->tables.first;
	ept02->free.count += root->tables.count;
	root->tables = (struct ept02_pages){ 0 };
}

/* Sees to it that one fill finds its pages, dropping the tables used least recently: the present root's last. */
static void make_room(struct ept02 *ept02)
{
	while (ept02->free.count < TABLES_PER_FILL) {
		struct ept02_root *oldest = NULL;

		for (unsigned int i = 0; i < EPT02_ROOTS; i++) {
			struct ept02_root *root = &ept02->roots[i];

			if (root->tables.count && (!oldest || root->last_used < oldest->last_used))
				oldest = root;
		}
		root_drop(ept02, oldest);
		ept02->recycled++;
	}
}

void ept02_init(struct ept02 *ept02, const struct l1_memory *memory, const struct vmx_caps *hardware,
		const struct vmx_caps *offered, void *first, u64 count)
{
	u64 link_pages = align_up(count * sizeof(u32), PAGE_SIZE) / PAGE_SIZE;

	*ept02 = (struct ept02){
		.memory = memory, .hardware = hardware, .offered = offered,
		.pool = first, .next = first, .pages = count,
	};
	for (u64 page = count; page-- > link_pages + 2 * EPT02_ROOTS;)
		pages_push(ept02, &ept02->free, (u32)page);
	for (u32 i = 0; i < EPT02_ROOTS; i++) {
		u8 *pages = ept02->pool + (link_pages + 2 * i) * PAGE_SIZE;

		ept02->roots[i].table = __builtin_memset(pages, 0, PAGE_SIZE);
		ept02->roots[i].spp_table = __builtin_memset(pages + PAGE_SIZE, 0, PAGE_SIZE);
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

static struct ept02_root *root_of(struct ept02 *ept02, u64 eptp12)
{
	u64 key = key_of(ept02, eptp12);
	struct ept02_root *oldest = &ept02->roots[0];

	ept02->clock++;
	for (unsigned int i = 0; i < EPT02_ROOTS; i++) {
		struct ept02_root *root = &ept02->roots[i];

		if (root->eptp12 == key) {
			root->last_used = ept02->clock;
			return root;
		}
		if (root->last_used < oldest->last_used)
			oldest = root;
	}
	/* A slot never used has the age 0. Hardware tags its caches by the root page, which stays: flush. */
	root_drop(ept02, oldest);
	ept02->recycled += oldest->eptp12 != 0;
	oldest->eptp12 = key;
	oldest->spptp12 = 0;
	oldest->last_used = ept02->clock;
	return oldest;
}

/* Was the root composed from the tables of this EPTP? SDM "INVEPT": what counts is EP4TA, bits 51:12. */
static bool is_of(const struct ept02_root *root, u64 eptp12)
{
	return root->eptp12 && !((root->eptp12 ^ eptp12) & EPTP_ADDRESS);
}

static struct ept tables_of(const struct ept02 *ept02, const struct ept02_root *root, struct fill *fill)
{
	return (struct ept){
		.root = root->table,
		.levels = (u8)(field_get(root->eptp12, EPTP_WALK_LENGTH) + 1),
		.has_2m = (ept02->hardware->ept_vpid & EPT_CAP_2M) != 0,
		.has_1g = (ept02->hardware->ept_vpid & EPT_CAP_1G) != 0,
		.take_page = take_page,
		.context = fill,
	};
}

u64 ept02_eptp(struct ept02 *ept02, u64 eptp12)
{
	const struct ept02_root *root = root_of(ept02, eptp12);
	struct ept tables = tables_of(ept02, root, NULL);
	bool write_back = (ept02->hardware->ept_vpid & EPT_CAP_WRITE_BACK) != 0;

	/*
	 * With A/D flags on in EPT12 they are on in EPT02 too: not for the flags,
	 * but because the processor then takes accesses to guest paging-structure
	 * entries for writes, as L1 was promised.
	 */
	return ept_pointer(&tables, write_back ? MEMORY_WB : MEMORY_UC, (root->eptp12 & EPTP_ACCESSED_DIRTY) != 0);
}

u64 ept02_spptp(struct ept02 *ept02, u64 eptp12, u64 spptp12)
{
	struct ept02_root *root;

	if (likely(!spptp12))
		return 0;
	root = root_of(ept02, eptp12);
	if (root->spptp12 != spptp12) {
		root_drop(ept02, root);
		root->spptp12 = spptp12;
	}
	return phys_of(root->spp_table).value;
}

/* --- misses --------------------------------------------------------------- */

static struct ept_rules rules_of(const struct ept02 *ept02, const struct ept02_root *root)
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

/* The largest page that EPT12's page, L0's hidden memory, the processor and the tables so far agree on. */
static u64 page_size(const struct ept02 *ept02, const struct ept12_walk *walk, u64 slot_size)
{
	u64 hardware = ept02->hardware->ept_vpid;

	for (u64 size = SIZE_1G; size > PAGE_SIZE; size /= EPT_TABLE_ENTRIES) {
		bool known = (hardware & (size == SIZE_1G ? EPT_CAP_1G : EPT_CAP_2M)) != 0;
		l1_gpa_t page = l1_gpa(align_down(walk->address.value, size));

		if (known && size <= walk->size && size <= slot_size && l1_is_identity(ept02->memory, page, size))
			return size;
	}
	return PAGE_SIZE;
}

/* Does the new leaf take away something that the processor may have cached of the old one? */
static bool is_narrower(u64 old, u64 new)
{
	if ((old & EPT_PERMISSIONS) == 0)
		return false;
	return (old & ~new & (EPT_PERMISSIONS | EPT_SUB_PAGES)) || ((old ^ new) & (EPT_ADDRESS | EPT_MEMORY_TYPE | EPT_IGNORE_PAT));
}

static void fill_leaf(struct ept02 *ept02, struct ept02_root *root, const struct ept12_walk *walk,
		      l2_gpa_t address, u64 permissions)
{
	struct fill fill = { .ept02 = ept02, .root = root };
	struct ept tables = tables_of(ept02, root, &fill);
	struct ept_translation old;
	u64 size, attributes;
	hpa_t to;

	make_room(ept02);
	old = ept_lookup(&tables, address.value);
	size = page_size(ept02, walk, old.size);
	to = l1_to_hpa(ept02->memory, l1_gpa(align_down(walk->address.value, size)));
	attributes = permissions | (ept12_last(walk) & (EPT_MEMORY_TYPE | EPT_IGNORE_PAT));

	/* A larger page than EPT12 has now must go whole: its other parts may be gone as well. */
	if (old.size > size && ept_unmap(&tables, address.value))
		need_flush(ept02, root);
	else if (old.size == size && is_narrower(old.value, to.value | attributes))
		need_flush(ept02, root);
	if (ept_map(&tables, align_down(address.value, size), to, size, attributes))
		ept02->fills++;
}

/*
 * Forgets the translation of this address. SDM "Operations that Invalidate
 * Cached Mappings": an EPT violation invalidates what translated its address
 * (for this EP4TA), so L1 may change that page afterwards without INVEPT. At
 * this very exit the processor did so for its own caches, but not for what it
 * has of another root of the same tables.
 */
static void forget(struct ept02 *ept02, const struct ept02_root *current, l2_gpa_t address)
{
	for (unsigned int i = 0; i < EPT02_ROOTS; i++) {
		struct ept02_root *root = &ept02->roots[i];
		struct ept tables = tables_of(ept02, root, NULL);

		if (is_of(root, current->eptp12) && ept_unmap(&tables, address.value) && root != current)
			need_flush(ept02, root);
	}
}

/*
 * The access that EPT12 is to judge. SDM "EPT Violations": with A/D flags, a
 * processor access to a guest paging-structure entry counts as a write too
 * (loads of PDPTEs by MOV to CR do not; they have no linear address).
 */
static u64 access_of(const struct ept02_root *root, u64 qualification)
{
	u64 access = qualification & QUALIFICATION_ACCESS;
	bool page_walk = (qualification & QUALIFICATION_LINEAR_VALID) && !(qualification & QUALIFICATION_TRANSLATED);

	if (page_walk && (root->eptp12 & EPTP_ACCESSED_DIRTY))
		access |= EPT_ACCESS_READ | EPT_ACCESS_WRITE;
	return access;
}

static u64 violation_of(const struct ept02 *ept02, const struct ept12_walk *walk, u64 hardware, u64 access)
{
	u64 kept = QUALIFICATION_OF_ACCESS;

	if (ept02->offered->ept_vpid & EPT_CAP_ADVANCED_EXIT_INFORMATION)
		kept |= QUALIFICATION_ADVANCED;
	return (hardware & kept) | access | field_put(walk->permissions & EPT_RWX, QUALIFICATION_PERMISSIONS) |
	       (walk->permissions & EPT_USER_EXECUTE ? QUALIFICATION_USER_EXECUTABLE : 0);
}

/*
 * May code be fetched where one of supervisor and user mode may and the other may not? Which it was, the exit
 * need not tell (advanced exit information does, where a processor has it), but the access itself: if EPT02 had
 * just these permissions, it was the other mode. If not, L2 tries again with them.
 */
static bool may_fetch(const struct ept02 *ept02, const struct ept02_root *root, const struct ept12_walk *walk, l2_gpa_t address)
{
	const u64 execute = EPT_EXECUTE | EPT_USER_EXECUTE;
	struct ept tables = tables_of(ept02, root, NULL);

	return (ept_lookup(&tables, address.value).value & execute) != (walk->permissions & execute);
}

/* SDM "EPT Violations". */
static bool is_allowed(const struct ept02 *ept02, const struct ept02_root *root, const struct ept12_walk *walk,
		       l2_gpa_t address, u64 access)
{
	u64 missing = access & ~walk->permissions;

	if (walk->outcome == EPT12_NOT_PRESENT || (missing & (EPT_ACCESS_READ | EPT_ACCESS_WRITE)))
		return false;
	if (likely(!(root->eptp12 & EPT02_MODE_BASED)) || !(access & EPT_ACCESS_EXECUTE))
		return !missing;
	switch (walk->permissions & (EPT_EXECUTE | EPT_USER_EXECUTE)) {
	case 0: return false;
	case EPT_EXECUTE | EPT_USER_EXECUTE: return true;
	default: return may_fetch(ept02, root, walk, address);
	}
}

/* Sets the flags of EPT12, and logs the page that gets dirty. False when L1 changed EPT12 under the walk. */
static bool set_flags(const struct ept02 *ept02, struct ept12_walk *walk, const struct ept02_miss *miss, bool write)
{
	bool dirties = write && !(ept12_last(walk) & EPT_DIRTY);

	if (!ept12_mark_used(walk, ept02->memory, write))
		return false;
	if (miss->log && dirties)
		page_log_add(miss->log, ept02->memory, miss->address);
	return true;
}

/* What EPT12 allows, with its flags set. False: walk again. */
static bool fill_walked(struct ept02 *ept02, struct ept02_root *root, struct ept12_walk *walk,
			const struct ept02_miss *miss, bool write)
{
	u64 permissions = walk->permissions;

	if (root->eptp12 & EPTP_ACCESSED_DIRTY) {
		if (!set_flags(ept02, walk, miss, write))
			return false;
		/* The first write to a clean page must be seen, to set its dirty flag. */
		if (!(ept12_last(walk) & EPT_DIRTY))
			permissions &= ~EPT_WRITE;
	}
	fill_leaf(ept02, root, walk, miss->address, permissions);
	return true;
}

/* SDM "Page-Modification Logging": asked before the flags are set, and only if one must be. */
static bool has_no_room(const struct ept02_root *root, const struct ept12_walk *walk, const struct ept02_miss *miss,
			bool write)
{
	return miss->log && page_log_is_full(miss->log) && (root->eptp12 & EPTP_ACCESSED_DIRTY) && !ept12_is_marked(walk, write);
}

/* --- sub-page write permissions --------------------------------------------- */

/* Only a write's own permission is missing, on a page whose leaf asks for it. SDM "Sub-Page Write Permissions". */
static bool asks_sub_pages(const struct ept12_walk *walk, const struct ept02_miss *miss, u64 access)
{
	const u64 final = QUALIFICATION_LINEAR_VALID | QUALIFICATION_TRANSLATED;

	return unlikely(miss->spptp12 != 0) && walk->outcome == EPT12_TRANSLATED && walk->size == PAGE_SIZE &&
	       (access & ~walk->permissions) == EPT_ACCESS_WRITE && (walk->permissions & EPT_READ) &&
	       (ept12_last(walk) & EPT_SUB_PAGES) && (miss->qualification & final) == final && miss->address.value >> 48 == 0;
}

/* Had hardware just this vector, and refused the write all the same? It knows more: where the access ends, its kind. */
static bool was_refused(const struct ept02 *ept02, const struct ept02_root *root, l2_gpa_t address, u64 vector)
{
	struct ept tables = tables_of(ept02, root, NULL);
	const u64 *had = spp02_vector(root->spp_table, address, NULL, NULL);

	return (ept_lookup(&tables, address.value).value & EPT_SUB_PAGES) && had && *had == vector;
}

/* The leaf stays without write permission: hardware asks the vector, which must be there with it. */
static bool fill_sub_pages(struct ept02 *ept02, struct ept02_root *root, struct ept12_walk *walk,
			   const struct ept02_miss *miss, u64 vector)
{
	struct fill fill = { .ept02 = ept02, .root = root };
	u64 *entry;

	if ((root->eptp12 & EPTP_ACCESSED_DIRTY) && !set_flags(ept02, walk, miss, true))
		return false;
	fill_leaf(ept02, root, walk, miss->address, walk->permissions | EPT_SUB_PAGES);
	entry = spp02_vector(root->spp_table, miss->address, take_page, &fill);
	if (!entry)
		return true;
	if (*entry & ~vector)
		need_flush(ept02, root);
	*entry = vector;
	return true;
}

/* Writes that EPT12 leaves to L1's sub-page-permission tables. False: walk again. */
static bool try_sub_pages(struct ept02 *ept02, struct ept02_root *root, struct ept12_walk *walk,
			  const struct ept02_miss *miss, struct ept02_result *result)
{
	struct spp12_walk spp = spp12_walk(ept02->memory, miss->spptp12, miss->address);
	bool allowed;

	/* The same root; only here for tables that another SPPT12 has left. */
	(void)ept02_spptp(ept02, miss->eptp12, miss->spptp12);
	allowed = spp.outcome == SPP_FOUND && spp_allows(spp.vector, miss->address) &&
		  !was_refused(ept02, root, miss->address, spp.vector);
	result->qualification = miss->qualification & QUALIFICATION_OF_LOG_FULL;
	if (spp.outcome != SPP_FOUND) {
		result->outcome = EPT02_SPP_EVENT;
		result->qualification |= spp.outcome == SPP_MISS ? QUALIFICATION_SPP_MISS : 0;
	} else if (!allowed) {
		result->outcome = EPT02_VIOLATION;
		result->qualification = violation_of(ept02, walk, miss->qualification, access_of(root, miss->qualification));
		result->entry = ept12_last(walk);
	} else if (has_no_room(root, walk, miss, true)) {
		result->outcome = EPT02_LOG_FULL;
	} else {
		result->outcome = EPT02_FILLED;
		return fill_sub_pages(ept02, root, walk, miss, spp.vector);
	}
	forget(ept02, root, miss->address);
	return true;
}

/* One walk. False when L1 changed EPT12 under it. */
static bool try_miss(struct ept02 *ept02, struct ept02_root *root, const struct ept02_miss *miss,
		     struct ept02_result *result)
{
	struct ept_rules rules = rules_of(ept02, root);
	struct ept12_walk walk = ept12_walk(ept02->memory, &rules, root->eptp12, miss->address);
	u64 access = miss->misconfiguration ? 0 : access_of(root, miss->qualification);
	bool write = (access & EPT_ACCESS_WRITE) != 0;

	if (walk.outcome == EPT12_MISCONFIGURED) {
		result->outcome = EPT02_MISCONFIGURED;
	} else if (miss->misconfiguration) {
		/* EPT02 itself is never misconfigured. Should hardware say so: begin afresh. */
		result->outcome = EPT02_FILLED;
	} else if (asks_sub_pages(&walk, miss, access)) {
		return try_sub_pages(ept02, root, &walk, miss, result);
	} else if (!is_allowed(ept02, root, &walk, miss->address, access)) {
		result->outcome = EPT02_VIOLATION;
		result->qualification = violation_of(ept02, &walk, miss->qualification, access);
		result->entry = ept12_last(&walk);
	} else if (has_no_room(root, &walk, miss, write)) {
		result->outcome = EPT02_LOG_FULL;
		result->qualification = miss->qualification & QUALIFICATION_OF_LOG_FULL;
		return true;
	} else {
		result->outcome = EPT02_FILLED;
		return fill_walked(ept02, root, &walk, miss, write);
	}
	forget(ept02, root, miss->address);
	return true;
}

struct ept02_result ept02_handle(struct ept02 *ept02, const struct ept02_miss *miss)
{
	struct ept02_root *root = root_of(ept02, miss->eptp12);
	struct ept02_result result = { .outcome = EPT02_FILLED };

	for (unsigned int try = 0; try < WALK_TRIES; try++)
		if (try_miss(ept02, root, miss, &result))
			break;
	return result;
}

/* --- invalidation --------------------------------------------------------- */

void ept02_invalidate_single(struct ept02 *ept02, u64 eptp12)
{
	for (unsigned int i = 0; i < EPT02_ROOTS; i++) {
		if (is_of(&ept02->roots[i], eptp12))
			root_drop(ept02, &ept02->roots[i]);
	}
}

void ept02_invalidate_all(struct ept02 *ept02)
{
	for (unsigned int i = 0; i < EPT02_ROOTS; i++) {
		if (ept02->roots[i].eptp12)
			root_drop(ept02, &ept02->roots[i]);
	}
}

bool ept02_take_flush(struct ept02 *ept02, u64 eptp12)
{
	struct ept02_root *root = root_of(ept02, eptp12);
	bool needed = root->flush_needed;

	root->flush_needed = false;
	ept02->flush_needed = false;
	for (unsigned int i = 0; i < EPT02_ROOTS; i++)
		ept02->flush_needed |= ept02->roots[i].flush_needed;
	return needed;
}
