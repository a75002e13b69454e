/* SPDX-License-Identifier: MIT */
/*
 * Sends INIT to the other CPUs of L0 through the local APIC, in whichever mode L1
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
#define APIC_ICR_HIGH 0x310
#define X2APIC_ICR 0x830

#define ICR_INIT 0x500u
#define ICR_ASSERT 0x4000u
#define ICR_SEND_PENDING 0x1000u
#define ICR_PATIENCE 1000000u

static bool in_vmx_operation[HANDOFF_MAX_CPUS];

void stop_cpus_note(bool in_operation)
{
	__atomic_store_n(&in_vmx_operation[percpu()->index], in_operation, __ATOMIC_RELEASE);
}

static void send_by_memory(u8 *apic, u32 apic_id, u32 command)
{
	volatile u32 *low = (volatile u32 *)(void *)(apic + APIC_ICR_LOW);

	for (u32 i = 0; i < ICR_PATIENCE && (*low & ICR_SEND_PENDING); i++)
		cpu_pause();
	*(volatile u32 *)(void *)(apic + APIC_ICR_HIGH) = apic_id << 24;
	*low = command;
}

void stop_other_cpus(void)
{
	const struct handoff *handoff = percpu()->handoff;
	const u32 command = ICR_ASSERT | ICR_INIT;
	u64 base;
	u8 *apic;

	if (!rdmsr_safe(IA32_APIC_BASE, &base) || !(base & APIC_BASE_ENABLED))
		return;
	apic = phys_to_ptr(hpa(base & APIC_BASE_ADDRESS));
	for (u32 i = 0; i < handoff->cpu_count; i++) {
		u32 apic_id = handoff->cpus[i].apic_id;

		if (i == percpu()->index || !__atomic_load_n(&in_vmx_operation[i], __ATOMIC_ACQUIRE))
			continue;
		if (base & APIC_BASE_X2APIC)
			(void)wrmsr_safe(X2APIC_ICR, (u64)apic_id << 32 | command);
		else if (apic != NULL)
			send_by_memory(apic, apic_id, command);
	}
}
