/* SPDX-License-Identifier: MIT */
/* A copy of the firmware's memory map, by rising addresses. */
#pragma once

#include "boot/uefi/loader.h"

struct memory_map {
	u8 *bytes;
	UINTN count, step;	/* how many descriptors, and bytes from one to the next */
};

/* On success the caller gives map->bytes back to the pool. */
EFI_STATUS memory_map_get(const struct loader *loader, struct memory_map *map);

const EFI_MEMORY_DESCRIPTOR *memory_map_at(const struct memory_map *map, UINTN i);
