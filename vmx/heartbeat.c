/* SPDX-License-Identifier: MIT */
/* See vmx/heartbeat.h. merge.c brings it into vmcs02, handle_misc.c winds it up again. */
#include "vmx/heartbeat.h"

#include "vmx/machine.h"

#define TIMER_RATE 0x1f		/* SDM "Miscellaneous Data": the timer counts when this bit of the TSC changes */

u32 heartbeat_value(const struct vmx_caps *hardware)
{
	u64 value = HEARTBEAT_TICKS >> (hardware->misc & TIMER_RATE);

	if (!caps_allow(hardware, WORD_PIN, PIN_ACTIVATE_PREEMPTION_TIMER) || !caps_allow(hardware, WORD_EXIT, EXIT_SAVE_PREEMPTION_TIMER))
		return 0;
	return value == 0 ? 1 : (u32)value;
}

void heartbeat_begin(struct vcpu *vcpu)
{
	const struct vmcs *v = &vcpu->vmcs01;

	if (vcpu->machine->heartbeat == 0)
		return;
	vmcs_write(v, VMCS_PIN_BASED_CONTROLS, vmcs_read(v, VMCS_PIN_BASED_CONTROLS) | PIN_ACTIVATE_PREEMPTION_TIMER);
	vmcs_write(v, VMCS_EXIT_CONTROLS, vmcs_read(v, VMCS_EXIT_CONTROLS) | EXIT_SAVE_PREEMPTION_TIMER);
	vmcs_write(v, VMCS_PREEMPTION_TIMER_VALUE, vcpu->machine->heartbeat);
}
