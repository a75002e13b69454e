/* SPDX-License-Identifier: MIT */
/*
 * The local APIC, SDM "Advanced Programmable Interrupt Controller (APIC)":
 * by MSR in x2APIC mode, by memory otherwise. The firmware's timers are
 * masked, so that every interrupt a scenario sees is its own.
 * Each function works on the APIC of the processor that calls it.
 */
#include "tests/guests/lib/apic.h"

#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/x86.h"

#define APIC_BASE_X2APIC BIT(10)
#define APIC_BASE_ENABLE BIT(11)
#define ICR_PENDING (1u << 12)
#define LVT_MASKED (1u << 16)
#define LVT_PERIODIC (1u << 17)

bool apic_is_x2apic(void)
{
	return rdmsr(IA32_APIC_BASE) & APIC_BASE_X2APIC;
}

static volatile u32 *mmio(u32 offset)
{
	return (volatile u32 *)((rdmsr(IA32_APIC_BASE) & 0xfffff000ull) + offset);
}

void apic_write(u32 offset, u32 value)
{
	if (apic_is_x2apic())
		wrmsr(IA32_X2APIC_BASE + offset / 16, value);
	else
		*mmio(offset) = value;
}

u32 apic_read(u32 offset)
{
	return apic_is_x2apic() ? (u32)rdmsr(IA32_X2APIC_BASE + offset / 16) : *mmio(offset);
}

/* Masks both 8259s and the APIC timer, and takes whatever still waits. */
void apic_quiet(void)
{
	out8(0x21, 0xff);
	out8(0xa1, 0xff);
	apic_prepare();
	for (u32 i = 0; i < 16; i++)
		open_interrupt_window();
}

void apic_prepare(void)
{
	apic_write(APIC_LVT_TIMER, apic_read(APIC_LVT_TIMER) | LVT_MASKED);
	apic_write(APIC_SPURIOUS, apic_read(APIC_SPURIOUS) | 0x1ff);
	apic_write(APIC_TPR, 0);
}

bool apic_has_x2apic(void)
{
	return cpuid(1, 0).ecx & BIT(21);
}

/*
 * SDM "x2APIC State Transitions": the way back leads through disabled, and a
 * processor may leave that by a reset only. Bochs does so.
 */
void apic_enter_x2apic(void)
{
	wrmsr(IA32_APIC_BASE, rdmsr(IA32_APIC_BASE) | APIC_BASE_ENABLE | APIC_BASE_X2APIC);
	apic_prepare();
}

u32 apic_id(void)
{
	return apic_is_x2apic() ? apic_read(APIC_ID) : apic_read(APIC_ID) >> 24;
}

static void wait_delivered(void)
{
	for (u32 i = 0; i < 100000 && (apic_read(APIC_ICR_LOW) & ICR_PENDING); i++)
		__builtin_ia32_pause();
}

/* A write to the x2APIC's command register does not wait for stores before it. */
void apic_send(u32 to, u32 command)
{
	if (apic_is_x2apic()) {
		__asm__ volatile("mfence; lfence" : : : "memory");
		wrmsr(IA32_X2APIC_BASE + APIC_ICR_LOW / 16, ((u64)to << 32) | command);
		return;
	}
	wait_delivered();
	apic_write(APIC_ICR_HIGH, to << 24);
	apic_write(APIC_ICR_LOW, command);
	wait_delivered();
}

void apic_end_of_interrupt(void)
{
	apic_write(APIC_EOI, 0);
}

static void send_self(u32 command)
{
	apic_write(APIC_ICR_LOW, command | ICR_SELF);
	for (u32 i = 0; i < 1000 && !apic_is_x2apic() && (apic_read(APIC_ICR_LOW) & ICR_PENDING); i++)
		;
}

void apic_self_interrupt(u8 vector)
{
	send_self(vector);
}

/* The self shorthand may not carry an NMI: addressed by APIC identifier. */
void apic_self_nmi(void)
{
	apic_send(apic_id(), ICR_NMI | ICR_ASSERT);
}

void apic_start_timer(u8 vector, u32 count)
{
	apic_write(APIC_TIMER_DIVIDE, 0xb);
	apic_write(APIC_LVT_TIMER, vector);
	apic_write(APIC_TIMER_INITIAL, count);
}

void apic_start_periodic_timer(u8 vector, u32 count)
{
	apic_write(APIC_TIMER_DIVIDE, 0xb);
	apic_write(APIC_LVT_TIMER, vector | LVT_PERIODIC);
	apic_write(APIC_TIMER_INITIAL, count);
}

void apic_stop_timer(void)
{
	apic_write(APIC_TIMER_INITIAL, 0);
	apic_write(APIC_LVT_TIMER, LVT_MASKED);
}
