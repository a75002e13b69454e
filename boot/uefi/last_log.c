/* SPDX-License-Identifier: MIT */
/*
 * See boot/uefi/last_log.h. The ring of the last boot lies at the start of what was L0's
 * block: on a boundary of 2 MB, in memory that is free again. It is looked for at each of
 * them, so nothing has to be remembered in the firmware's variables. Anybody may have
 * written there since: drivers/log_ring.c believes nothing, and nothing is written here.
 */
#include "boot/uefi/last_log.h"

#include "arch/string.h"
#include "boot/uefi/executable.h"
#include "boot/uefi/memory_map.h"
#include "boot/uefi/output.h"
#include "boot/uefi/save.h"
#include "drivers/log_ring.h"

#define PAGE UINT64_C(4096)
#define SAVED_AS "\\EFI\\testudo\\last.log"
/* Lines: before the end, of a boot without one, and at most. */
#define LINES_BEFORE 10
#define LINES_WITHOUT 40
#define MOST_LINES 160

static bool is_free(const EFI_MEMORY_DESCRIPTOR *d)
{
	return d->Type == EfiConventionalMemory || (d->Type >= EfiLoaderCode && d->Type <= EfiBootServicesData);
}

/* NULL: there is none. Firmware may leave free pages unmapped, to find its own mistakes. */
static const struct log_ring *ring_at(u64 address)
{
	const struct log_ring *ring = (const struct log_ring *)(uintptr_t)address;

	if (!is_mapped(address) || memcmp(ring->signature, LOG_RING_SIGNATURE, sizeof(ring->signature)))
		return NULL;
	for (u64 page = PAGE; page < LOG_RING_BYTES; page += PAGE)
		if (!is_mapped(address + page))
			return NULL;
	return log_ring_is_whole(ring) ? ring : NULL;
}

/* The newest one of ours: Testudo under Testudo leaves its own. */
static const struct log_ring *find_ring(const struct loader *loader)
{
	const struct log_ring *newest = NULL;
	struct memory_map map;

	if (EFI_ERROR(memory_map_get(loader, &map)))
		return NULL;
	for (UINTN i = 0; i < map.count; i++) {
		const EFI_MEMORY_DESCRIPTOR *d = memory_map_at(&map, i);
		u64 end = d->PhysicalStart + d->NumberOfPages * PAGE;
		u64 at = (d->PhysicalStart + LOG_RING_ALIGNMENT - 1) & ~(LOG_RING_ALIGNMENT - 1);

		for (; is_free(d) && at + LOG_RING_BYTES <= end; at += LOG_RING_ALIGNMENT) {
			const struct log_ring *ring = at ? ring_at(at) : NULL;

			if (ring && ring->under_testudo == loader->machine.is_testudo && (!newest || ring->boot > newest->boot))
				newest = ring;
		}
	}
	loader->boot->FreePool(map.bytes);
	return newest;
}

static void tell_last(const struct log_ring *ring, const struct log_extract *extract)
{
	struct log_reader reader;
	char line[LOG_RING_LINE];

	complain("%s", extract->marked ? "the last boot did not end well; what Testudo said then:" : "what Testudo said in the last boot:");
	log_reader_begin(&reader, ring);
	for (u32 i = 0; i < extract->first + extract->lines && log_reader_next(&reader, line); i++)
		if (i >= extract->first)
			complain("| %s", line);
	if (extract->left)
		complain("and %u more lines (lastlog = save writes them all to " SAVED_AS ")", extract->left);
}

static size_t write_all(const struct log_ring *ring, char *text)
{
	struct log_reader reader;
	char line[LOG_RING_LINE];
	size_t size = 0;

	log_reader_begin(&reader, ring);
	while (log_reader_next(&reader, line)) {
		size_t length = strlen(line);

		memcpy(text + size, line, length);
		memcpy(text + size + length, "\r\n", 2);
		size += length + 2;
	}
	return size;
}

static void save(const struct loader *loader, const struct log_ring *ring, char *text)
{
	const char *why = "there is no memory for it";

	/* A line's end is 3 bytes in the ring and 2 here: all of it fits. */
	if (text)
		why = save_file(loader, SAVED_AS, text, write_all(ring, text));
	if (why)
		complain(SAVED_AS " is not saved: %s", why);
	else
		complain("all of it is saved as " SAVED_AS);
}

void tell_last_log(struct loader *loader)
{
	const struct log_ring *ring;
	struct log_extract extract;
	char *text = NULL;
	u32 mode = loader->config.lastlog;

	/* Memory that is asked for later might be the ring itself. */
	if (mode == CONFIG_LASTLOG_SAVE &&
	    EFI_ERROR(loader->boot->AllocatePool(EfiLoaderData, LOG_RING_BYTES, (void **)&text)))
		text = NULL;
	ring = find_ring(loader);
	loader->boot_number = ring ? ring->boot + 1 : 1;
	if (ring && mode != CONFIG_LASTLOG_OFF) {
		extract = log_ring_extract(ring, LINES_BEFORE, LINES_WITHOUT, MOST_LINES);
		if (extract.lines && (extract.marked || mode == CONFIG_LASTLOG_ALWAYS)) {
			tell_last(ring, &extract);
			if (mode == CONFIG_LASTLOG_SAVE)
				save(loader, ring, text);
		}
	}
	if (text)
		loader->boot->FreePool(text);
}

void begin_log(const struct loader *loader)
{
	log_ring_init((struct log_ring *)(uintptr_t)loader->block_base, loader->boot_number, loader->machine.is_testudo);
}
