/* SPDX-License-Identifier: MIT */
/* The local APIC of the processor that calls, in whichever mode it is. */
#pragma once

#include "tests/guests/lib/types.h"

#define APIC_ID 0x020
#define APIC_TPR 0x080
#define APIC_EOI 0x0b0
#define APIC_SPURIOUS 0x0f0
#define APIC_ICR_LOW 0x300
#define APIC_ICR_HIGH 0x310
#define APIC_LVT_TIMER 0x320
#define APIC_TIMER_INITIAL 0x380
#define APIC_TIMER_DIVIDE 0x3e0

/* SDM "Interrupt Command Register (ICR)": fixed interrupts are just the vector and ICR_ASSERT. */
#define ICR_NMI (4u << 8)
#define ICR_INIT (5u << 8)
#define ICR_SIPI (6u << 8)
#define ICR_ASSERT (1u << 14)
#define ICR_SELF (1u << 18)
#define ICR_ALL_OTHERS (3u << 18)

/* Masks the 8259s too and takes what still waits. */
void apic_quiet(void);
/* The timer masked, the APIC enabled by software, no priority. */
void apic_prepare(void);

bool apic_has_x2apic(void);
bool apic_is_x2apic(void);
/* One way: there may be none back. */
void apic_enter_x2apic(void);
u32 apic_id(void);

/* Registers by their xAPIC offsets, in either mode. */
u32 apic_read(u32 offset);
void apic_write(u32 offset, u32 value);

/* Sends an interrupt to an APIC identifier; 0 with ICR_SELF or ICR_ALL_OTHERS. */
void apic_send(u32 to, u32 command);
void apic_end_of_interrupt(void);
void apic_self_interrupt(u8 vector);
void apic_self_nmi(void);
/* One interrupt after count ticks of the APIC's own clock. */
void apic_start_timer(u8 vector, u32 count);
/* One every count ticks, until stopped. */
void apic_start_periodic_timer(u8 vector, u32 count);
void apic_stop_timer(void);
