/* SPDX-License-Identifier: MIT */
/*
 * Memory that code is to run from. Some firmware maps what it allocates
 * non-executable, whatever its type, so the permission is asked for; firmware that
 * has no way to ask may map it so all the same, and then its page tables tell.
 * Says nothing.
 */
#include "boot/uefi/executable.h"

#include "arch/x86.h"
#include "boot/uefi/ports.h"

/* UEFI 2.10, "EFI_MEMORY_ATTRIBUTE_PROTOCOL". */
struct memory_attribute_protocol {
	EFI_STATUS (EFIAPI *get)(struct memory_attribute_protocol *this, u64 base, u64 length, u64 *attributes);
	EFI_STATUS (EFIAPI *set)(struct memory_attribute_protocol *this, u64 base, u64 length, u64 attributes);
	EFI_STATUS (EFIAPI *clear)(struct memory_attribute_protocol *this, u64 base, u64 length, u64 attributes);
};

static EFI_GUID memory_attribute_protocol = {
	0xf4560cf6, 0x40ec, 0x4b4a, { 0xa1, 0x92, 0xbf, 0x1d, 0x57, 0xd0, 0xb1, 0x89 }
};

#define ATTRIBUTE_READ_PROTECT UINT64_C(0x2000)
#define ATTRIBUTE_NO_EXECUTE UINT64_C(0x4000)
#define ATTRIBUTE_READ_ONLY UINT64_C(0x20000)

/* Page-table entries: SDM "4-Level Paging and 5-Level Paging". */
#define ENTRY_PRESENT UINT64_C(1)
#define ENTRY_LARGE UINT64_C(0x80)
#define ENTRY_NO_EXECUTE (UINT64_C(1) << 63)
#define ENTRY_ADDRESS UINT64_C(0x000ffffffffff000)

/* Is `address` mapped by the firmware's page tables (to itself), without any bit of `forbidden` on the way? */
static bool is_mapped_without(u64 address, u64 forbidden)
{
	u64 table = read_cr3() & ENTRY_ADDRESS;

	for (unsigned int shift = read_cr4() & CR4_LA57 ? 48 : 39; shift >= 12; shift -= 9) {
		u64 entry = ((const volatile u64 *)(uintptr_t)table)[(address >> shift) & 511];

		if (!(entry & ENTRY_PRESENT) || (entry & forbidden))
			return false;
		if (shift < 39 && (entry & ENTRY_LARGE))
			return true;
		table = entry & ENTRY_ADDRESS;
	}
	return true;
}

bool is_mapped(u64 address)
{
	return is_mapped_without(address, 0);
}

bool make_executable(EFI_BOOT_SERVICES *boot, u64 base, u64 size)
{
	struct memory_attribute_protocol *protocol;

	if (!EFI_ERROR(boot->LocateProtocol(&memory_attribute_protocol, NULL, (void **)&protocol)))
		protocol->clear(protocol, base, size, ATTRIBUTE_NO_EXECUTE | ATTRIBUTE_READ_ONLY | ATTRIBUTE_READ_PROTECT);
	return is_mapped_without(base, ENTRY_NO_EXECUTE) && is_mapped_without(base + size - 1, ENTRY_NO_EXECUTE);
}
