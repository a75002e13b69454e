/* SPDX-License-Identifier: MIT */
/*
 * The real phys_to_ptr: L0's block at VA = PA, all else through the direct map,
 * from which the block is absent.
 */
#include "mm/phys.h"

static struct {
	u64 block_base;
	u64 block_size;
	u64 direct_map_size;
} phys;

void phys_init(hpa_t block_base, u64 block_size, u64 direct_map_size)
{
	phys.block_base = block_base.value;
	phys.block_size = block_size;
	phys.direct_map_size = direct_map_size;
}

void *phys_to_ptr(hpa_t address)
{
	if (address.value - phys.block_base < phys.block_size)
		return (void *)(uintptr_t)address.value;
	if (address.value < phys.direct_map_size)
		return (void *)(uintptr_t)(DIRECT_MAP_BASE + address.value);
	return NULL;
}

hpa_t phys_of(const void *pointer)
{
	return hpa((u64)(uintptr_t)pointer);
}
