/* SPDX-License-Identifier: MIT */
/*
 * The walk itself: one loop over levels for all paging modes, described by
 * struct layout. Every entry is read once per attempt; a changed entry starts
 * the walk anew, a bounded number of times. It never touches tables other than
 * the guest's, and only to set accessed and dirty. Pure.
 */
#include "arch/bits.h"
#include "arch/x86.h"
#include "mm/guest_walk.h"

#define ENTRY_P BIT(0)
#define ENTRY_W BIT(1)
#define ENTRY_U BIT(2)
#define ENTRY_A BIT(5)
#define ENTRY_D BIT(6)
#define ENTRY_PS BIT(7)
#define ENTRY_PROTECTION_KEY BITS(62, 59)
#define ENTRY_XD BIT(63)
#define ENTRY_ADDRESS BITS(51, 12)

#define MAX_ATTEMPTS 8

/*
 * A paging mode. Level 1 is the page table; an entry of level n is selected by
 * `index_bits` bits of the linear address above 12 + (n - 1) * index_bits.
 */
struct layout {
	u8 levels;
	u8 index_bits;		/* 9, or 10 with 32-bit paging */
	u8 entry_size;		/* 8, or 4 */
	u8 large_levels;	/* bit n: an entry of level n may map a page */
	u64 reserved;		/* in every entry */
};

struct step {
	l1_gpa_t at;		/* aligned to 8, for l1_read64 */
	u64 word;		/* the 8 bytes there */
	u32 shift;		/* the entry within the word: 0, or 32 */
};

struct walk {
	struct step steps[GUEST_WALK_LEVELS];	/* from the root down */
	u32 count;
	u64 allowed;		/* AND of ENTRY_W and ENTRY_U over the entries */
	bool no_execute;
	u64 leaf;
	u8 leaf_level;
};

static bool is_pae(const struct guest_paging *paging)
{
	return (paging->cr4 & CR4_PAE) != 0;
}

static bool is_long(const struct guest_paging *paging)
{
	return (paging->efer & EFER_LMA) != 0;
}

static struct layout layout_of(const struct guest_paging *paging)
{
	u64 beyond = BITS(51, 0) & ~(BIT(paging->physical_address_bits) - 1);
	u64 xd = (paging->efer & EFER_NXE) != 0 ? 0 : ENTRY_XD;

	if (is_long(paging))
		return (struct layout){ .levels = (paging->cr4 & CR4_LA57) != 0 ? 5 : 4, .index_bits = 9, .entry_size = 8,
					.large_levels = (u8)(BIT(2) | (paging->pages_1g ? BIT(3) : 0)),
					.reserved = beyond | xd };
	if (is_pae(paging)) /* the PDPTEs are registers: two levels are left in memory */
		return (struct layout){ .levels = 2, .index_bits = 9, .entry_size = 8, .large_levels = (u8)BIT(2),
					.reserved = beyond | xd | BITS(62, 52) };
	return (struct layout){ .levels = 2, .index_bits = 10, .entry_size = 4,
				.large_levels = (u8)((paging->cr4 & CR4_PSE) != 0 ? BIT(2) : 0), .reserved = 0 };
}

/* Bytes of linear address that an entry of this level covers. */
static u64 span(const struct layout *layout, u32 level)
{
	return BIT(12 + (level - 1) * layout->index_bits);
}

/* With PSE-36 a 4-MByte page's address bits 39:32 are in bits 20:13. SDM "32-Bit Paging". */
static u64 pse36_address(u64 entry)
{
	return (entry & BITS(31, 22)) | field_get(entry, BITS(20, 13)) << 32;
}

static u64 leaf_reserved(const struct layout *layout, const struct guest_paging *paging, u32 level)
{
	if (layout->entry_size == 8)
		return BITS(51, 13) & (span(layout, level) - 1);
	/* Bit 21, and those of 20:13 that stand for address bits beyond the width. */
	u32 width = paging->physical_address_bits < 40 ? paging->physical_address_bits : 40;

	return BIT(21) | (width < 40 ? BITS(20, 13 + (width > 32 ? width - 32 : 0)) : 0);
}

static u64 reserved_bits(const struct layout *layout, const struct guest_paging *paging, u32 level, u64 entry)
{
	u64 reserved = layout->reserved;

	if (level == 1 || (entry & ENTRY_PS) == 0)
		return reserved;
	if ((layout->large_levels & BIT(level)) != 0)
		return reserved | leaf_reserved(layout, paging, level);
	/* Without CR4.PSE the bit is ignored; elsewhere it is reserved. */
	return layout->entry_size == 4 ? reserved : reserved | ENTRY_PS;
}

static bool is_leaf(const struct layout *layout, u32 level, u64 entry)
{
	return level == 1 || ((entry & ENTRY_PS) != 0 && (layout->large_levels & BIT(level)) != 0);
}

static struct step read_step(const struct l1_memory *memory, u64 address)
{
	struct step step = { .at = l1_gpa(address & ~(u64)7), .shift = (u32)(address & 4) * 8 };

