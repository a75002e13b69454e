/* SPDX-License-Identifier: MIT */
/*
 * What every handler needs to carry out an instruction in the guest's place:
 * step over it, or raise an exception. Works on the VMCS that runs, be it L1's or
 * vmcs02.
 */
#pragma once

#include "vmx/events.h"
#include "vmx/exit.h"
#include "vmx/vcpu.h"

/* Steps over the instruction that exited, as its completion would. */
void emulate_advance(struct vcpu *vcpu);

/* After the IN or OUT: a breakpoint on these ports is due. SDM "Debug Registers". */
void emulate_port_breakpoints(struct vcpu *vcpu, u16 port, u32 size);

/* Raises an exception (error code where the vector has one) instead. */
void emulate_exception(struct vcpu *vcpu, u8 vector, u32 error_code);

/* #PF with its address. */
void emulate_page_fault(struct vcpu *vcpu, u64 address, u32 error_code);

/* This event, unless another is being injected. */
void emulate_reinject_event(struct vcpu *vcpu, u64 vectoring);

/*
 * An event whose delivery the exit interrupted is delivered again, unless another
 * is being injected. SDM "Information for VM Exits That Occur During Event Delivery".
 */
static inline void emulate_reinject(struct vcpu *vcpu)
{
	u64 vectoring = vmcs_read(vcpu->running, VMCS_IDT_VECTORING_INFORMATION);

	if (unlikely(vectoring & INTERRUPTION_VALID))
		emulate_reinject_event(vcpu, vectoring);
}

/* An exit in IRET unblocked NMIs although IRET did not complete: block them again. */
void emulate_keep_nmi_blocking(struct vcpu *vcpu, const struct vm_exit *exit);

/* The guest's privilege level. */
u8 emulate_cpl(const struct vcpu *vcpu);
