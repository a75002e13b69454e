/* SPDX-License-Identifier: MIT */
/* The rules of vmx/nested/delivery.h. SDM "Priority Among Concurrent Events", "Interruptibility State" (of VM entry). */

#include "vmx/nested/delivery.h"

#include "vmx/events.h"

/* A trap that is due: BS, or a breakpoint that was enabled. SDM "Guest Non-Register State". */
#define PENDING_DEBUG_DUE (PENDING_DEBUG_BS | PENDING_DEBUG_ENABLED_BREAKPOINT | PENDING_DEBUG_RTM)

bool delivery_is_vectoring(const struct delivery_state *state)
{
	return (state->injection & INTERRUPTION_VALID) && interruption_type(state->injection) != INTERRUPTION_OTHER_EVENT;
}

enum delivery delivery_of_nmi(const struct delivery_state *state)
{
	const u64 blocking = INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS | INTERRUPTIBILITY_NMI;

	/* That state blocks NMIs, and VM entry refuses to inject one there. */
	if (state->activity == ACTIVITY_WAIT_FOR_SIPI)
		return DELIVERY_HELD;
	/* Debug traps come before NMIs, and an injection would drop them. */
	if ((state->injection & INTERRUPTION_VALID) || (state->interruptibility & blocking) ||
	    (state->pending_debug & PENDING_DEBUG_DUE))
		return DELIVERY_AT_WINDOW;
	return DELIVERY_NOW;
}

/*
 * An NMI may be injected where NMIs are blocked, but no virtual NMI: SDM "Checks on Guest
 * Non-Register State". Its delivery blocks them anyway.
 */
u64 delivery_blocking_with_window(const struct delivery_state *state)
{
	return interruption_is_nmi(state->injection) ? state->interruptibility & ~INTERRUPTIBILITY_NMI : state->interruptibility;
}

/*
 * STI may hold the window back, and need not: SDM "Other Causes of VM Exits". Where it does not, the window would come again
 * and again, before the instruction that ends that blocking, and VM entry may refuse to inject an NMI there.
 */
u64 delivery_blocking_after_window(u64 interruptibility)
{
	return interruptibility & ~INTERRUPTIBILITY_STI;
}

/* As it will be once the entry has delivered what it injects. */
static bool is_nmi_blocked(const struct delivery_state *state)
{
	return (state->interruptibility & INTERRUPTIBILITY_NMI) || interruption_is_nmi(state->injection);
}

enum delivery delivery_of_nmi_in_l2(const struct vmcs12 *vmcs12, const struct delivery_state *state)
{
	bool virtual_nmis = vmcs12_has(vmcs12, WORD_PIN, PIN_VIRTUAL_NMIS);

	if (!vmcs12_has(vmcs12, WORD_PIN, PIN_NMI_EXITING))
		return delivery_of_nmi(state);
	if (state->activity == ACTIVITY_WAIT_FOR_SIPI)
		return DELIVERY_HELD;
	if (!is_nmi_blocked(state))
		return DELIVERY_AT_WINDOW;
	/*
	 * Blocking by NMI is physical without virtual NMIs, and with NMI exiting IRET does not end it, so
	 * nothing that L2 does can: SDM "Changes to Instruction Behavior in VMX Non-Root Operation". With virtual
	 * NMIs it says nothing of physical ones.
	 */
	return virtual_nmis ? DELIVERY_LEAVE : DELIVERY_HELD;
}

enum delivery delivery_of_init_in_l2(const struct delivery_state *state)
{
	return state->activity == ACTIVITY_WAIT_FOR_SIPI ? DELIVERY_HELD : DELIVERY_LEAVE;
}
