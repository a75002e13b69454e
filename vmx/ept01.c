/* SPDX-License-Identifier: MIT */
/*
 * Builds and retypes EPT01: see vmx/ept01.h. SDM "Memory Type Used for
 * Translated Guest-Physical Addresses": EPT's type takes the place of the MTRRs'
 * and L1's PAT still has its say. Never maps a page of the hidden block.
 */
#include "vmx/ept01.h"

#include "arch/ops.h"
#include "arch/string.h"
#include "arch/vmx_ops.h"
#include "arch/x86.h"
#include "drivers/console.h"
#include "drivers/lock.h"
#include "mm/ept_types.h"
#include "mm/page_alloc.h"
#include "mm/phys.h"

/* Pages kept for splits and far addresses after launch. Each MTRR range that is not 1 GB aligned can cost four. */
#define RESERVE_PAGES 128

struct ept01 {
	struct ept ept;
	struct lock lock;		/* for everything below, and for changes of the tables */
	struct ept_types types;
	u8 physical_address_bits;	/* this and eptp never change */
	u64 eptp;
	bool launched;			/* pages come from the reserve */
	void *reserve[RESERVE_PAGES];	/* cleared when taken */
	u32 reserve_left;
};

static void *take_page(void *context)
{
	struct ept01 *ept01 = context;

	if (!ept01->launched)
		return page_alloc();
	return ept01->reserve_left > 0 ? memset(ept01->reserve[--ept01->reserve_left], 0, PAGE_SIZE) : NULL;
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
		ept01->reserve[ept01->reserve_left] = page_alloc_uncleared(1);
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
	ept01->types.ept = &ept01->ept;
	ept01->types.limit = BIT(width < eager_bits ? width : eager_bits);
	ept01->physical_address_bits = width;
	read_mtrrs(&ept01->types.mtrrs, width);
	if (!ept_types_map(&ept01->types, 0, ept01->types.limit) || !hide_block(ept01, &machine->memory) || !fill_reserve(ept01))
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

void ept01_mtrrs_changed(struct ept01 *ept01)
{
	struct mtrr_state now;
	bool changes, complete;
	u64 where;

	/* This CPU's own, which nobody else can change meanwhile: they are still true when the lock is ours. */
	read_mtrrs(&now, ept01->physical_address_bits);
	lock_take(&ept01->lock);
	changes = (now.def_type & MTRR_DEF_TYPE_ENABLE) && ept_types_differ(&ept01->types, &now, &where);
	complete = ept_types_follow(&ept01->types, &now);
	lock_release(&ept01->lock);
	/* Also where another CPU has brought the change: what this one cached may be from before. */
	drop_cached(ept01);
	if (changes)
		log_debug("EPT01 follows this processor's MTRRs, from 0x%lx on", where);
	if (!complete)
		log_error("EPT01 has no page left to follow L1's MTRRs: some memory keeps its type");
}

void ept01_compare_mtrrs(struct ept01 *ept01)
{
	struct mtrr_state now;
	bool differ;
	u64 where;

	read_mtrrs(&now, ept01->physical_address_bits);
	lock_take(&ept01->lock);
	differ = ept_types_differ(&ept01->types, &now, &where);
	lock_release(&ept01->lock);
	if (differ)
		log_info("the MTRRs of this processor differ from those that EPT01 follows, first at 0x%lx", where);
}

bool ept01_map_more(struct ept01 *ept01, l1_gpa_t address)
{
	/* What one table of the level below the root's covers: 512 entries of 1 GB. */
	const u64 size = SIZE_1G * EPT_TABLE_ENTRIES;
	const u64 from = align_down(address.value, size);
	bool done;

	if (address.value < ept01->types.limit || !ept01->ept.has_1g || address.value >> 48 != 0)
		return false;
	lock_take(&ept01->lock);
	done = ept_types_map(&ept01->types, from, from + size);
	lock_release(&ept01->lock);
	return done;
}
