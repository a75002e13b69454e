/* SPDX-License-Identifier: MIT */
/*
 * This CPU's local APIC as INIT leaves it. An INIT that becomes a VM exit does not
 * touch the APIC, so L0 does. In xAPIC and x2APIC mode alike; INIT keeps the mode.
 * Interrupts off, in VMX root operation.
 */
#pragma once

/* Once, on a CPU that has L0's IDT, before any other function here is used. */
void apic_reset_prepare(void);

/* One register write: from here on the APIC takes no interrupt, and its own sources are masked. */
void apic_disable(void);

/* The rest, which takes long. SDM "Local APIC State After It Receives an INIT Reset". */
void apic_reset(void);
