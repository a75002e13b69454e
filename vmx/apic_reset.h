/* SPDX-License-Identifier: MIT */
/*
 * This CPU's local APIC as INIT leaves it. An INIT that becomes a VM exit does not
 * touch the APIC, so L0 does. In xAPIC and x2APIC mode alike; INIT keeps the mode.
 */
#pragma once

/* Interrupts off, in VMX root operation. SDM "Local APIC State After It Receives an INIT Reset". */
void apic_reset(void);
