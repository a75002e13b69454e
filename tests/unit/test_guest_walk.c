/* SPDX-License-Identifier: MIT */
/*
 * The walk of a guest's page tables: every paging mode, permissions, reserved
 * bits, error codes, accessed and dirty flags, and copies that cross pages.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "arch/x86.h"
#include "mm/guest_walk.h"
#include "mm/phys.h"
#include "tests/fake/phys.h"

#define P BIT(0)
#define W BIT(1)
#define U BIT(2)
#define A BIT(5)
#define D BIT(6)
#define PS BIT(7)
#define XD BIT(63)

/* Tables in the arena, one a level; level 5 is the root of 5-level paging. */
#define TABLE(level) (UINT64_C(0x10000) * (level))
#define ADDRESS UINT64_C(0x0000123456789abc)
#define PAGE UINT64_C(0x700000)

static const struct l1_memory memory = { .hidden_base = { FAKE_BLOCK_BASE }, .hidden_size = FAKE_BLOCK_SIZE,
					 .scratch = { FAKE_BLOCK_BASE }, .physical_address_bits = 36 };

static struct guest_paging paging;
static struct guest_fault fault;
static l1_gpa_t physical;

static void put(u64 at, u64 value)
{
	*(u64 *)phys_to_ptr(hpa(at)) = value;
}

static u64 at(u64 address)
{
	return *(const u64 *)phys_to_ptr(hpa(address));
}

/* The address of the entry that translates ADDRESS at that level. */
static u64 entry(u32 level)
{
	return TABLE(level) + ((ADDRESS >> (12 + 9 * (level - 1))) & 511) * 8;
}

/* Maps ADDRESS to PAGE with all permissions, 4-level. */
static void map_long(void)
{
	fake_memory_reset();
	for (u32 level = 4; level > 1; level--)
		put(entry(level), TABLE(level - 1) | P | W | U);
	put(entry(1), PAGE | P | W | U);
	paging = (struct guest_paging){ .cr0 = CR0_PG | CR0_PE | CR0_WP, .cr3 = TABLE(4), .cr4 = CR4_PAE,
					.efer = EFER_LMA | EFER_LME | EFER_NXE, .physical_address_bits = 36, .pages_1g = true };
}

static bool walk(enum guest_access access)
{
	return guest_walk(&memory, &paging, gva(ADDRESS), access, &physical, &fault);
}

static void expect_fault(enum guest_access access, u64 error_code)
{
	assert_false(walk(access));
	assert_int_equal(fault.vector, VECTOR_PF);
	assert_int_equal(fault.error_code, error_code);
	assert_true(fault.cr2 == ADDRESS);
}

static void without_paging_linear_is_physical(void **state)
{
	(void)state;
	paging = (struct guest_paging){ .cr0 = CR0_PE };
	assert_true(walk(GUEST_WRITE));
	assert_true(physical.value == (u32)ADDRESS);
}

static void four_levels_translate(void **state)
{
	(void)state;
	map_long();
	assert_true(walk(GUEST_READ));
	assert_true(physical.value == PAGE + 0xabc);
}

static void five_levels_translate(void **state)
{
	(void)state;
	map_long();
	put(entry(5), TABLE(4) | P | W | U);
	paging.cr3 = TABLE(5);
	paging.cr4 |= CR4_LA57;
	assert_true(walk(GUEST_READ));
	assert_true(physical.value == PAGE + 0xabc);
}

static void pages_of_2_megabytes_and_1_gigabyte_translate(void **state)
{
	(void)state;
	map_long();
	put(entry(2), 0x800000 | P | W | U | PS | BIT(12));
	assert_true(walk(GUEST_READ));
	assert_true(physical.value == 0x800000 + (ADDRESS & 0x1fffff));
	put(entry(3), 0x40000000 | P | W | U | PS);
	assert_true(walk(GUEST_READ));
	assert_true(physical.value == 0x40000000 + (ADDRESS & 0x3fffffff));
}

