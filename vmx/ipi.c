/* SPDX-License-Identifier: MIT */
/* See vmx/ipi.h. Waiting is bounded: an APIC that never gets its message out costs time but no hang. */

#include "vmx/ipi.h"

#include "arch/bits.h"
#include "arch/ops.h"
#include "mm/phys.h"

#define APIC_BASE_ADDRESS BITS(51, 12)
#define APIC_ICR_LOW 0x300
#define APIC_ICR_HIGH 0x310
#define X2APIC_ICR 0x830
#define ICR_SEND_PENDING 0x1000u
#define ICR_PATIENCE 1000000u

static u8 *registers(u64 base)
{
	return phys_to_ptr(hpa(base & APIC_BASE_ADDRESS));
}

static volatile u32 *at(u8 *apic, u32 offset)
{
	return (volatile u32 *)(void *)(apic + offset);
}

static void wait_until_sent(u8 *apic)
{
	for (u32 i = 0; i < ICR_PATIENCE && (*at(apic, APIC_ICR_LOW) & ICR_SEND_PENDING); i++)
		cpu_pause();
}

bool ipi_reaches(u64 apic_base, u32 apic_id)
{
	if (!(apic_base & APIC_BASE_ENABLED))
		return false;
	/* In a register of 8 bits a larger ID would be somebody else's. */
	return (apic_base & APIC_BASE_X2APIC) || (apic_id <= XAPIC_ID_MAX && registers(apic_base) != NULL);
}

void ipi_send(u64 apic_base, u32 apic_id, u32 command)
{
	u8 *apic;

	if (!ipi_reaches(apic_base, apic_id))
		return;
	if (apic_base & APIC_BASE_X2APIC) {
		(void)wrmsr_safe(X2APIC_ICR, (u64)apic_id << 32 | command);
		return;
	}
	apic = registers(apic_base);
	wait_until_sent(apic);
	*at(apic, APIC_ICR_HIGH) = apic_id << 24;
	*at(apic, APIC_ICR_LOW) = command;
}

void ipi_send_kept(u64 apic_base, u32 apic_id, u32 command)
{
	u8 *apic;
	u32 high;

	if (!ipi_reaches(apic_base, apic_id) || (apic_base & APIC_BASE_X2APIC)) {
		ipi_send(apic_base, apic_id, command);
		return;
	}
	apic = registers(apic_base);
	high = *at(apic, APIC_ICR_HIGH);
	ipi_send(apic_base, apic_id, command);
	wait_until_sent(apic);
	*at(apic, APIC_ICR_HIGH) = high;
}
