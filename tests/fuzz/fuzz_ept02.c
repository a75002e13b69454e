/* SPDX-License-Identifier: MIT */
/*
 * EPT02 against bytes: the first chooses the processor, the pool and L1's controls, the rest
 * are steps of tests/unit/ept_world.h (L1's edits and INVEPTs, L2's accesses),
 * or raw entries of L1's tables. Each access is judged by the model; a broken
 * rule aborts.
 */
#include <string.h>

#include "mm/phys.h"
#include "tests/unit/ept_world.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

#define PLAIN (EPT_CAP_4_LEVEL | EPT_CAP_WRITE_BACK | EPT_CAP_INVEPT)
#define ALL (PLAIN | EPT_CAP_EXECUTE_ONLY | EPT_CAP_2M | EPT_CAP_1G | EPT_CAP_ACCESSED_DIRTY | EPT_CAP_ADVANCED_EXIT_INFORMATION)
#define MAX_STEPS_BYTES 1024

/* Raw entries straight into the tables, 9 bytes each: place and value. */
static void write_raw(struct world *world, const u8 **data, size_t *size)
{
	for (unsigned int i = 0; i < 8 && *size >= 9; i++) {
		static const u64 indices[] = { 0, 1, 2, 511 };
		u64 table = WORLD_TABLES_AT + **data / 4 % WORLD_TABLES * 4096, value;
		u64 index = indices[**data % 4];

		memcpy(&value, *data + 1, sizeof(value));
		world_write(world, table + index * 8, value);
		*data += 9;
		*size -= 9;
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static const u64 processors[] = { ALL, ALL | EPT_CAP_5_LEVEL, PLAIN, ALL & ~(EPT_CAP_1G | EPT_CAP_ADVANCED_EXIT_INFORMATION) };
	static struct world world;
	u8 choice;

	if (size < 2)
		return 0;
	choice = *data++;
	size--;
	world_begin(&world, processors[choice & 3], processors[choice & 3], choice & 4 ? 96 : EPT02_MIN_PAGES);
	world.mode_based = choice & 32;
	world.logging = choice & 64;
	world.sub_pages = choice & 128;
	if (choice & 8)
		world_populate(&world);
	if (choice & 16)
		write_raw(&world, &data, &size);
	world.bytes = data;
	world.left = size < MAX_STEPS_BYTES ? size : MAX_STEPS_BYTES;
	while (world_step(&world))
		;
	return 0;
}
