/* SPDX-License-Identifier: MIT */
/*
 * When may an NMI or INIT that L0 holds reach the guest that is about to be
 * entered? By the SDM's order and blocking, on what the VMCS has. Decides only;
 * vmx/nmi.c carries it out. Pure.
 */
#pragma once

#include "vmx/nested/vmcs12.h"

/* What the VMCS about to be entered says. SDM "Guest Non-Register State", "VM-Entry Controls for Event Injection". */
struct delivery_state {
	u64 activity;
	u64 injection;			/* VM-entry interruption information */
	u64 interruptibility;
	u64 pending_debug;
};

enum delivery {
	DELIVERY_HELD,		/* blocked until something else happens that L0 sees */
	DELIVERY_NOW,		/* injected by this entry */
	DELIVERY_AT_WINDOW,	/* as soon as an NMI-window exit says */
	DELIVERY_LEAVE		/* an exit to L1 before L2's first instruction */
};

/* An NMI for the guest that takes its NMIs itself: L1, or an L2 without NMI exiting. */
enum delivery delivery_of_nmi(const struct delivery_state *state);

/* An NMI while L2 runs, which `vmcs12` may want as an exit. */
enum delivery delivery_of_nmi_in_l2(const struct vmcs12 *vmcs12, const struct delivery_state *state);

/* Interruptibility to enter with while the window is open: it needs virtual NMIs, which forbid one state that is right without. */
u64 delivery_blocking_with_window(const struct delivery_state *state);

/* Interruptibility once the window has come. */
u64 delivery_blocking_after_window(u64 interruptibility);

/* An INIT that waits while L1 enters L2. */
enum delivery delivery_of_init_in_l2(const struct delivery_state *state);

/* Does the entry deliver an event through the IDT? SDM "Special Features of VM Entry". */
bool delivery_is_vectoring(const struct delivery_state *state);
