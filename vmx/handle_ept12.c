/* SPDX-License-Identifier: MIT */
/*
 * Accesses of L2 that EPT02 did not let pass: a mere miss is filled and L2 goes
 * on, EPT12's fault becomes L1's exit, in hardware's words. What EPT12 says is
 * found out by vmx/nested/ept02.c; this file carries it out.
 */

#include "vmx/handle_ept12.h"

#include "vmx/emulate.h"
#include "vmx/handle_functions.h"
#include "vmx/insn_info.h"
#include "vmx/nested/nested.h"
#include "vmx/nested/quick_switch.h"
#include "vmx/quick.h"

enum reflect_owner handle_ept12(struct vcpu *vcpu, struct vm_exit *exit)
{
	struct nested *nested = vcpu->nested;
	struct vmcs12 *vmcs12 = nested->current->vmcs12;
	bool logs = unlikely(vmcs12_has(vmcs12, WORD_PROC2, PROC2_ENABLE_PML));
	struct page_log log;
	struct ept02_result result;
	struct ept02_miss miss = {
		.eptp12 = ept02_pointer12(vmcs12),
		.address = l2_gpa(vmcs_read(vcpu->running, VMCS_GUEST_PHYSICAL_ADDRESS)),
		.qualification = exit->qualification,
		.misconfiguration = exit->basic != EXIT_EPT_VIOLATION,
		.spptp12 = ept02_spp_pointer12(vmcs12),
	};

	if (logs) {
		log = page_log_of(vmcs12);
		miss.log = &log;
	}
	result = ept02_handle(&nested->ept02, &miss);
	if (logs)
		page_log_save(&log, vmcs12);
	switch (result.outcome) {
	case EPT02_FILLED:
		count(COUNTER_EPT02_FILLS);
		emulate_keep_nmi_blocking(vcpu, exit);
		return OWNER_L0;
	case EPT02_VIOLATION:
		exit->basic = EXIT_EPT_VIOLATION;
		exit->qualification = result.qualification;
		if (unlikely(vmcs12_has(vmcs12, WORD_PROC2, PROC2_EPT_VIOLATION_VE)) &&
		    handle_virtualization_exception(vcpu, exit, result.entry))
			return OWNER_L0;
		break;
	case EPT02_MISCONFIGURED:
		exit->basic = EXIT_EPT_MISCONFIGURATION;
		exit->qualification = 0;
		break;
	case EPT02_LOG_FULL:
		exit->basic = EXIT_PML_FULL;
		exit->qualification = result.qualification;
		break;
	case EPT02_SPP_EVENT:
		exit->basic = EXIT_SPP_EVENT;
		exit->qualification = result.qualification;
		break;
	}
	exit->reason = (exit->reason & ~EXIT_REASON_BASIC) | exit->basic; /* enclave mode stays */
	return OWNER_L1;
}

/* --- the quick way -------------------------------------------------------------- */

/* Controls with which a violation has to be judged in full: a fetch that depends on the mode; #VE. */
#define JUDGED_IN_FULL (PROC2_MODE_BASED_EXECUTE | PROC2_EPT_VIOLATION_VE)

static u64 leave_with(struct vcpu *vcpu, const struct vm_exit *exit)
{
	if (likely(quick_may_leave(vcpu->nested)))
		return quick_leave_with(vcpu, exit);
	/* Asked once is enough: EPT02 is not the same afterwards. */
	switch_note_exit(vcpu);
	switch_leave_l2(vcpu, exit);
	vmcs_load(vcpu->running);
	return (u64)(uintptr_t)&vcpu->regs;
}

static noinline u64 ask_in_full(struct vcpu *vcpu, struct vm_exit *exit)
{
	u32 reason = exit->reason;

	switch_note_exit(vcpu); /* it may become an exit that takes the long way */
	if (handle_ept12(vcpu, exit) == OWNER_L0)
		return quick_go_on(vcpu, reason);
	count_exit_reason(true, reason);
	return leave_with(vcpu, exit);
}

static noinline u64 filled(struct vcpu *vcpu, const struct vm_exit *exit)
{
	emulate_keep_nmi_blocking(vcpu, exit);
	return quick_go_on(vcpu, exit->reason);
}

u64 handle_ept12_quick(struct vcpu *vcpu, u32 reason)
{
	struct nested *nested = vcpu->nested;
	const struct vmcs12 *vmcs12 = nested->current->vmcs12;
	u64 qualification = vmcs_read_known(vcpu->running, VMCS_EXIT_QUALIFICATION);
	struct vm_exit exit = { .reason = reason, .basic = (u16)reason, .qualification = qualification };
	struct ept02_glance glance;

	count(COUNTER_VMREADS);
	if (unlikely(reason != EXIT_EPT_VIOLATION) || unlikely(vmcs12_control(vmcs12, WORD_PROC2) & JUDGED_IN_FULL))
		return ask_in_full(vcpu, &exit);
	count(COUNTER_VMREADS);
	glance = ept02_glance(&nested->ept02, vmcs12_get(vmcs12, VMCS_EPT_POINTER),
			      l2_gpa(vmcs_read_known(vcpu->running, VMCS_GUEST_PHYSICAL_ADDRESS)), qualification);
	if (likely(glance.outcome == EPT02_AT_ONCE_FILLED)) {
		count(COUNTER_EPT02_FILLS);
		return unlikely(qualification & QUALIFICATION_NMI_UNBLOCKING) ? filled(vcpu, &exit) : quick_go_on(vcpu, reason);
	}
	if (glance.outcome == EPT02_AT_ONCE_UNKNOWN)
		return ask_in_full(vcpu, &exit);
	count_exit_reason(true, reason);
	/* It mostly is what hardware has recorded. */
	if (likely(glance.qualification == qualification) && likely(quick_may_leave(nested)))
		return quick_leave(vcpu);
	exit.qualification = glance.qualification;
	return leave_with(vcpu, &exit);
}
