/* SPDX-License-Identifier: MIT */
/* Copies the firmware's memory map, and sorts it by address. */
#include "boot/uefi/memory_map.h"

static EFI_MEMORY_DESCRIPTOR *descriptor(const struct memory_map *map, UINTN i)
{
	return (void *)(map->bytes + i * map->step);
}

/* By insertion, as most of it is in order already. What descriptors have beyond the fields of today stays where it is. */
static void sort(const struct memory_map *map)
{
	for (UINTN i = 1; i < map->count; i++) {
		EFI_MEMORY_DESCRIPTOR moved = *descriptor(map, i);
		UINTN to = i;

		for (; to > 0 && descriptor(map, to - 1)->PhysicalStart > moved.PhysicalStart; to--)
			*descriptor(map, to) = *descriptor(map, to - 1);
		*descriptor(map, to) = moved;
	}
}

EFI_STATUS memory_map_get(const struct loader *loader, struct memory_map *map)
{
	UINTN key, size = 0;
	UINT32 version;
	EFI_STATUS status;

	map->bytes = NULL;
	loader->boot->GetMemoryMap(&size, NULL, &key, &map->step, &version);
	/* The allocation itself may split a range or two. */
	size += 8 * map->step;
	status = loader->boot->AllocatePool(EfiLoaderData, size, (void **)&map->bytes);
	if (EFI_ERROR(status))
		return status;
	status = loader->boot->GetMemoryMap(&size, (EFI_MEMORY_DESCRIPTOR *)(void *)map->bytes, &key, &map->step, &version);
	if (EFI_ERROR(status)) {
		loader->boot->FreePool(map->bytes);
		return status;
	}
	map->count = size / map->step;
	sort(map);
	return status;
}

const EFI_MEMORY_DESCRIPTOR *memory_map_at(const struct memory_map *map, UINTN i)
{
	return descriptor(map, i);
}