	step.word = l1_read64(memory, step.at);
	return step;
}

/* Why the walk stopped; 0: it reached a page. */
enum stop { STOP_LEAF, STOP_NOT_PRESENT, STOP_RESERVED };

static u64 root_table(const struct guest_paging *paging, u64 linear)
{
	if (is_long(paging))
		return paging->cr3 & ENTRY_ADDRESS;
	if (is_pae(paging))
		return paging->pdpte[(linear >> 30) & 3] & ENTRY_ADDRESS;
	return paging->cr3 & BITS(31, 12);
}

static enum stop descend(const struct l1_memory *memory, const struct guest_paging *paging, u64 linear, struct walk *walk)
{
	struct layout layout = layout_of(paging);
	u64 table = root_table(paging, linear);

	*walk = (struct walk){ .allowed = ENTRY_W | ENTRY_U };
	if (is_pae(paging) && !is_long(paging) && (paging->pdpte[(linear >> 30) & 3] & ENTRY_P) == 0)
		return STOP_NOT_PRESENT;
	for (u32 level = layout.levels;; level--) {
		u64 index = (linear / span(&layout, level)) & (BIT(layout.index_bits) - 1);
		struct step step = read_step(memory, table + index * layout.entry_size);
		u64 entry = layout.entry_size == 4 ? (u32)(step.word >> step.shift) : step.word;

		if ((entry & ENTRY_P) == 0)
			return STOP_NOT_PRESENT;
		if ((entry & reserved_bits(&layout, paging, level, entry)) != 0)
			return STOP_RESERVED;
		walk->steps[walk->count++] = step;
		walk->allowed &= entry;
		walk->no_execute |= layout.entry_size == 8 && (entry & ENTRY_XD) != 0;
		if (is_leaf(&layout, level, entry)) {
			walk->leaf = entry;
			walk->leaf_level = (u8)level;
			return STOP_LEAF;
		}
		table = entry & (layout.entry_size == 4 ? BITS(31, 12) : ENTRY_ADDRESS);
	}
}

/* In a user page PKRU decides, in a supervisor page IA32_PKRS. SDM "Protection Keys". */
static bool key_forbids(const struct guest_paging *paging, const struct walk *walk, enum guest_access access)
{
	bool user_page = (walk->allowed & ENTRY_U) != 0;
	u32 key = (u32)field_get(walk->leaf, ENTRY_PROTECTION_KEY);
	u32 rights = (user_page ? paging->pkru : paging->pkrs) >> (2 * key);
	const u32 access_disable = 1, write_disable = 2;

	if (!is_long(paging) || access == GUEST_FETCH || (paging->cr4 & (user_page ? CR4_PKE : CR4_PKS)) == 0)
		return false;
	if ((rights & access_disable) != 0)
		return true;
	return access == GUEST_WRITE && (rights & write_disable) != 0 && (paging->cpl == 3 || (paging->cr0 & CR0_WP) != 0);
}

/* SDM "Determination of Access Rights", without protection keys. */
static bool is_allowed(const struct guest_paging *paging, const struct walk *walk, enum guest_access access)
{
	bool user_page = (walk->allowed & ENTRY_U) != 0;
	bool writable = (walk->allowed & ENTRY_W) != 0;

	if (access == GUEST_FETCH && walk->no_execute)
		return false;
	if (paging->cpl == 3)
		return user_page && (access != GUEST_WRITE || writable);
	if (user_page && access == GUEST_FETCH)
		return (paging->cr4 & CR4_SMEP) == 0;
	if (user_page && (paging->cr4 & CR4_SMAP) != 0 && (paging->rflags & RFLAGS_AC) == 0)
		return false;
	return access != GUEST_WRITE || writable || (paging->cr0 & CR0_WP) == 0;
}

/* SDM "Accessed and Dirty Flags". False: an entry changed under us. */
static bool set_accessed(const struct l1_memory *memory, const struct walk *walk, enum guest_access access)
{
	for (u32 i = 0; i < walk->count; i++) {
		const struct step *step = &walk->steps[i];
		u64 want = ENTRY_A | (i == walk->count - 1 && access == GUEST_WRITE ? ENTRY_D : 0);
		u64 set = want << step->shift;

		if ((step->word & set) != set && !l1_update64(memory, step->at, step->word, set))
			return false;
	}
	return true;
}

static u64 page_address(const struct guest_paging *paging, const struct walk *walk, u64 linear)
{
	struct layout layout = layout_of(paging);
	u64 offset_mask = span(&layout, walk->leaf_level) - 1;
	u64 base = walk->leaf & ENTRY_ADDRESS;

	if (layout.entry_size == 4)
		base = walk->leaf_level == 1 ? walk->leaf & BITS(31, 12) : pse36_address(walk->leaf);
	return (base & ~offset_mask) | (linear & offset_mask);
}

static bool page_fault(const struct guest_paging *paging, u64 linear, enum guest_access access, u64 cause,
		       struct guest_fault *fault)
{
	/* The I/D flag exists only where fetches can be told apart. SDM "Page-Fault Exceptions". */
	bool tells_fetch = (paging->cr4 & CR4_SMEP) != 0 || (is_pae(paging) && (paging->efer & EFER_NXE) != 0);