static void pages_of_1_gigabyte_are_reserved_where_they_do_not_exist(void **state)
{
	(void)state;
	map_long();
	put(entry(3), 0x40000000 | P | W | U | PS);
	paging.pages_1g = false;
	expect_fault(GUEST_READ, PF_PRESENT | PF_RESERVED);
}

static void an_entry_that_is_not_present_faults(void **state)
{
	(void)state;
	for (u32 level = 1; level <= 4; level++) {
		map_long();
		put(entry(level), ~P);
		expect_fault(GUEST_READ, 0);
		expect_fault(GUEST_WRITE, PF_WRITE);
		expect_fault(GUEST_FETCH, PF_FETCH);
		paging.cpl = 3;
		expect_fault(GUEST_READ, PF_USER);
	}
}

static void reserved_bits_fault(void **state)
{
	static const struct { u32 level; u64 bits; } cases[] = {
		{ 4, PS }, { 4, BIT(36) }, { 3, BIT(51) }, { 3, PS | BIT(13) }, { 3, PS | BIT(29) }, { 2, PS | BIT(13) },
		{ 2, PS | BIT(20) }, { 1, BIT(36) },
	};

	(void)state;
	for (u32 i = 0; i < array_size(cases); i++) {
		map_long();
		put(entry(cases[i].level), at(entry(cases[i].level)) | cases[i].bits);
		expect_fault(GUEST_READ, PF_PRESENT | PF_RESERVED);
	}
}

static void execute_disable_is_reserved_without_nxe(void **state)
{
	(void)state;
	map_long();
	put(entry(1), PAGE | P | W | U | XD);
	assert_true(walk(GUEST_READ));
	expect_fault(GUEST_FETCH, PF_PRESENT | PF_FETCH);
	paging.efer &= ~EFER_NXE;
	expect_fault(GUEST_READ, PF_PRESENT | PF_RESERVED);
}

/* Expect: bits 62:52 are ignored in IA-32e mode. */
static void ignored_bits_are_ignored(void **state)
{
	(void)state;
	map_long();
	put(entry(1), PAGE | P | W | U | BITS(62, 52));
	assert_true(walk(GUEST_READ));
	assert_true(physical.value == PAGE + 0xabc);
}

/* Expect: permission is the AND of all entries. */
static void one_read_only_entry_forbids_writing(void **state)
{
	(void)state;
	for (u32 level = 1; level <= 4; level++) {
		map_long();
		put(entry(level), at(entry(level)) & ~W);
		expect_fault(GUEST_WRITE, PF_PRESENT | PF_WRITE);
		assert_true(walk(GUEST_READ));
		paging.cr0 &= ~CR0_WP;
		assert_true(walk(GUEST_WRITE));
		paging.cpl = 3;
		expect_fault(GUEST_WRITE, PF_PRESENT | PF_WRITE | PF_USER);
	}
}

static void one_supervisor_entry_forbids_user_access(void **state)
{
	(void)state;
	for (u32 level = 1; level <= 4; level++) {
		map_long();
		put(entry(level), at(entry(level)) & ~U);
		assert_true(walk(GUEST_WRITE));
		paging.cpl = 3;
		expect_fault(GUEST_READ, PF_PRESENT | PF_USER);
	}
}

static void smap_and_smep_keep_the_supervisor_from_user_pages(void **state)
{
	(void)state;
	map_long();
	paging.cr4 |= CR4_SMAP;
	expect_fault(GUEST_READ, PF_PRESENT);
	expect_fault(GUEST_WRITE, PF_PRESENT | PF_WRITE);
	assert_true(walk(GUEST_FETCH));
	paging.rflags = RFLAGS_AC;
	assert_true(walk(GUEST_READ));
	paging.cr4 |= CR4_SMEP;
	expect_fault(GUEST_FETCH, PF_PRESENT | PF_FETCH);
	paging.rflags = 0;
	put(entry(1), PAGE | P | W);
	assert_true(walk(GUEST_READ) && walk(GUEST_FETCH));
}

