/* SPDX-License-Identifier: MIT */
/*
 * Stops the other CPUs of L0 through the local APIC, in whichever mode L1 has it.
 * SDM "Interrupt Command Register (ICR)". Only ever called by panic(); this CPU
 * does not run L1 again, so nothing of its APIC is put back.
 *
 * INIT makes a CPU exit that runs L1 or L2; in L0 it waits for the next entry, where
 * it exits at once. The wait-for-SIPI state blocks it: there a SIPI makes the CPU
 * exit, which is nothing to any other. Either exit finds that a panic is active.
 */
#include "boot/root/stop_cpus.h"

#include "arch/ops.h"
#include "arch/percpu.h"
#include "arch/x86.h"
#include "boot/handoff.h"
#include "boot/root/vmx_root.h"
#include "drivers/console.h"
#include "drivers/panic.h"
#include "vmx/ipi.h"

/* For the others to say their line, one after the other. */
#define STOP_PATIENCE 20000000u

static bool in_vmx_operation[HANDOFF_MAX_CPUS];

void stop_cpus_note(bool in_operation)
{
	__atomic_store_n(&in_vmx_operation[percpu()->index], in_operation, __ATOMIC_RELEASE);
}

static bool is_target(u32 index)
{
	return index != percpu()->index && __atomic_load_n(&in_vmx_operation[index], __ATOMIC_ACQUIRE);
}

/*
 * Enables the APIC where L1 has disabled it (it sends INIT and SIPI even while
 * SVR disables it), and brings it to x2APIC mode where an ID needs that. SDM
 * "x2APIC State Transitions". Returns what IA32_APIC_BASE holds then, 0 without an APIC.
 */
static u64 open_apic(u32 highest_id)
{
	u64 base;

	if (!rdmsr_safe(IA32_APIC_BASE, &base))
		return 0;
	if (!(base & APIC_BASE_ENABLED)) {
		base = (base & ~APIC_BASE_X2APIC) | APIC_BASE_ENABLED;
		if (!wrmsr_safe(IA32_APIC_BASE, base))
			return 0;
	}
	if (highest_id > XAPIC_ID_MAX && !(base & APIC_BASE_X2APIC) && wrmsr_safe(IA32_APIC_BASE, base | APIC_BASE_X2APIC))
		base |= APIC_BASE_X2APIC;
	return base;
}

static void send_to_all(const struct handoff *handoff, u64 base, u32 command)
{
	for (u32 i = 0; i < handoff->cpu_count; i++)
		if (is_target(i))
			ipi_send(base, handoff->cpus[i].apic_id, command);
}

static bool wait_for(u32 targets)
{
	for (u32 i = 0; i < STOP_PATIENCE && panic_stopped_count() < targets; i++)
		cpu_pause();
	return panic_stopped_count() >= targets;
}

/*
 * As long as the boot processor is not under Testudo, the loader waits for this CPU: the
 * firmware will reset it and wait for that too. VMX root operation would block the INIT.
 */
static void let_firmware_have_us(const struct handoff *handoff)
{
	for (u32 i = 0; i < handoff->cpu_count; i++)
		if (handoff->cpus[i].is_boot_processor && is_target(i))
			return;
	if (!handoff->cpus[percpu()->index].is_boot_processor && __atomic_load_n(&in_vmx_operation[percpu()->index], __ATOMIC_ACQUIRE))
		vmx_root_leave();
}

void stop_other_cpus(void)
{
	const struct handoff *handoff = percpu()->handoff;
	u32 targets = 0, highest_id = 0;
	u64 base;

	for (u32 i = 0; i < handoff->cpu_count; i++) {
		if (!is_target(i))
			continue;
		targets++;
		if (handoff->cpus[i].apic_id > highest_id)
			highest_id = handoff->cpus[i].apic_id;
	}
	if (targets == 0) {
		let_firmware_have_us(handoff);
		return;
	}
	base = open_apic(highest_id);
	if (base != 0) {
		send_to_all(handoff, base, IPI_INIT);
		if (!wait_for(targets)) {
			send_to_all(handoff, base, IPI_SIPI);
			(void)wait_for(targets);
		}
	}
	log_error("%u of %u other processors have stopped", panic_stopped_count(), targets);
	let_firmware_have_us(handoff);
}