	*fault = (struct guest_fault){
		.vector = VECTOR_PF,
		.error_code = (u32)(cause | (access == GUEST_WRITE ? PF_WRITE : 0) | (paging->cpl == 3 ? PF_USER : 0) |
				    (access == GUEST_FETCH && tells_fetch ? PF_FETCH : 0)),
		.cr2 = linear,
	};
	return false;
}

bool guest_walk(const struct l1_memory *memory, const struct guest_paging *paging, gva_t linear, enum guest_access access,
		l1_gpa_t *physical, struct guest_fault *fault)
{
	u64 address = is_long(paging) ? linear.value : (u32)linear.value;
	struct walk walk;

	if ((paging->cr0 & CR0_PG) == 0) {
		*physical = l1_gpa(address);
		return true;
	}
	for (u32 attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
		enum stop stop = descend(memory, paging, address, &walk);
		u64 forbidden;

		if (stop == STOP_NOT_PRESENT)
			return page_fault(paging, address, access, 0, fault);
		if (stop == STOP_RESERVED)
			return page_fault(paging, address, access, PF_PRESENT | PF_RESERVED, fault);
		forbidden = key_forbids(paging, &walk, access) ? PF_PROTECTION_KEY : 0;
		if (forbidden != 0 || !is_allowed(paging, &walk, access))
			return page_fault(paging, address, access, PF_PRESENT | forbidden, fault);
		if (set_accessed(memory, &walk, access))
			break;
	}
	/* Entries that change all the time keep their flags; the translation is one of those they had. */
	*physical = l1_gpa(page_address(paging, &walk, address));
	return true;
}

/* What accesses by the supervisor do not depend on: CR0.WP and the user's rights, of pages that allow more. */
static bool can_be_remembered(const struct guest_paging *paging, const struct walk *walk)
{
	return is_long(paging) && walk->count <= GUEST_WALK_COMPARED && (walk->allowed & ENTRY_U) == 0 && (paging->cr4 & CR4_PKS) == 0;
}

void guest_walk_remember(const struct l1_memory *memory, const struct guest_paging *paging, gva_t linear,
			 struct guest_walk_memo *memo)
{
	struct walk walk;

	*memo = (struct guest_walk_memo){ .page = linear.value & ~PAGE_MASK, .cr3 = paging->cr3, .cr4 = paging->cr4, .efer = paging->efer };
	if (descend(memory, paging, linear.value, &walk) != STOP_LEAF || !can_be_remembered(paging, &walk))
		return;
	for (u32 i = 0; i < GUEST_WALK_COMPARED; i++) {
		const struct step *step = &walk.steps[i < walk.count ? i : walk.count - 1];

		memo->entry[i] = l1_look(memory, step->at);
		memo->value[i] = step->word;
		if (memo->entry[i] == NULL || (step->word & ENTRY_A) == 0)
			return;
	}
	memo->writable = (walk.allowed & ENTRY_W) != 0 && (walk.leaf & ENTRY_D) != 0;
	memo->target = l1_reach(memory, l1_gpa(page_address(paging, &walk, memo->page)));
}

/* Up to two pieces of a range, each within a page. */
struct pieces {
	l1_gpa_t address[2];
	u32 size[2];
};

static bool translate(const struct l1_memory *memory, const struct guest_paging *paging, gva_t linear, u32 size,
		      enum guest_access access, struct pieces *pieces, struct guest_fault *fault)
{
	u64 first = PAGE_SIZE - (linear.value & PAGE_MASK);

	pieces->size[0] = first < size ? (u32)first : size;
	pieces->size[1] = size - pieces->size[0];
	return guest_walk(memory, paging, linear, access, &pieces->address[0], fault) &&
	       (pieces->size[1] == 0 ||
		guest_walk(memory, paging, gva(linear.value + first), access, &pieces->address[1], fault));
}

bool guest_copy_in(const struct l1_memory *memory, const struct guest_paging *paging, gva_t from, void *to, u32 size,
		   struct guest_fault *fault)
{
	struct pieces pieces;

	if (!translate(memory, paging, from, size, GUEST_READ, &pieces, fault))
		return false;
	l1_read(memory, pieces.address[0], to, pieces.size[0]);
	if (pieces.size[1] != 0)
		l1_read(memory, pieces.address[1], (u8 *)to + pieces.size[0], pieces.size[1]);
	return true;
}

bool guest_copy_out(const struct l1_memory *memory, const struct guest_paging *paging, gva_t to, const void *from, u32 size,
		    struct guest_fault *fault)
{
	struct pieces pieces;

	if (!translate(memory, paging, to, size, GUEST_WRITE, &pieces, fault))
		return false;
	l1_write(memory, pieces.address[0], from, pieces.size[0]);
	if (pieces.size[1] != 0)
		l1_write(memory, pieces.address[1], (const u8 *)from + pieces.size[0], pieces.size[1]);
	return true;
}