/* --- protection keys: 3 for the page, SDM "Protection Keys" ------------------------ */

#define KEY_3 (UINT64_C(3) << 59)
#define ACCESS_DISABLE_3 (1u << 6)
#define WRITE_DISABLE_3 (2u << 6)
#define DISABLE_ALL_BUT_3 (~(3u << 6))

static void map_with_key(u64 user)
{
	map_long();
	put(entry(1), PAGE | P | W | user | KEY_3);
	paging.cr4 |= CR4_PKE | CR4_PKS;
}

static void pkru_decides_about_user_pages(void **state)
{
	(void)state;
	map_with_key(U);
	paging.pkrs = UINT32_MAX;
	paging.pkru = DISABLE_ALL_BUT_3;
	assert_true(walk(GUEST_READ) && walk(GUEST_WRITE));
	paging.pkru = ACCESS_DISABLE_3;
	expect_fault(GUEST_READ, PF_PRESENT | PF_PROTECTION_KEY);
	expect_fault(GUEST_WRITE, PF_PRESENT | PF_WRITE | PF_PROTECTION_KEY);
	assert_true(walk(GUEST_FETCH));
	paging.cpl = 3;
	expect_fault(GUEST_READ, PF_PRESENT | PF_USER | PF_PROTECTION_KEY);
	paging.cr4 &= ~CR4_PKE;
	assert_true(walk(GUEST_READ) && walk(GUEST_WRITE));
}

static void pkrs_decides_about_supervisor_pages(void **state)
{
	(void)state;
	map_with_key(0);
	paging.pkru = UINT32_MAX;
	paging.pkrs = DISABLE_ALL_BUT_3;
	assert_true(walk(GUEST_READ) && walk(GUEST_WRITE));
	paging.pkrs = ACCESS_DISABLE_3;
	expect_fault(GUEST_READ, PF_PRESENT | PF_PROTECTION_KEY);
	assert_true(walk(GUEST_FETCH));
	paging.cr4 &= ~CR4_PKS;
	assert_true(walk(GUEST_READ) && walk(GUEST_WRITE));
}

/* Expect: the supervisor may write nevertheless without CR0.WP, the user may not. */
static void a_key_that_forbids_writing_counts_with_write_protection(void **state)
{
	(void)state;
	map_with_key(U);
	paging.pkru = WRITE_DISABLE_3;
	assert_true(walk(GUEST_READ));
	expect_fault(GUEST_WRITE, PF_PRESENT | PF_WRITE | PF_PROTECTION_KEY);
	paging.cr0 &= ~CR0_WP;
	assert_true(walk(GUEST_WRITE));
	paging.cpl = 3;
	expect_fault(GUEST_WRITE, PF_PRESENT | PF_WRITE | PF_USER | PF_PROTECTION_KEY);
	map_with_key(0);
	paging.pkrs = WRITE_DISABLE_3;
	expect_fault(GUEST_WRITE, PF_PRESENT | PF_WRITE | PF_PROTECTION_KEY);
	paging.cr0 &= ~CR0_WP;
	assert_true(walk(GUEST_WRITE));
}

/* Expect: without the flag for the key where another right is missing alone, with it where both are. */
static void a_key_is_told_beside_other_reasons(void **state)
{
	(void)state;
	map_with_key(U);
	put(entry(2), TABLE(1) | P | U);
	expect_fault(GUEST_WRITE, PF_PRESENT | PF_WRITE);
	paging.pkru = WRITE_DISABLE_3;
	expect_fault(GUEST_WRITE, PF_PRESENT | PF_WRITE | PF_PROTECTION_KEY);
	put(entry(1), 0);
	expect_fault(GUEST_WRITE, PF_WRITE);
}

