/* SPDX-License-Identifier: MIT */
/*
 * EPT01 exits: of L1, or of an L2 that runs without EPT12. EPT01 maps everything,
 * so only addresses whose tables were not worth making at bring-up come here.
 */

#include "arch/x86.h"
#include "drivers/console.h"
#include "drivers/panic.h"
#include "vmx/emulate.h"
#include "vmx/ept01.h"
#include "vmx/exits.h"

static struct line_budget budget;	/* a guest can touch nothing as often as it likes */

void handle_ept_violation(struct vcpu *vcpu, const struct vm_exit *exit)
{
	u64 address = vmcs_read(vcpu->running, VMCS_GUEST_PHYSICAL_ADDRESS);

	if (ept01_map_more(vcpu->machine->ept01, l1_gpa(address))) {
		emulate_keep_nmi_blocking(vcpu, exit);
		return;
	}
	/*
	 * Departs from the bare processor, where reads of what is not there give ones: the address is beyond 48 bits,
	 * or L1 has touched more far regions than L0 has tables for.
	 */
	log_error_within(&budget, "nothing at 0x%lx: #GP (qualification 0x%lx)", address, exit->qualification);
	emulate_exception(vcpu, VECTOR_GP, 0);
}

void handle_ept_misconfiguration(struct vcpu *vcpu, const struct vm_exit *exit)
{
	(void)exit;
	panic("EPT01 is misconfigured at 0x%lx", vmcs_read(vcpu->running, VMCS_GUEST_PHYSICAL_ADDRESS));
}
