/* SPDX-License-Identifier: MIT */
/* The local APIC in whichever mode the firmware left it. */
#pragma once

#include "tests/guests/lib/types.h"

#define APIC_TPR 0x080
#define APIC_EOI 0x0b0
#define APIC_SPURIOUS 0x0f0
#define APIC_ICR_LOW 0x300
#define APIC_ICR_HIGH 0x310
#define APIC_LVT_TIMER 0x320
#define APIC_TIMER_INITIAL 0x380
#define APIC_TIMER_DIVIDE 0x3e0

void apic_quiet(void);
void apic_end_of_interrupt(void);
void apic_self_interrupt(u8 vector);
void apic_self_nmi(void);
/* One interrupt after count ticks of the APIC's own clock. */
void apic_start_timer(u8 vector, u32 count);
