// SPDX-License-Identifier: MIT
/*
 * A port access of the guest, as the kernel reports it in the shared page.
 */
#include "vmm.h"

struct port_access port_access(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	return (struct port_access){
		.port = run->io.port,
		.is_write = run->io.direction == KVM_EXIT_IO_OUT,
		.size = run->io.size,
		.count = run->io.count,
		.data = (uint8_t *)run + run->io.data_offset,
	};
}
