/* SPDX-License-Identifier: MIT */
/*
 * See mm/l1_memory.h: the memory-safety argument. Nothing else turns an
 * l1_gpa_t into an hpa_t, and nothing here ever leads into the hidden block.
 */
#include "mm/l1_memory.h"

#include "arch/atomic.h"
#include "arch/string.h"
#include "mm/phys.h"

static bool is_hidden(const struct l1_memory *memory, u64 address)
{
	return address - memory->hidden_base.value < memory->hidden_size;
}

hpa_t l1_to_hpa(const struct l1_memory *memory, l1_gpa_t address)
{
	if (is_hidden(memory, address.value))
		return hpa(memory->scratch.value + (address.value & PAGE_MASK));
	return hpa(address.value);
}

bool l1_is_identity(const struct l1_memory *memory, l1_gpa_t address, u64 size)
{
	u64 hidden_end = memory->hidden_base.value + memory->hidden_size;

	if (size == 0)
		return true;
	if (address.value + (size - 1) < address.value)
		return false;
	return address.value >= hidden_end || address.value + (size - 1) < memory->hidden_base.value;
}

bool l1_is_legal(const struct l1_memory *memory, u64 address)
{
	return memory->physical_address_bits >= 64 || address >> memory->physical_address_bits == 0;
}

/* A pointer to the byte at `address`, good up to the end of its page, or NULL. */
static u8 *reach(const struct l1_memory *memory, u64 address)
{
	if (!l1_is_legal(memory, address))
		return NULL;
	return phys_to_ptr(l1_to_hpa(memory, l1_gpa(address)));
}

static u64 bytes_left_in_page(u64 address, u64 wanted)
{
	u64 left = PAGE_SIZE - (address & PAGE_MASK);

	return wanted < left ? wanted : left;
}

void l1_read(const struct l1_memory *memory, l1_gpa_t from, void *to, u64 size)
{
	u8 *target = to;
	u64 step;

	for (u64 at = from.value; size > 0; at += step, target += step, size -= step) {
		const u8 *source = reach(memory, at);

		step = bytes_left_in_page(at, size);
		if (source != NULL)
			memcpy(target, source, step);
		else
			memset(target, 0xff, step);
	}
}

void l1_write(const struct l1_memory *memory, l1_gpa_t to, const void *from, u64 size)
{
	const u8 *source = from;
	u64 step;

	for (u64 at = to.value; size > 0; at += step, source += step, size -= step) {
		u8 *target = reach(memory, at);

		step = bytes_left_in_page(at, size);
		if (target != NULL)
			memcpy(target, source, step);
	}
}

const void *l1_look(const struct l1_memory *memory, l1_gpa_t from)
{
	return reach(memory, from.value);
}

u8 *l1_reach(const struct l1_memory *memory, l1_gpa_t to)
{
	return reach(memory, to.value);
}

/* Of an entry: aligned by definition, so low bits are dropped rather than trusted. */
static u64 *reach_entry(const struct l1_memory *memory, l1_gpa_t at)
{
	return (u64 *)(void *)reach(memory, align_down(at.value, sizeof(u64)));
}

u64 l1_read64(const struct l1_memory *memory, l1_gpa_t from)
{
	const u64 *entry = reach_entry(memory, from);

	return entry != NULL ? atomic_read64(entry) : ~UINT64_C(0);
}

bool l1_update64(const struct l1_memory *memory, l1_gpa_t at, u64 expected, u64 set)
{
	u64 *entry = reach_entry(memory, at);

	return entry == NULL || atomic_replace64(entry, expected, expected | set);
}
