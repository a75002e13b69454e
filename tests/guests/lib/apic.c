/* SPDX-License-Identifier: MIT */
/*
 * The local APIC, SDM "Advanced Programmable Interrupt Controller (APIC)":
 * by MSR in x2APIC mode, by memory otherwise. The firmware's timers are
 * masked, so that every interrupt a scenario sees is its own.
 */
#include "tests/guests/lib/apic.h"

#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/x86.h"

#define APIC_BASE_X2APIC BIT(10)
#define ICR_SELF (1u << 18)
#define ICR_NMI (4u << 8)
#define ICR_PENDING (1u << 12)
#define LVT_MASKED (1u << 16)

static bool is_x2apic(void)
{
	return rdmsr(IA32_APIC_BASE) & APIC_BASE_X2APIC;
}

static volatile u32 *mmio(u32 offset)
{
	return (volatile u32 *)((rdmsr(IA32_APIC_BASE) & 0xfffff000ull) + offset);
}

static void write(u32 offset, u32 value)
{
	if (is_x2apic())
		wrmsr(IA32_X2APIC_BASE + offset / 16, value);
	else
		*mmio(offset) = value;
}

static u32 read(u32 offset)
{
	return is_x2apic() ? (u32)rdmsr(IA32_X2APIC_BASE + offset / 16) : *mmio(offset);
}

/* Masks both 8259s and the APIC timer, and takes whatever still waits. */
void apic_quiet(void)
{
	out8(0x21, 0xff);
	out8(0xa1, 0xff);
	write(APIC_LVT_TIMER, read(APIC_LVT_TIMER) | LVT_MASKED);
	write(APIC_SPURIOUS, read(APIC_SPURIOUS) | 0x1ff);
	write(APIC_TPR, 0);
	for (u32 i = 0; i < 16; i++)
		open_interrupt_window();
}

void apic_end_of_interrupt(void)
{
	write(APIC_EOI, 0);
}

static void send_self(u32 command)
{
	write(APIC_ICR_LOW, command | ICR_SELF);
	for (u32 i = 0; i < 1000 && !is_x2apic() && (read(APIC_ICR_LOW) & ICR_PENDING); i++)
		;
}

void apic_self_interrupt(u8 vector)
{
	send_self(vector);
}

/* The self shorthand may not carry an NMI: addressed by APIC identifier. */
void apic_self_nmi(void)
{
	u32 id = cpuid(1, 0).ebx >> 24;

	if (is_x2apic()) {
		wrmsr(IA32_X2APIC_BASE + APIC_ICR_LOW / 16, ((u64)id << 32) | ICR_NMI | BIT(14));
		return;
	}
	write(APIC_ICR_HIGH, id << 24);
	write(APIC_ICR_LOW, ICR_NMI | (1u << 14));
}

void apic_start_timer(u8 vector, u32 count)
{
	write(APIC_TIMER_DIVIDE, 0xb);
	write(APIC_LVT_TIMER, vector);
	write(APIC_TIMER_INITIAL, count);
}
