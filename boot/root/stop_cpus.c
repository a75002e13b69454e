/* SPDX-License-Identifier: MIT */
/*
 * Sends INIT to all but this CPU through the local APIC, in whichever mode L1
 * has it. SDM "Interrupt Command Register (ICR)". Only ever called by panic().
 */
#include "boot/root/stop_cpus.h"

#include "arch/ops.h"
#include "arch/percpu.h"
#include "arch/x86.h"
#include "boot/handoff.h"
#include "mm/phys.h"

#define APIC_BASE_X2APIC BIT(10)
#define APIC_BASE_ENABLED BIT(11)
#define APIC_BASE_ADDRESS BITS(51, 12)
#define APIC_ICR_LOW 0x300
#define X2APIC_ICR 0x830

#define ICR_INIT 0x500u
#define ICR_ASSERT 0x4000u
#define ICR_ALL_BUT_SELF 0xc0000u

void stop_other_cpus(void)
{
	const u32 command = ICR_ALL_BUT_SELF | ICR_ASSERT | ICR_INIT;
	u64 base;
	u8 *apic;

	if (percpu()->handoff->cpu_count < 2 || !rdmsr_safe(IA32_APIC_BASE, &base) || !(base & APIC_BASE_ENABLED))
		return;
	if (base & APIC_BASE_X2APIC) {
		(void)wrmsr_safe(X2APIC_ICR, command);
		return;
	}
	apic = phys_to_ptr(hpa(base & APIC_BASE_ADDRESS));
	if (apic != NULL)
		*(volatile u32 *)(void *)(apic + APIC_ICR_LOW) = command;
}
