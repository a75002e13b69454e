/* SPDX-License-Identifier: MIT */
/*
 * See vmx/nested/vmx_abort.h. A processor in the wait-for-SIPI state blocks all that the
 * VMX-abort shutdown state does, but SIPIs, which cause exits: handle_sipi() ignores them.
 */

#include "vmx/nested/vmx_abort.h"

#include "drivers/console.h"
#include "vmx/events.h"
#include "vmx/nested/nested.h"
#include "vmx/shutdown.h"

static const char *reason(enum vmx_abort indicator)
{
	switch (indicator) {
	case ABORT_SAVE_MSRS: return "the VM-exit MSR-store list";
	case ABORT_HOST_PDPTE: return "a PDPTE of the host's has a reserved bit set";
	case ABORT_LOAD_MSRS: return "the VM-exit MSR-load list";
	case ABORT_ADDRESS_SPACE_SIZE: return "the guest is in IA-32e mode and \"host address-space size\" is 0";
	case ABORT_NONE: break;
	}
	return "?";
}

/* Whatever L1's host state has become meanwhile, the processor takes it with that activity. */
static void shut_down(struct vcpu *vcpu)
{
	static const vmcs_field cleared[] = {
		VMCS_FIELD(ENTRY_MSR_LOAD_COUNT), VMCS_FIELD(ENTRY_INTERRUPTION_INFORMATION), VMCS_FIELD(GUEST_INTERRUPTIBILITY_STATE),
		VMCS_FIELD(GUEST_PENDING_DEBUG_EXCEPTIONS), VMCS_FIELD(GUEST_PDPTE0), VMCS_FIELD(GUEST_PDPTE1),
		VMCS_FIELD(GUEST_PDPTE2), VMCS_FIELD(GUEST_PDPTE3),
	};

	for (u32 i = 0; i < array_size(cleared); i++)
		vmcs_write(&vcpu->vmcs01, cleared[i], 0);
	vmcs_write(&vcpu->vmcs01, VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_WAIT_FOR_SIPI);
}

void vmx_abort(struct vcpu *vcpu, enum vmx_abort indicator)
{
	struct nested *nested = vcpu->nested;
	u32 value = indicator;

	/* Nothing else: "a VMX abort does not modify the VMCS data in the VMCS region of any active VMCS". */
	l1_write(nested->memory, l1_gpa(nested->current->address + offsetof(struct vmcs12, abort_indicator)), &value, sizeof(value));
	nested->slow |= SLOW_ABORTED;
	nested->exit_load_count = 0;
	nested->state = NESTED_ROOT_CURRENT;
	vcpu->running = &vcpu->vmcs01;
	vmcs_load(&vcpu->vmcs01);
	shut_down(vcpu);
	__atomic_store_n(&vcpu->cpu->waits_for_sipi, true, __ATOMIC_RELEASE);
	/* Once for each processor: it does not come back. */
	log_info("VMX abort %u of L1: %s; the processor is shut down until reset - SDM \"VMX Aborts\"", value, reason(indicator));
	/* SDM "Miscellaneous Data". The loader launches no second processor there, and the platform answers the only one's shutdown. */
	if (!(nested->hardware->misc & VMX_MISC_ACTIVITY_WAIT_FOR_SIPI))
		shutdown("VMX abort");
}
