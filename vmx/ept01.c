/* SPDX-License-Identifier: MIT */
/*
 * Builds and retypes EPT01: see vmx/ept01.h. SDM "Memory Type Used for
 * Translated Guest-Physical Addresses": EPT's type takes the place of the MTRRs'
 * and L1's PAT still has its say. Never maps a page of the hidden block.
 */
#include "vmx/ept01.h"

#include "arch/ops.h"
#include "arch/vmx_ops.h"
#include "arch/x86.h"
#include "drivers/console.h"
#include "drivers/lock.h"
#include "mm/ept.h"
#include "mm/mtrr.h"
#include "mm/page_alloc.h"
#include "mm/phys.h"

/* Pages kept for splits and far addresses after launch. Each MTRR range that is not 1 GB aligned can cost four. */
#define RESERVE_PAGES 128

struct ept01 {
	struct ept ept;
	struct lock lock;		/* for everything below, and for changes of the tables */
	struct mtrr_state types;	/* as the tables have them */
	u64 eptp;
	u64 limit;			/* bytes that are mapped from 0 up */
	bool launched;			/* pages come from the reserve */
	void *reserve[RESERVE_PAGES];
	u32 reserve_left;
};

static void *take_page(void *context)
{
	struct ept01 *ept01 = context;

	if (!ept01->launched)
		return page_alloc();
	return ept01->reserve_left > 0 ? ept01->reserve[--ept01->reserve_left] : NULL;
}

static void read_mtrrs(struct mtrr_state *state, u8 physical_address_bits)
{
	u32 count;

	*state = (struct mtrr_state){ .physical_address_bits = physical_address_bits };
	/* SDM "IA32_MTRR_DEF_TYPE MSR". Without MTRRs memory is as L1's PAT says: WB underneath. */
	if (!bit_is_set(cpuid(1, 0).edx, 12) || !rdmsr_safe(IA32_MTRRCAP, &state->cap)) {
		state->def_type = MTRR_DEF_TYPE_ENABLE | MEMORY_WB;
		return;
	}
	(void)rdmsr_safe(IA32_MTRR_DEF_TYPE, &state->def_type);
	for (u32 i = 0; i < MTRR_FIXED_COUNT && (state->cap & MTRRCAP_FIX); i++)
		(void)rdmsr_safe(mtrr_fixed_msrs[i], &state->fixed[i]);
	count = (u32)field_get(state->cap, MTRRCAP_VCNT);
	for (u32 i = 0; i < count && i < MTRR_VARIABLE_MAX; i++) {
		(void)rdmsr_safe(IA32_MTRR_PHYSBASE0 + 2 * i, &state->variable[i].base);
		(void)rdmsr_safe(IA32_MTRR_PHYSBASE0 + 2 * i + 1, &state->variable[i].mask);
	}
}

/* Types that EPT does not have are reserved in MTRRs too: the processor takes them for UC, so do we. */
static enum memory_type ept_type(u8 type)
{
	return type == MEMORY_WC || type == MEMORY_WT || type == MEMORY_WP || type == MEMORY_WB ? (enum memory_type)type
												: MEMORY_UC;
}

/* The type at `at`, and the end of the memory from there that has it, at most `limit`. */
static enum memory_type type_run(const struct mtrr_state *state, u64 at, u64 limit, u64 *end)
{
	enum memory_type type = ept_type(mtrr_type_at(state, at, end));
	u64 next;

	while (*end < limit && ept_type(mtrr_type_at(state, *end, &next)) == type)
		*end = next;
	if (*end > limit)
		*end = limit;
	return type;
}

/* Maps [from, to) by identity. */
static bool map_identity(struct ept01 *ept01, u64 from, u64 to)
{
	u64 end;

	for (u64 at = from; at < to; at = end) {
		enum memory_type type = type_run(&ept01->types, at, to, &end);

		if (!ept_map(&ept01->ept, at, hpa(at), end - at, ept_attributes(EPT_RWX, type)))
			return false;
	}
	return true;
}

/* One table, full of the scratch page, stands behind every hidden 2 MB. */
static bool hide_block(struct ept01 *ept01, const struct l1_memory *memory)
{
	u64 *table = page_alloc();

	if (table == NULL)
		return false;
	for (u32 i = 0; i < EPT_TABLE_ENTRIES; i++)
		table[i] = memory->scratch.value | ept_attributes(EPT_RWX, MEMORY_WB);
	for (u64 at = 0; at < memory->hidden_size; at += SIZE_2M)
		if (!ept_link_table(&ept01->ept, memory->hidden_base.value + at, table))
			return false;
	return true;
}

