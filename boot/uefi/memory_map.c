/* SPDX-License-Identifier: MIT */
/* Copies the firmware's memory map and walks it by rising addresses. */
#include "boot/uefi/memory_map.h"

EFI_STATUS memory_map_get(const struct loader *loader, struct memory_map *map)
{
	UINTN key;
	UINT32 version;
	EFI_STATUS status;

	map->size = 0;
	loader->boot->GetMemoryMap(&map->size, NULL, &key, &map->step, &version);
	/* The allocation itself may split a range or two. */
	map->size += 8 * map->step;
	status = loader->boot->AllocatePool(EfiLoaderData, map->size, (void **)&map->bytes);
	if (EFI_ERROR(status))
		return status;
	status = loader->boot->GetMemoryMap(&map->size, (EFI_MEMORY_DESCRIPTOR *)(void *)map->bytes, &key, &map->step, &version);
	if (EFI_ERROR(status))
		loader->boot->FreePool(map->bytes);
	return status;
}

const EFI_MEMORY_DESCRIPTOR *memory_map_next(const struct memory_map *map, u64 from)
{
	const EFI_MEMORY_DESCRIPTOR *next = NULL;

	for (UINTN at = 0; at + map->step <= map->size; at += map->step) {
		const EFI_MEMORY_DESCRIPTOR *d = (const void *)(map->bytes + at);

		if (d->NumberOfPages && d->PhysicalStart >= from && (!next || d->PhysicalStart < next->PhysicalStart))
			next = d;
	}
	return next;
}
