/* SPDX-License-Identifier: MIT */
/*
 * Interruption-information words: VM-entry interruption information, VM-exit
 * interruption information and IDT-vectoring information share one layout.
 * SDM "VM-Entry Controls for Event Injection". Pure.
 */
#pragma once

#include "arch/bits.h"

#define INTERRUPTION_VECTOR BITS(7, 0)
#define INTERRUPTION_TYPE BITS(10, 8)
#define INTERRUPTION_DELIVER_ERROR_CODE BIT(11)
#define INTERRUPTION_NMI_UNBLOCKING BIT(12)	/* VM exit only */
#define INTERRUPTION_VALID BIT(31)

enum interruption_type {
	INTERRUPTION_EXTERNAL = 0,
	INTERRUPTION_NMI = 2,
	INTERRUPTION_HARDWARE_EXCEPTION = 3,
	INTERRUPTION_SOFTWARE_INTERRUPT = 4,
	INTERRUPTION_PRIVILEGED_SOFTWARE_EXCEPTION = 5,
	INTERRUPTION_SOFTWARE_EXCEPTION = 6,
	INTERRUPTION_OTHER_EVENT = 7
};

/* Guest interruptibility state. SDM "Guest Non-Register State". */
#define INTERRUPTIBILITY_STI BIT(0)
#define INTERRUPTIBILITY_MOV_SS BIT(1)
#define INTERRUPTIBILITY_SMI BIT(2)
#define INTERRUPTIBILITY_NMI BIT(3)
#define INTERRUPTIBILITY_ENCLAVE BIT(4)

/* Guest activity state. */
enum { ACTIVITY_ACTIVE, ACTIVITY_HLT, ACTIVITY_SHUTDOWN, ACTIVITY_WAIT_FOR_SIPI };

/* Pending debug exceptions. SDM "Guest Non-Register State". */
#define PENDING_DEBUG_ENABLED_BREAKPOINT BIT(12)
#define PENDING_DEBUG_BS BIT(14)
#define PENDING_DEBUG_RTM BIT(16)

static inline enum interruption_type interruption_type(u64 information)
{
	return (enum interruption_type)field_get(information, INTERRUPTION_TYPE);
}

static inline bool interruption_is_nmi(u64 information)
{
	return (information & INTERRUPTION_VALID) && interruption_type(information) == INTERRUPTION_NMI;
}

/* The NMI, injected or as the cause of an exit. */
#define EVENT_NMI (INTERRUPTION_VALID | (u64)INTERRUPTION_NMI << 8 | 2)

/* Does the event carry VM-entry instruction length (software interrupts and exceptions)? */
bool interruption_has_length(u64 information);

/* A hardware exception to inject; `error_code` only counts for vectors that have one. */
u32 event_exception(u8 vector);

/* Does this exception push an error code in protected mode? SDM "Exceptions and Interrupts". */
bool exception_has_error_code(u8 vector);