static bool fill_reserve(struct ept01 *ept01)
{
	for (; ept01->reserve_left < RESERVE_PAGES; ept01->reserve_left++) {
		ept01->reserve[ept01->reserve_left] = page_alloc();
		if (ept01->reserve[ept01->reserve_left] == NULL)
			return false;
	}
	return true;
}

bool ept01_build(struct machine *machine)
{
	const struct vmx_caps *hardware = &machine->hardware;
	const u8 width = hardware->physical_address_bits;
	const u8 eager_bits = hardware->ept_vpid & EPT_CAP_1G ? EPT01_EAGER_BITS : 40;
	struct ept01 *ept01 = page_alloc_contiguous(align_up(sizeof(*ept01), PAGE_SIZE) / PAGE_SIZE);

	if (ept01 == NULL)
		return false;
	ept01->ept = (struct ept){
		.root = page_alloc(), .levels = 4, .take_page = take_page, .context = ept01,
		.has_2m = (hardware->ept_vpid & EPT_CAP_2M) != 0, .has_1g = (hardware->ept_vpid & EPT_CAP_1G) != 0,
	};
	if (ept01->ept.root == NULL)
		return false;
	ept01->lock = (struct lock)LOCK("EPT01", LOCK_RANK_EPT01);
	read_mtrrs(&ept01->types, width);
	ept01->limit = BIT(width < eager_bits ? width : eager_bits);
	if (!map_identity(ept01, 0, ept01->limit) || !hide_block(ept01, &machine->memory) || !fill_reserve(ept01))
		return false;
	ept01->eptp = ept_pointer(&ept01->ept, hardware->ept_vpid & EPT_CAP_WRITE_BACK ? MEMORY_WB : MEMORY_UC, false);
	ept01->launched = true;
	machine->ept01 = ept01;
	machine->eptp01 = ept01->eptp;
	return true;
}

static void drop_cached(const struct ept01 *ept01)
{
	/* Not every processor has the single-context type. */
	if (invept(INVEPT_SINGLE, ept01->eptp) != VMX_OK)
		(void)invept(INVEPT_ALL, 0);
}

static bool retype(struct ept01 *ept01, const struct mtrr_state *now)
{
	u64 end, end_before;

	for (u64 at = 0; at < ept01->limit; at = end) {
		enum memory_type type = type_run(now, at, ept01->limit, &end);
		enum memory_type before = type_run(&ept01->types, at, ept01->limit, &end_before);

		if (end_before < end)
			end = end_before;
		if (type != before && !ept_set_memory_type(&ept01->ept, at, end - at, type))
			return false;
	}
	return true;
}

void ept01_mtrrs_changed(struct ept01 *ept01)
{
	struct mtrr_state now;
	bool complete = true;

	read_mtrrs(&now, ept01->types.physical_address_bits);
	/*
	 * Departs from SDM "IA32_MTRR_DEF_TYPE MSR": while L1 has the MTRRs disabled in order to change them, memory
	 * keeps its types. L1 runs with caches disabled (CR0.CD) then, which makes every access UC under EPT as well.
	 */
	if (!(now.def_type & MTRR_DEF_TYPE_ENABLE))
		return;
	lock_take(&ept01->lock);
	complete = retype(ept01, &now);
	ept01->types = now;
	lock_release(&ept01->lock);
	drop_cached(ept01);
	if (!complete)
		log_error("EPT01 has no page left to follow L1's MTRRs: some memory keeps its type");
}

bool ept01_map_more(struct ept01 *ept01, l1_gpa_t address)
{
	/* What one table of the level below the root's covers: 512 entries of 1 GB. */
	const u64 size = SIZE_1G * EPT_TABLE_ENTRIES;
	const u64 from = align_down(address.value, size);
	bool done;

	if (address.value < ept01->limit || !ept01->ept.has_1g || address.value >> 48 != 0)
		return false;
	lock_take(&ept01->lock);
	done = map_identity(ept01, from, from + size);
	lock_release(&ept01->lock);
	return done;
}
