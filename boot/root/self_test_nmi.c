/* SPDX-License-Identifier: MIT */
/*
 * Sends this processor an NMI while it is in root mode: see
 * boot/root/self_test_nmi.h. L1 is the firmware about to go on, so the handler
 * is put into memory the firmware has free, and into its IDT. Self tests only.
 */
#include "boot/root/self_test_nmi.h"

#include "arch/ops.h"
#include "arch/string.h"
#include "arch/x86.h"
#include "boot/handoff.h"
#include "mm/phys.h"

#define EFI_CONVENTIONAL_MEMORY 7

/* SDM "Local APIC Register Address Map", "Interrupt Command Register (ICR)". */
#define APIC_ID 0x20
#define APIC_ICR_LOW 0x300
#define APIC_ICR_HIGH 0x310
#define ICR_NMI 0x400u
#define ICR_ASSERT 0x4000u

#define PATIENCE 1000000u

/* self_test_handler.asm: position-independent. */
extern hidden const u8 self_test_handler[], self_test_handler_end[];

/* The last page of the firmware's largest free range below 4 GB; 0 without any. */
static u64 free_page(const struct handoff *handoff)
{
	u64 size = 0, page = 0;

	for (u32 i = 0; i < handoff->range_count; i++) {
		const struct handoff_range *range = &handoff->ranges[i];
		u64 end = range->base + range->size;

		if (range->type != EFI_CONVENTIONAL_MEMORY || range->size <= size || end > BIT(32))
			continue;
		/* The map may be from before the block was reserved. */
		if (end > handoff->block_base && range->base < handoff->block_base + handoff->block_size)
			end = handoff->block_base;
		if (end < range->base + PAGE_SIZE)
			continue;
		size = range->size;
		page = end - PAGE_SIZE;
	}
	return page;
}

static bool give_handler(const struct cpu_area *area)
{
	u64 page = free_page(area->cpu.handoff);
	struct gate *gate = phys_to_ptr(hpa(area->firmware.idtr.base + VECTOR_NMI * sizeof(struct gate)));
	void *code = phys_to_ptr(hpa(page));

	if (page == 0 || gate == NULL || code == NULL)
		return false;
	memcpy(code, self_test_handler, (size_t)(self_test_handler_end - self_test_handler));
	gate->offset_low = (u16)page;
	gate->offset_middle = (u16)(page >> 16);
	gate->offset_high = (u32)(page >> 32);
	return true;
}

bool self_test_nmi(struct cpu_area *area)
{
	volatile u32 *noted = &area->cpu.nmi_pending;
	u8 *apic = phys_to_ptr(hpa(rdmsr(IA32_APIC_BASE) & BITS(51, 12)));

	if (apic == NULL || *noted || !give_handler(area))
		return false;
	*(volatile u32 *)(void *)(apic + APIC_ICR_HIGH) = *(volatile u32 *)(void *)(apic + APIC_ID);
	*(volatile u32 *)(void *)(apic + APIC_ICR_LOW) = ICR_NMI | ICR_ASSERT;
	for (u32 i = 0; i < PATIENCE && !*noted; i++)
		cpu_pause();
	return *noted != 0;
}