static void accessed_and_dirty_are_set(void **state)
{
	(void)state;
	map_long();
	assert_true(walk(GUEST_READ));
	for (u32 level = 1; level <= 4; level++)
		assert_int_equal(at(entry(level)) & (A | D), A);
	assert_true(walk(GUEST_WRITE));
	assert_int_equal(at(entry(1)) & (A | D), A | D);
	assert_int_equal(at(entry(2)) & (A | D), A);
}

static void a_faulting_access_sets_no_dirty_flag(void **state)
{
	(void)state;
	map_long();
	put(entry(1), PAGE | P | U);
	expect_fault(GUEST_WRITE, PF_PRESENT | PF_WRITE);
	assert_int_equal(at(entry(1)) & (A | D), 0);
}

/* Expect: a table that contains itself is walked, and its one entry marked. */
static void a_recursive_table_is_walked(void **state)
{
	u64 self = TABLE(4);

	(void)state;
	map_long();
	put(self, self | P | W);
	assert_true(guest_walk(&memory, &paging, gva(0x8), GUEST_WRITE, &physical, &fault));
	assert_true(physical.value == self + 8);
	assert_int_equal(at(self) & (A | D), A | D);
}

static void tables_beyond_memory_fault(void **state)
{
	(void)state;
	map_long();
	put(entry(2), (FAKE_MEMORY_SIZE * 2) | P | W | U);
	expect_fault(GUEST_READ, PF_PRESENT | PF_RESERVED);
}

/* Expect: the walk reads the scratch page, not L0's block, and finds nothing there. */
static void tables_in_the_hidden_block_are_not_seen(void **state)
{
	(void)state;
	map_long();
	put(FAKE_BLOCK_BASE + 0x5000 + (entry(1) & 0xfff), PAGE | P | W | U);
	put(entry(2), (FAKE_BLOCK_BASE + 0x5000) | P | W | U);
	expect_fault(GUEST_READ, 0);
}

/* --- PAE and 32-bit paging ------------------------------------------------------ */

#define ADDRESS_32 UINT32_C(0xd6789abc)

static bool walk_32(enum guest_access access)
{
	return guest_walk(&memory, &paging, gva(ADDRESS_32), access, &physical, &fault);
}

static u64 pae_entry(u32 level)
{
	return TABLE(level) + ((ADDRESS_32 >> (12 + 9 * (level - 1))) & 511) * 8;
}

static void map_pae(void)
{
	fake_memory_reset();
	put(pae_entry(2), TABLE(1) | P | W | U);
	put(pae_entry(1), PAGE | P | W | U);
	paging = (struct guest_paging){ .cr0 = CR0_PG | CR0_PE | CR0_WP, .cr4 = CR4_PAE, .efer = EFER_NXE,
					.physical_address_bits = 36 };
	paging.pdpte[ADDRESS_32 >> 30] = TABLE(2) | P;
}

static void pae_translates_from_the_pdpte_registers(void **state)
{
	(void)state;
	map_pae();
	assert_true(walk_32(GUEST_WRITE));
	assert_true(physical.value == PAGE + 0xabc);
	assert_int_equal(at(pae_entry(1)) & (A | D), A | D);
	put(pae_entry(2), 0x800000 | P | W | U | PS);
	assert_true(walk_32(GUEST_READ));
	assert_true(physical.value == 0x800000 + (ADDRESS_32 & 0x1fffff));
	paging.pdpte[ADDRESS_32 >> 30] = TABLE(2);
	assert_false(walk_32(GUEST_READ));
	assert_int_equal(fault.error_code, 0);
}

static void pae_reserves_bits_62_to_52(void **state)
{
	(void)state;
	map_pae();
	put(pae_entry(1), PAGE | P | W | U | BIT(55));
	assert_false(walk_32(GUEST_READ));
	assert_int_equal(fault.error_code, PF_PRESENT | PF_RESERVED);
}

static void keys_mean_nothing_outside_ia32e_mode(void **state)
{
	(void)state;
	map_pae();
	paging.cr4 |= CR4_PKE | CR4_PKS;
	paging.pkru = UINT32_MAX;
	paging.pkrs = UINT32_MAX;
	assert_true(walk_32(GUEST_READ) && walk_32(GUEST_WRITE));
}

