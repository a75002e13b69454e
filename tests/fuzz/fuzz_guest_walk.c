/* SPDX-License-Identifier: MIT */
/*
 * Bytes become page tables and registers of a guest, and accesses to it.
 * Oracles: only accessed and dirty flags change, never a byte of L0's block; a
 * translation repeats; what may be written may be read; nothing beyond the
 * physical-address width comes out.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86.h"
#include "mm/guest_walk.h"
#include "mm/phys.h"
#include "tests/fake/phys.h"

#define REQUIRE(condition)       \
	do {                     \
		if (!(condition)) \
			abort(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TABLES_AT UINT64_C(0x10000)
#define TABLE_PAGES 8
#define WORDS (TABLE_PAGES * 512)
#define FLAGS (UINT64_C(0x60) | UINT64_C(0x60) << 32)
#define BLOCK_PATTERN 0xa5

static const struct l1_memory memory = { .hidden_base = { FAKE_BLOCK_BASE }, .hidden_size = FAKE_BLOCK_SIZE,
					 .scratch = { FAKE_BLOCK_BASE }, .physical_address_bits = 36 };

struct header {
	u8 mode, cpl, access, length;
	u16 cr4;
	u16 rflags;
	u64 linear;
	u64 pdpte[4];
};

/* An entry: which word of the tables, and its value, whose frame is folded into the tables mostly. */
struct entry {
	u16 where;
	u16 flags;
	u64 value;
};

static u64 *table_word(u32 index)
{
	return (u64 *)phys_to_ptr(hpa(TABLES_AT + (u64)index / 512 * PAGE_SIZE)) + index % 512;
}

static struct guest_paging registers(const struct header *header)
{
	struct guest_paging paging = { .cr0 = CR0_PE | CR0_PG | (header->mode & 8 ? CR0_WP : 0), .cr3 = TABLES_AT,
				       .rflags = header->rflags & 1 ? RFLAGS_AC : 0, .cpl = header->cpl & 1 ? 3 : 0,
				       .physical_address_bits = 36, .pages_1g = (header->mode & 16) != 0 };

	paging.cr4 = (header->cr4 & 1 ? CR4_PSE : 0) | (header->cr4 & 2 ? CR4_SMEP : 0) | (header->cr4 & 4 ? CR4_SMAP : 0);
	paging.cr4 |= (header->cr4 & 8 ? CR4_PKE : 0) | (header->cr4 & 16 ? CR4_PKS : 0);
	paging.pkru = header->rflags * UINT32_C(0x10001);
	paging.pkrs = ~paging.pkru;
	paging.efer = header->mode & 32 ? EFER_NXE : 0;
	switch (header->mode & 3) {
	case 0:
		break;
	case 1:
		paging.cr4 |= CR4_PAE;
		break;
	case 2:
		paging.cr4 |= CR4_LA57;
		/* fall through */
	default:
		paging.cr4 |= CR4_PAE;
		paging.efer |= EFER_LMA | EFER_LME;
		break;
	}
	memcpy(paging.pdpte, header->pdpte, sizeof(paging.pdpte));
	/* As a MOV to CR3 would have accepted them. */
	for (u32 i = 0; i < 4; i++)
		paging.pdpte[i] &= (UINT64_C(1) << 36) - 1;
	return paging;
}

static void fill_tables(const uint8_t *data, size_t size)
{
	for (; size >= sizeof(struct entry); data += sizeof(struct entry), size -= sizeof(struct entry)) {
		struct entry entry;

		memcpy(&entry, data, sizeof(entry));
		if ((entry.flags & 1) != 0)
			entry.value = (entry.value & ~(BITS(51, 12))) | (TABLES_AT + (entry.value >> 12) % TABLE_PAGES * PAGE_SIZE);
		*table_word(entry.where % WORDS) = entry.value;
	}
}

static u64 before[WORDS];

static void remember_tables(void)
{
	for (u32 i = 0; i < WORDS; i++)
		before[i] = *table_word(i);
}

static void only_flags_changed(void)
{
	for (u32 i = 0; i < WORDS; i++)
		REQUIRE((*table_word(i) & ~FLAGS) == (before[i] & ~FLAGS) && (*table_word(i) & before[i]) == before[i]);
}

static void block_is_untouched(void)
{
	const u8 *page = phys_to_ptr(hpa(FAKE_BLOCK_BASE + PAGE_SIZE));

	for (u32 i = 0; i < PAGE_SIZE; i++)
		REQUIRE(page[i] == BLOCK_PATTERN);
}

static void walk(const struct guest_paging *paging, u64 linear, enum guest_access access)
{
	struct guest_fault fault = { .vector = 0 };
	l1_gpa_t first, second;

	if (!guest_walk(&memory, paging, gva(linear), access, &first, &fault)) {
		REQUIRE(fault.vector == VECTOR_PF && (fault.error_code & ~UINT32_C(0x3f)) == 0);
		REQUIRE(((fault.error_code & PF_WRITE) != 0) == (access == GUEST_WRITE));
		REQUIRE((fault.error_code & PF_RESERVED) == 0 || (fault.error_code & PF_PRESENT) != 0);
		REQUIRE((fault.error_code & PF_PROTECTION_KEY) == 0 || (fault.error_code & (PF_PRESENT | PF_RESERVED)) == PF_PRESENT);
		return;
	}
	REQUIRE(first.value >> 36 == 0 && (first.value & PAGE_MASK) == (linear & PAGE_MASK));
	REQUIRE(guest_walk(&memory, paging, gva(linear), GUEST_READ, &second, &fault) || access == GUEST_FETCH);
	if (access != GUEST_FETCH)
		REQUIRE(first.value == second.value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct header header;
	struct guest_paging paging;
	struct guest_fault fault;
	u8 bytes[256];

	if (size < sizeof(header))
		return 0;
	memcpy(&header, data, sizeof(header));
	fake_memory_reset();
	memset(phys_to_ptr(hpa(FAKE_BLOCK_BASE + PAGE_SIZE)), BLOCK_PATTERN, PAGE_SIZE);
	fill_tables(data + sizeof(header), size - sizeof(header));
	paging = registers(&header);

	remember_tables();
	walk(&paging, header.linear, (enum guest_access)(header.access % 3));
	only_flags_changed();
	if (guest_copy_in(&memory, &paging, gva(header.linear), bytes, 1u + header.length, &fault))
		(void)guest_copy_out(&memory, &paging, gva(header.linear), bytes, 1u + header.length, &fault);
	block_is_untouched();
	return 0;
}
