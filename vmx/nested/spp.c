/* SPDX-License-Identifier: MIT */
/* Reading L1's sub-page-permission tables and building L0's: see spp.h. */
#include "vmx/nested/spp.h"

#include "mm/phys.h"

#define LEVELS 4
#define SPP_VALID BIT(0)
#define SPP_ADDRESS BITS(51, 12)
#define VECTOR_RESERVED UINT64_C(0xaaaaaaaaaaaaaaaa)

static u64 index_at(l2_gpa_t address, unsigned int level)
{
	return address.value / ept_level_size(level) % EPT_TABLE_ENTRIES;
}

/* SDM "Sub-Page Permission Table": of a valid entry above the vectors. */
static bool is_reserved(const struct l1_memory *memory, u64 entry)
{
	u64 legal = SPP_VALID | (SPP_ADDRESS & (BIT(memory->physical_address_bits) - 1));

	return (entry & ~legal) != 0;
}

struct spp12_walk spp12_walk(const struct l1_memory *memory, u64 spptp12, l2_gpa_t address)
{
	u64 table = spptp12 & SPP_ADDRESS, entry;

	for (unsigned int level = LEVELS;; level--) {
		entry = l1_read64(memory, l1_gpa(table + index_at(address, level) * sizeof(u64)));
		if (level == 1)
			break;
		if (!(entry & SPP_VALID))
			return (struct spp12_walk){ .outcome = SPP_MISS };
		if (is_reserved(memory, entry))
			return (struct spp12_walk){ .outcome = SPP_MISCONFIGURED };
		table = entry & SPP_ADDRESS;
	}
	if (entry & VECTOR_RESERVED)
		return (struct spp12_walk){ .outcome = SPP_MISCONFIGURED };
	return (struct spp12_walk){ .outcome = SPP_FOUND, .vector = entry };
}

u64 *spp02_vector(u64 *root, l2_gpa_t address, ept_page_source *take_page, void *context)
{
	u64 *table = root;

	for (unsigned int level = LEVELS; level > 1; level--) {
		u64 *entry = &table[index_at(address, level)];

		if (!(*entry & SPP_VALID)) {
			u64 *below = take_page ? take_page(context) : NULL;

			if (!below)
				return NULL;
			*entry = phys_of(below).value | SPP_VALID;
		}
		table = phys_to_ptr(hpa(*entry & SPP_ADDRESS));
	}
	return &table[index_at(address, 1)];
}