static void put_32(u64 address, u32 value)
{
	*(u32 *)(void *)((u8 *)phys_to_ptr(hpa(address & ~PAGE_MASK)) + (address & PAGE_MASK)) = value;
}

static u32 at_32(u64 address)
{
	return *(u32 *)(void *)((u8 *)phys_to_ptr(hpa(address & ~PAGE_MASK)) + (address & PAGE_MASK));
}

#define PDE_32 (TABLE(2) + (ADDRESS_32 >> 22) * 4)
#define PTE_32 (TABLE(1) + ((ADDRESS_32 >> 12) & 1023) * 4)

static void map_32(void)
{
	fake_memory_reset();
	put_32(PDE_32, (u32)(TABLE(1) | P | W | U));
	put_32(PTE_32, (u32)(PAGE | P | W | U));
	paging = (struct guest_paging){ .cr0 = CR0_PG | CR0_PE, .cr3 = TABLE(2), .physical_address_bits = 36 };
}

static void thirty_two_bit_paging_translates(void **state)
{
	(void)state;
	map_32();
	assert_true(walk_32(GUEST_WRITE));
	assert_true(physical.value == PAGE + 0xabc);
	assert_int_equal(at_32(PTE_32) & (A | D), A | D);
	assert_int_equal(at_32(PDE_32) & (A | D), A);
	/* The other half of the word that is read at once stays as it was. */
	assert_int_equal(at_32(PTE_32 ^ 4), 0);
}

/* Expect: address bits 35:32 from bits 16:13 of the entry. */
static void a_4_megabyte_page_translates_with_pse_36(void **state)
{
	(void)state;
	map_32();
	paging.cr4 = CR4_PSE;
	put_32(PDE_32, UINT32_C(0xc00000) | (u32)(P | W | U | PS) | 3u << 13);
	assert_true(walk_32(GUEST_READ));
	assert_true(physical.value == UINT64_C(0x300c00000) + (ADDRESS_32 & 0x3fffff));
	put_32(PDE_32, UINT32_C(0xc00000) | (u32)(P | W | U | PS) | 1u << 17);
	assert_false(walk_32(GUEST_READ));
	assert_int_equal(fault.error_code, PF_PRESENT | PF_RESERVED);
	put_32(PDE_32, UINT32_C(0xc00000) | (u32)(P | W | U | PS) | 1u << 21);
	assert_false(walk_32(GUEST_READ));
}

static void without_pse_the_size_bit_is_ignored(void **state)
{
	(void)state;
	map_32();
	put_32(PDE_32, (u32)(TABLE(1) | P | W | U | PS));
	assert_true(walk_32(GUEST_READ));
	assert_true(physical.value == PAGE + 0xabc);
}

static void fetches_are_not_told_apart_in_32_bit_paging(void **state)
{
	(void)state;
	map_32();
	put_32(PTE_32, 0);
	assert_false(walk_32(GUEST_FETCH));
	assert_int_equal(fault.error_code, 0);
	paging.cr4 |= CR4_SMEP;
	assert_false(walk_32(GUEST_FETCH));
	assert_int_equal(fault.error_code, PF_FETCH);
}

/* --- copies ---------------------------------------------------------------------- */

/* Two pages, not next to each other, under linear 0x...789000 and 0x...78a000. */
static void map_two(void)
{
	map_long();
	put(entry(1) + 8, (PAGE + 0x5000) | P | W | U);
}

#define CROSSING ((ADDRESS | 0xfff) - 3)

