/* SPDX-License-Identifier: MIT */
/* A copy of the firmware's memory map. */
#pragma once

#include "boot/uefi/loader.h"

struct memory_map {
	u8 *bytes;
	UINTN size, step;	/* of all descriptors, and from one to the next */
};

/* On success the caller gives map->bytes back to the pool. */
EFI_STATUS memory_map_get(const struct loader *loader, struct memory_map *map);

/* The map is in no order: the descriptor with the least address from `from` on; NULL after the last. */
const EFI_MEMORY_DESCRIPTOR *memory_map_next(const struct memory_map *map, u64 from);
