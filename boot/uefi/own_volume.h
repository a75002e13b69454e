/* SPDX-License-Identifier: MIT */
/*
 * The volume that the loader was started from: its files, and its device path.
 */
#pragma once

#include "boot/uefi/loader.h"

/* Reads testudo.cfg and the load options into loader->config and loader->notes. */
void read_configuration(struct loader *loader);

/* Brings an entry's settings into force, as far as the load options leave them. */
void use_entry(struct loader *loader, u32 entry);

/*
 * The device path of the file `path` (UTF-8) on this volume, from the pool, or
 * NULL where the loader does not come from a device.
 */
EFI_DEVICE_PATH *own_volume_path(const struct loader *loader, const char *path);

/* Makes loader->started_before true for every later start under this firmware, and tells which entry runs, until it is lifted. */
void leave_mark(const struct loader *loader);
void lift_mark(const struct loader *loader);

/* Is this start one of its own L1's? */
bool entry_is_running(const struct loader *loader, u32 entry);

/* False where the loader came from the network, say: there is neither a testudo.cfg nor an image for L1 then. */
bool has_own_volume(const struct loader *loader);