static void a_copy_crosses_into_the_next_page(void **state)
{
	u8 bytes[8];

	(void)state;
	map_two();
	memcpy((u8 *)phys_to_ptr(hpa(PAGE)) + 0xffc, "abcd", 4);
	memcpy(phys_to_ptr(hpa(PAGE + 0x5000)), "efgh", 4);
	assert_true(guest_copy_in(&memory, &paging, gva(CROSSING), bytes, 8, &fault));
	assert_memory_equal(bytes, "abcdefgh", 8);
	assert_true(guest_copy_out(&memory, &paging, gva(CROSSING), "12345678", 8, &fault));
	assert_memory_equal((u8 *)phys_to_ptr(hpa(PAGE)) + 0xffc, "1234", 4);
	assert_memory_equal(phys_to_ptr(hpa(PAGE + 0x5000)), "5678", 4);
}

/* Expect: the fault tells the first byte of the second page, and the first page is untouched. */
static void a_copy_that_faults_in_its_second_page_writes_nothing(void **state)
{
	(void)state;
	map_two();
	put(entry(1) + 8, (PAGE + 0x5000) | P | U);
	memcpy((u8 *)phys_to_ptr(hpa(PAGE)) + 0xffc, "abcd", 4);
	assert_false(guest_copy_out(&memory, &paging, gva(CROSSING), "12345678", 8, &fault));
	assert_int_equal(fault.error_code, PF_PRESENT | PF_WRITE);
	assert_true(fault.cr2 == (ADDRESS | 0xfff) + 1);
	assert_memory_equal((u8 *)phys_to_ptr(hpa(PAGE)) + 0xffc, "abcd", 4);
}

static void a_copy_up_to_the_end_of_a_page_needs_no_other(void **state)
{
	u8 bytes[4];

	(void)state;
	map_long();
	assert_true(guest_copy_in(&memory, &paging, gva(CROSSING), bytes, 4, &fault));
	assert_false(guest_copy_in(&memory, &paging, gva(CROSSING), bytes, 5, &fault));
}

/* --- walks that are remembered --------------------------------------------------- */

static struct guest_walk_memo memo;

/* Supervisor pages, accessed, the page itself dirty as well. */
static void map_supervisor(void)
{
	map_long();
	for (u32 level = 4; level > 1; level--)
		put(entry(level), TABLE(level - 1) | P | W | A);
	put(entry(1), PAGE | P | W | A | D);
}

static bool remembered(void)
{
	guest_walk_remember(&memory, &paging, gva(ADDRESS), &memo);
	return memo.target != NULL;
}

static void a_remembered_walk_names_the_page(void **state)
{
	(void)state;
	map_supervisor();
	assert_true(remembered());
	assert_ptr_equal(memo.target, phys_to_ptr(hpa(PAGE)));
	assert_true(memo.page == (ADDRESS & ~PAGE_MASK) && memo.writable && guest_walk_holds(&memo));
	put(entry(2), 0x800000 | P | W | A | D | PS);
	assert_true(remembered());
	assert_ptr_equal(memo.target, phys_to_ptr(hpa(0x800000 + (ADDRESS & BITS(20, 12)))));
}

/* Expect: whatever changes in an entry of any level, the walk does not hold. */
static void a_remembered_walk_ends_with_any_change(void **state)
{
	const u64 changes[] = { P, W, U, A, BIT(20), XD };

	(void)state;
	for (u32 level = 1; level <= 4; level++)
		for (u32 i = 0; i < array_size(changes); i++) {
			map_supervisor();
			assert_true(remembered());
			put(entry(level), at(entry(level)) ^ changes[i]);
			assert_false(guest_walk_holds(&memo));
		}
}

static void a_page_of_2_megabytes_holds_by_its_entries(void **state)
{
	(void)state;
	for (u32 level = 2; level <= 4; level++) {
		map_supervisor();
		put(entry(2), 0x800000 | P | W | A | D | PS);
		assert_true(remembered() && guest_walk_holds(&memo));
		put(entry(level), at(entry(level)) & ~P);
		assert_false(guest_walk_holds(&memo));
	}
}

static void a_page_that_is_not_dirty_is_not_written_from_memory(void **state)
{
	(void)state;
	map_supervisor();
	put(entry(1), PAGE | P | W | A);
	assert_true(remembered() && !memo.writable);
	map_supervisor();
	put(entry(3), TABLE(2) | P | A);
	assert_true(remembered() && !memo.writable);
}

