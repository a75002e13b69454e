/* SPDX-License-Identifier: MIT */
/*
 * EPT02: misses. What EPT12 says of the access, as the processor would judge it
 * itself, its flags, page-modification logging and sub-page write permissions.
 * See ept02.h; ept02_fill.c carries out what is allowed.
 */
#include "vmx/nested/ept02_parts.h"

#include "vmx/nested/spp.h"

/* How often a walk is begun again when L1 changes EPT12 under it; then L2 just misses again. */
#define WALK_TRIES 8

/* That of reason 62 has only NMI unblocking and asynchronous, in the same places. SDM "Basic VM-Exit Information". */
#define QUALIFICATION_OF_LOG_FULL (BIT(12) | BIT(16))
/* That of reason 66 has them, and whether it is a miss or a misconfiguration. */
#define QUALIFICATION_SPP_MISS BIT(11)

/*
 * Forgets the translation of this address. SDM "Operations that Invalidate
 * Cached Mappings": an EPT violation invalidates what translated its address
 * (for this EP4TA), so L1 may change that page afterwards without INVEPT. At
 * this very exit the processor did so for its own caches, but not for what it
 * has of another root of the same tables.
 */
void ept02_forget(struct ept02 *ept02, const struct ept02_root *current, l2_gpa_t address)
{
	for (unsigned int i = 0; i < EPT02_ROOTS; i++) {
		struct ept02_root *root = &ept02->roots[i];
		struct ept tables;

		if (!ept02_is_of(root, current->eptp12))
			continue;
		tables = ept02_tables(ept02, root);
		if (ept_unmap(&tables, address.value) && root != current)
			ept02_need_flush(ept02, root);
	}
}

/*
 * May code be fetched where one of supervisor and user mode may and the other may not? Which it was, the exit
 * need not tell (advanced exit information does, where a processor has it), but the access itself: if EPT02 had
 * just these permissions, it was the other mode. If not, L2 tries again with them.
 */
static bool may_fetch(const struct ept02 *ept02, const struct ept02_root *root, const struct ept12_walk *walk, l2_gpa_t address)
{
	const u64 execute = EPT_EXECUTE | EPT_USER_EXECUTE;
	struct ept tables = ept02_tables(ept02, root);

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
	ept02_fill(ept02, root, walk, miss->address, permissions);
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
	struct ept tables = ept02_tables(ept02, root);
	const u64 *had = spp02_vector(root->spp_table, address, NULL, NULL);

	return (ept_lookup(&tables, address.value).value & EPT_SUB_PAGES) && had && *had == vector;
}

/* The leaf stays without write permission: hardware asks the vector, which must be there with it. */
static bool fill_sub_pages(struct ept02 *ept02, struct ept02_root *root, struct ept12_walk *walk,
			   const struct ept02_miss *miss, u64 vector)
{
	struct ept02_source source = { .ept02 = ept02, .root = root };
	u64 *entry;

	if ((root->eptp12 & EPTP_ACCESSED_DIRTY) && !set_flags(ept02, walk, miss, true))
		return false;
	ept02_fill(ept02, root, walk, miss->address, walk->permissions | EPT_SUB_PAGES);
	entry = spp02_vector(root->spp_table, miss->address, ept02_take_spp_page, &source);
	if (!entry)
		return true;
	if (*entry & ~vector)
		ept02_need_flush(ept02, root);
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
		result->qualification = ept02_violation_of(root, walk->permissions, miss->qualification,
							   ept02_access_of(root, miss->qualification));
		result->entry = ept12_last(walk);
	} else if (has_no_room(root, walk, miss, true)) {
		result->outcome = EPT02_LOG_FULL;
	} else {
		result->outcome = EPT02_FILLED;
		return fill_sub_pages(ept02, root, walk, miss, spp.vector);
	}
	ept02_forget(ept02, root, miss->address);
	return true;
}

/* One walk. False when L1 changed EPT12 under it. */
static bool try_miss(struct ept02 *ept02, struct ept02_root *root, const struct ept02_miss *miss,
		     struct ept02_result *result)
{
	struct ept_rules rules = ept02_rules(ept02, root);
	struct ept12_walk walk = ept12_walk(ept02->memory, &rules, root->eptp12, miss->address);
	u64 access = miss->misconfiguration ? 0 : ept02_access_of(root, miss->qualification);
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
		result->qualification = ept02_violation_of(root, walk.permissions, miss->qualification, access);
		result->entry = ept12_last(&walk);
	} else if (has_no_room(root, &walk, miss, write)) {
		result->outcome = EPT02_LOG_FULL;
		result->qualification = miss->qualification & QUALIFICATION_OF_LOG_FULL;
		return true;
	} else {
		result->outcome = EPT02_FILLED;
		return fill_walked(ept02, root, &walk, miss, write);
	}
	ept02_forget(ept02, root, miss->address);
	return true;
}

/* --- outcomes ----------------------------------------------------------------- */

struct ept02_result ept02_walk_miss(struct ept02 *ept02, struct ept02_root *root, const struct ept02_miss *miss)
{
	struct ept02_result result = { .outcome = EPT02_FILLED };

	for (unsigned int try = 0; try < WALK_TRIES; try++)
		if (try_miss(ept02, root, miss, &result))
			break;
	if (result.outcome == EPT02_VIOLATION || result.outcome == EPT02_MISCONFIGURED)
		ept02_note_fault(ept02, miss->eptp12, miss->address);
	return result;
}

void ept02_walk_ahead(struct ept02 *ept02, struct ept02_root *root, l2_gpa_t address)
{
	struct ept_rules rules = ept02_rules(ept02, root);
	struct ept tables = ept02_tables(ept02, root);
	struct ept12_walk walk;
	u64 permissions;

	/* What is there may be in the processor's caches as well, and stays. */
	if (ept02_is_present(ept_lookup(&tables, address.value).value))
		return;
	walk = ept12_walk(ept02->memory, &rules, root->eptp12, address);
	permissions = walk.permissions;
	if (root->eptp12 & EPTP_ACCESSED_DIRTY) {
		if (!ept12_is_marked(&walk, false))
			return;
		if (!(ept12_last(&walk) & EPT_DIRTY))
			permissions &= ~EPT_WRITE;
	}
	if (walk.outcome == EPT12_TRANSLATED && permissions)
		ept02_fill(ept02, root, &walk, address, permissions);
}
