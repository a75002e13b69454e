/* SPDX-License-Identifier: MIT */
/* See vmx/nested/threshold.h; vmx/nested/task_priority.c decides. SDM "TPR Virtualization", "VM-Execution Control Fields". */

#include "vmx/nested/threshold.h"

#include "vmx/nested/nested.h"
#include "vmx/nested/task_priority.h"

bool threshold_yields(struct vcpu *vcpu)
{
	struct nested *nested = vcpu->nested;
	const struct vmcs12 *vmcs12 = nested->current->vmcs12;
	u8 priority_class;

	if (!nested->resumed)
		return false;
	priority_class = task_priority_class(vmcs12, nested->memory);
	if (!task_priority_is_refused(vmcs12, priority_class) || vmcs_read(vcpu->running, VMCS_TPR_THRESHOLD) == priority_class)
		return false;
	nested->question.watches_tpr = true;
	nested->slow |= SLOW_FOR_TPR;
	nested_write(vcpu, VMCS_TPR_THRESHOLD, priority_class);
	nested_write(vcpu, VMCS_PROCESSOR_BASED_CONTROLS,
		     vmcs_read(vcpu->running, VMCS_PROCESSOR_BASED_CONTROLS) | PROC_CR8_LOAD_EXITING);
	bitmaps02_watch_tpr(nested);
	return true;
}

bool threshold_is_watched(const struct vcpu *vcpu)
{
	return nested_in_l2(vcpu) && vcpu->nested->question.watches_tpr;
}

void threshold_judge(struct vcpu *vcpu)
{
	static const struct vm_exit below = { .reason = EXIT_TPR_BELOW_THRESHOLD, .basic = EXIT_TPR_BELOW_THRESHOLD };
	const struct nested *nested = vcpu->nested;
	const struct vmcs12 *vmcs12 = nested->current->vmcs12;

	if (task_priority_is_refused(vmcs12, task_priority_class(vmcs12, nested->memory)))
		switch_leave_l2(vcpu, &below);
}

void threshold_forget(struct vcpu *vcpu)
{
	vcpu->nested->question.watches_tpr = false;
	vcpu->nested->slow &= (u8)~SLOW_FOR_TPR;
}