/* User pages ask more than entries; what was never accessed has a flag to be set; keys and a fifth level are not compared. */
static void some_walks_are_not_remembered(void **state)
{
	(void)state;
	map_supervisor();
	for (u32 level = 1; level <= 4; level++)
		put(entry(level), at(entry(level)) | U);
	assert_false(remembered());
	for (u32 level = 1; level <= 4; level++) {
		map_supervisor();
		put(entry(level), at(entry(level)) & ~A);
		assert_false(remembered());
		map_supervisor();
		put(entry(level), at(entry(level)) & ~P);
		assert_false(remembered());
		map_supervisor();
		put(entry(level), at(entry(level)) | BIT(40));
		assert_false(remembered());
	}
	map_supervisor();
	paging.cr4 |= CR4_PKS;
	assert_false(remembered());
	map_supervisor();
	put(entry(5), TABLE(4) | P | W | A);
	paging.cr3 = TABLE(5);
	paging.cr4 |= CR4_LA57;
	assert_false(remembered());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_paging_linear_is_physical),
		cmocka_unit_test(four_levels_translate),
		cmocka_unit_test(five_levels_translate),
		cmocka_unit_test(pages_of_2_megabytes_and_1_gigabyte_translate),
		cmocka_unit_test(pages_of_1_gigabyte_are_reserved_where_they_do_not_exist),
		cmocka_unit_test(an_entry_that_is_not_present_faults),
		cmocka_unit_test(reserved_bits_fault),
		cmocka_unit_test(execute_disable_is_reserved_without_nxe),
		cmocka_unit_test(ignored_bits_are_ignored),
		cmocka_unit_test(one_read_only_entry_forbids_writing),
		cmocka_unit_test(one_supervisor_entry_forbids_user_access),
		cmocka_unit_test(smap_and_smep_keep_the_supervisor_from_user_pages),
		cmocka_unit_test(pkru_decides_about_user_pages),
		cmocka_unit_test(pkrs_decides_about_supervisor_pages),
		cmocka_unit_test(a_key_that_forbids_writing_counts_with_write_protection),
		cmocka_unit_test(a_key_is_told_beside_other_reasons),
		cmocka_unit_test(keys_mean_nothing_outside_ia32e_mode),
		cmocka_unit_test(accessed_and_dirty_are_set),
		cmocka_unit_test(a_faulting_access_sets_no_dirty_flag),
		cmocka_unit_test(a_recursive_table_is_walked),
		cmocka_unit_test(tables_beyond_memory_fault),
		cmocka_unit_test(tables_in_the_hidden_block_are_not_seen),
		cmocka_unit_test(pae_translates_from_the_pdpte_registers),
		cmocka_unit_test(pae_reserves_bits_62_to_52),
		cmocka_unit_test(thirty_two_bit_paging_translates),
		cmocka_unit_test(a_4_megabyte_page_translates_with_pse_36),
		cmocka_unit_test(without_pse_the_size_bit_is_ignored),
		cmocka_unit_test(fetches_are_not_told_apart_in_32_bit_paging),
		cmocka_unit_test(a_copy_crosses_into_the_next_page),
		cmocka_unit_test(a_copy_that_faults_in_its_second_page_writes_nothing),
		cmocka_unit_test(a_copy_up_to_the_end_of_a_page_needs_no_other),
		cmocka_unit_test(a_remembered_walk_names_the_page),
		cmocka_unit_test(a_remembered_walk_ends_with_any_change),
		cmocka_unit_test(a_page_of_2_megabytes_holds_by_its_entries),
		cmocka_unit_test(a_page_that_is_not_dirty_is_not_written_from_memory),
		cmocka_unit_test(some_walks_are_not_remembered),
	};

	return cmocka_run_group_tests_name("guest_walk", tests, NULL, NULL);
}
