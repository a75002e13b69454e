/* SPDX-License-Identifier: MIT */
/*
 * Interrupt commands through this processor's local APIC, in whichever mode L1 has it. SDM "Interrupt
 * Command Register (ICR)". L1 may be in the middle of its own use of the same register.
 */
#pragma once

#include "arch/types.h"

#define IPI_INIT 0x4500u	/* with "assert" */
#define IPI_SIPI 0x4600u

#define APIC_BASE_X2APIC (UINT64_C(1) << 10)
#define APIC_BASE_ENABLED (UINT64_C(1) << 11)
#define XAPIC_ID_MAX 254u	/* 255 is everybody */

/* With this IA32_APIC_BASE: is there a way to a processor of that ID? */
bool ipi_reaches(u64 apic_base, u32 apic_id);

/* Does nothing where there is no way. */
void ipi_send(u64 apic_base, u32 apic_id, u32 command);

/*
 * The same for a processor that runs L1 again: it waits until the message is out, and the high half is L1's
 * again. What L1 reads of the low half is this command, which only a message could change.
 */
void ipi_send_kept(u64 apic_base, u32 apic_id, u32 command);
