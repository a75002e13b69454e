/* SPDX-License-Identifier: MIT */
/*
 * Accesses of L2 that EPT02 did not let pass: a mere miss is filled and L2 goes
 * on, EPT12's fault becomes L1's exit, in hardware's words. What EPT12 says is
 * found out by vmx/nested/ept02.c; this file carries it out.
 */

#include "vmx/handle_ept12.h"

#include "vmx/emulate.h"
#include "vmx/handle_functions.h"
#include "vmx/nested/nested.h"

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
