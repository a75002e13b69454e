/* SPDX-License-Identifier: MIT */
/*
 * Bytes become a vmcs12, near-valid or wild, and go through sanitizing and all
 * entry checks. Oracles: the verdict is stable, changes nothing, and says what it
 * must; what passes keeps the promises that merge.c and hardware rely on.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86.h"
#include "tests/unit/vmcs12_bytes.h"
#include "vmx/nested/msr_lists.h"

#define REQUIRE(condition)       \
	do {                     \
		if (!(condition)) \
			abort(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef bool check_function(const struct entry_context *context, struct entry_failure *failure);

static struct builder builder;

static void sanitize(void)
{
	static struct vmcs12 once;

	vmcs12_sanitize(&builder.vmcs12);
	once = builder.vmcs12;
	vmcs12_sanitize(&builder.vmcs12);
	REQUIRE(memcmp(&once, &builder.vmcs12, sizeof(once)) == 0);
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++)
		REQUIRE((once.fields.value[i] & ~vmcs_width_mask(vmcs_fields[i].field.encoding)) == 0);
}

static bool verdict(check_function *check)
{
	static struct vmcs12 before;
	struct entry_failure first = { .rule = NULL }, second = { .rule = NULL };
	bool passed;

	before = builder.vmcs12;
	passed = check(&builder.context, &first);
	REQUIRE(check(&builder.context, &second) == passed);
	REQUIRE(memcmp(&before, &builder.vmcs12, sizeof(before)) == 0);
	if (!passed) {
		REQUIRE(first.rule == second.rule && first.rule != NULL && first.section != NULL);
		REQUIRE(first.value == vmcs12_get(&builder.vmcs12, first.field));
		REQUIRE(first.qualification == 0 || (first.qualification >= 2 && first.qualification <= 4));
	}
	return passed;
}

static bool within_width(u64 address)
{
	return address < UINT64_C(1) << BUILDER_PHYSICAL_BITS;
}

/* What passed may be merged: nothing that L1 was not offered, no address out of reach. */
static void promises_of_controls(void)
{
	const struct vmcs12 *vmcs12 = &builder.vmcs12;
	u64 count = vmcs12_get(vmcs12, VMCS_ENTRY_MSR_LOAD_COUNT);

	for (u32 word = 0; word < CONTROL_WORD_COUNT; word++) {
		u32 value = vmcs12_control(vmcs12, word);

		if (word == WORD_PROC2 && !vmcs12_has(vmcs12, WORD_PROC, PROC_ACTIVATE_SECONDARY_CONTROLS))
			continue;
		REQUIRE((value & ~builder.offered.control[word].may_be_1) == 0);
	}
	REQUIRE(count <= MSR_LIST_MAX && vmcs12_get(vmcs12, VMCS_EXIT_MSR_STORE_COUNT) <= MSR_LIST_MAX);
	if (count != 0)
		REQUIRE(within_width(vmcs12_get(vmcs12, VMCS_ENTRY_MSR_LOAD_ADDRESS) + count * 16 - 1));
	if (vmcs12_has(vmcs12, WORD_PROC, PROC_USE_IO_BITMAPS))
		REQUIRE(within_width(vmcs12_get(vmcs12, VMCS_IO_BITMAP_A_ADDRESS)));
	if (vmcs12_has(vmcs12, WORD_PROC, PROC_USE_TPR_SHADOW))
		REQUIRE((vmcs12_get(vmcs12, VMCS_VIRTUAL_APIC_ADDRESS) & PAGE_MASK) == 0);
	if (vmcs12_has(vmcs12, WORD_PROC2, PROC2_ENABLE_EPT))
		REQUIRE(check_is_eptp_valid(&builder.offered, vmcs12_get(vmcs12, VMCS_EPT_POINTER)));
}

static void promises_of_guest(void)
{
	const struct vmcs12 *vmcs12 = &builder.vmcs12;
	u64 cr0 = vmcs12_get(vmcs12, VMCS_GUEST_CR0), cr4 = vmcs12_get(vmcs12, VMCS_GUEST_CR4);

	REQUIRE((cr4 & CR4_VMXE) != 0 && (cr0 & CR0_NE) != 0);
	REQUIRE((cr0 & CR0_PG) == 0 || (cr0 & CR0_PE) != 0);
	REQUIRE(within_width(vmcs12_get(vmcs12, VMCS_GUEST_CR3)));
	REQUIRE(vmcs12_get(vmcs12, VMCS_GUEST_ACTIVITY_STATE) <= 3);
	REQUIRE((vmcs12_get(vmcs12, VMCS_GUEST_TR_ACCESS_RIGHTS) & 0x1009f) >= 0x83);
	REQUIRE((vmcs12_get(vmcs12, VMCS_GUEST_RFLAGS) & RFLAGS_FIXED) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool controls_pass, guest_passes;

	vmcs12_from_bytes(&builder, data, size);
	sanitize();
	controls_pass = verdict(check_controls);
	(void)verdict(check_host);
	guest_passes = verdict(check_guest);
	if (controls_pass)
		promises_of_controls();
	if (controls_pass && guest_passes)
		promises_of_guest();
	return 0;
}
