/* SPDX-License-Identifier: MIT */
/*
 * Rights of a page that holds an operand: CR0.WP, SMAP, protection keys, reserved
 * bits; and the accessed and dirty flags. SDM "Determination of Access Rights",
 * "Protection Keys", "Accessed and Dirty Flags".
 */
#include "tests/guests/insn/insn.h"

#include "tests/guests/lib/machine.h"
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/x86.h"

#define CR4_SMEP BIT(20)
#define CR4_SMAP BIT(21)
#define CR4_PKE BIT(22)
#define CR4_PKS BIT(24)
#define IA32_PKRS 0x6e1
#define RFLAGS_AC BIT(18)
#define KEY_1 (1ull << 59)
#define KEY_1_NO_ACCESS (1u << 2)
#define KEY_1_NO_WRITE (2u << 2)
#define TABLE_FLAGS (PTE_P | PTE_W | PTE_U)

static u64 page;
static u64 *entry;

static void set_entry(u64 flags)
{
	*entry = page | flags;
	write_cr3(read_cr3());
}

static void set_ac(bool on)
{
	__asm__ volatile("pushfq; andl %0, (%%rsp); orl %1, (%%rsp); popfq"
			 : : "i"((u32)~RFLAGS_AC), "r"(on ? (u32)RFLAGS_AC : 0) : "cc", "memory");
}

static void wrpkru(u32 value)
{
	__asm__ volatile("wrpkru" : : "a"(value), "c"(0), "d"(0));
}

/* A load and a store of an operand there: outcome and error code of each. */
static void try(const char *name, const char *expected)
{
	u32 load, store, error;

	load = attempt(op_vmptrld, page, 0);
	error = load & OUTCOME_EXCEPTION ? attempt_error_code() : 0;
	store = attempt(op_vmptrst, page + 8, 0);
	say("load %u/%x store %u/%x", load & 0xff, error, store & 0xff, store & OUTCOME_EXCEPTION ? attempt_error_code() : 0);
	check_said(name, expected);
}

static void write_protection(void)
{
	set_entry(PTE_P);
	try("rights.read_only", "load 0/0 store 14/3");
	write_cr0(read_cr0() & ~CR0_WP);
	try("rights.read_only_without_wp", "load 0/0 store 0/0");
	write_cr0(read_cr0() | CR0_WP);
	set_entry(PTE_P | PTE_W | BIT(51));
	try("rights.reserved_bit", "load 14/9 store 14/0xb");
	set_entry(0);
	try("rights.not_present", "load 14/0 store 14/2");
}

static void smap(void)
{
	set_entry(PTE_P | PTE_W | PTE_U);
	try("rights.user_page", "load 0/0 store 0/0");
	if (!(cpuid(7, 0).ebx & BIT(20)))
		return;
	write_cr4(read_cr4() | CR4_SMAP);
	try("rights.smap", "load 14/1 store 14/3");
	set_ac(true);
	try("rights.smap_with_ac", "load 0/0 store 0/0");
	set_ac(false);
	write_cr4(read_cr4() & ~CR4_SMAP);
}

static void keys_of_user_pages(void)
{
	if (!(cpuid(7, 0).ecx & BIT(3)))
		return;
	set_entry(PTE_P | PTE_W | PTE_U | KEY_1);
	write_cr4(read_cr4() | CR4_PKE);
	wrpkru(0);
	try("rights.pkru.all", "load 0/0 store 0/0");
	wrpkru(KEY_1_NO_WRITE);
	try("rights.pkru.no_write", "load 0/0 store 14/0x23");
	wrpkru(KEY_1_NO_ACCESS);
	try("rights.pkru.no_access", "load 14/0x21 store 14/0x23");
	wrpkru(KEY_1_NO_WRITE);
	write_cr0(read_cr0() & ~CR0_WP);
	try("rights.pkru.no_write_without_wp", "load 0/0 store 0/0");
	write_cr0(read_cr0() | CR0_WP);
	/* Key 0 is left alone: Bochs takes its rights for those of supervisor pages, too. */
	wrpkru(~0xfu);
	try("rights.pkru.other_keys", "load 0/0 store 0/0");
	wrpkru(KEY_1_NO_ACCESS);
	set_entry(PTE_P | PTE_W | KEY_1);
	try("rights.pkru.supervisor_page", "load 0/0 store 0/0");
	wrpkru(0);
	write_cr4(read_cr4() & ~CR4_PKE);
}

static void keys_of_supervisor_pages(void)
{
	if (!(cpuid(7, 0).ecx & BIT(31)))
		return;
	set_entry(PTE_P | PTE_W | KEY_1);
	write_cr4(read_cr4() | CR4_PKS);
	wrmsr(IA32_PKRS, KEY_1_NO_WRITE);
	try("rights.pkrs.no_write", "load 0/0 store 14/0x23");
	wrmsr(IA32_PKRS, KEY_1_NO_ACCESS);
	try("rights.pkrs.no_access", "load 14/0x21 store 14/0x23");
	wrmsr(IA32_PKRS, 0);
	try("rights.pkrs.all", "load 0/0 store 0/0");
	write_cr4(read_cr4() & ~CR4_PKS);
}

static void accessed_and_dirty(void)
{
	const u64 flags = PTE_A | PTE_D;

	set_entry(PTE_P | PTE_W);
	attempt(op_vmptrld, page, 0);
	say("load %x", (u32)(*entry & flags));
	set_entry(PTE_P | PTE_W);
	attempt(op_vmptrst, page + 8, 0);
	say(" store %x", (u32)(*entry & flags));
	set_entry(PTE_P);
	attempt(op_vmptrst, page + 8, 0);
	say(" refused %x", (u32)(*entry & PTE_D));
	check_said("rights.accessed_and_dirty", "load 0x20 store 0x60 refused 0");
}

void group_memory_rights(void)
{
	u64 old_cr3 = read_cr3(), old_cr0 = read_cr0(), vmcs = vmx_region_alloc();

	vmclear(vmcs);
	vmptrld(vmcs);
	page = (u64)page_alloc();
	*(u64 *)page = vmcs;
	write_cr3(paging_identity(PTE_W));
	write_cr0(old_cr0 | CR0_WP);
	entry = paging_entry(read_cr3(), page, 1, TABLE_FLAGS);
	write_protection();
	smap();
	keys_of_user_pages();
	keys_of_supervisor_pages();
	accessed_and_dirty();
	write_cr0(old_cr0);
	write_cr3(old_cr3);
	vmclear(vmcs);
	say("complete");
}
