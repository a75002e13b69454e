/* SPDX-License-Identifier: MIT */
/*
 * VMfail in words, once for each error and operand and then seldom, as with refused
 * VM entries. It changes nothing. SDM "VM Instruction Error Numbers".
 */

#include "vmx/handle_vmfail.h"

#include "drivers/console.h"
#include "vmx/nested/nested.h"
#include "vmx/nested/refusal.h"
#include "vmx/vmx_operand.h"

static void print(u32 error, const char *field, u64 operand, enum refusal_line line, u32 times)
{
	const char *reason = refusal_of_instruction(error);

	if (line == REFUSAL_AGAIN)
		log_debug("VMfail %u, %u times by now: %s", error, times, reason);
	else if (line == REFUSAL_WHOLE && field)
		log_debug("VMfail %u: %s (%s, 0x%lx) - SDM \"VM Instruction Error Numbers\"", error, reason, field, operand);
	else if (line == REFUSAL_WHOLE)
		log_debug("VMfail %u: %s - SDM \"VM Instruction Error Numbers\"", error, reason);
}

void handle_vmfail_explain(struct vcpu *vcpu, struct insn_result result)
{
	const struct vmcs_field_info *info = NULL;
	const char *field = NULL;
	u32 error = result.outcome == INSN_FAIL_VALID ? result.error : result.error_code;
	u64 operand = 0;
	u32 times;
	enum refusal_line line;

	/* Refused entries have been told with their rule. */
	if (!console_shows(LOG_DEBUG) || !vcpu->machine->handoff->show_refusals || error == VMERR_CONTROLS ||
	    error == VMERR_HOST_STATE)
		return;
	if (error == VMERR_UNSUPPORTED_FIELD || error == VMERR_READ_ONLY_FIELD) {
		operand = operand_register(vcpu, operand_info(vcpu).reg2);
		info = vmcs_lookup(operand);
		field = info ? info->name : "no field of the SDM's";
	}
	line = refusal_repeated(&vcpu->nested->refusals, REFUSAL_OF_INSTRUCTION + error, operand, &times);
	print(error, field, operand, line, times);
}
