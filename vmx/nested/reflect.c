/* SPDX-License-Identifier: MIT */
/* The reflection rules of exits.def, and the callbacks behind ASK(). */

#include "vmx/nested/reflect.h"

#include "arch/x86.h"
#include "vmx/events.h"
#include "vmx/msr_bitmap.h"
#include "vmx/nested/task_priority.h"
#include "vmx/sleep_guard.h"

typedef enum reflect_owner reflect_function(const struct reflect_question *question);

enum rule_kind { RULE_NONE, RULE_L0, RULE_L1, RULE_IF, RULE_ASK };

struct reflect_rule {
	u8 kind;		/* enum rule_kind */
	u8 word;		/* of a RULE_IF */
	u32 control;
	reflect_function *ask;
};

/* Exceptions exit from L2 only where L1 asked; L0 intercepts none. */
static enum reflect_owner ask_exception_or_nmi(const struct reflect_question *question)
{
	if (!interruption_is_nmi(question->exit->interruption_information))
		return OWNER_L1;
	return vmcs12_has(question->vmcs12, WORD_PIN, PIN_NMI_EXITING) ? OWNER_L1 : OWNER_L0;
}

/* L0 opens one only while it holds an NMI, and an NMI window exit goes before an NMI. */
static enum reflect_owner ask_nmi_window(const struct reflect_question *question)
{
	return vmcs12_has(question->vmcs12, WORD_PROC, PROC_NMI_WINDOW_EXITING) ? OWNER_L1 : OWNER_L0;
}

/* L0 intercepts MOV to CR8, now and then, where L1 does not. */
static enum reflect_owner ask_cr_access(const struct reflect_question *question)
{
	if (likely(!question->watches_tpr) || !task_priority_is_move_to_cr8(question->exit->qualification))
		return OWNER_L1;
	return vmcs12_has(question->vmcs12, WORD_PROC, PROC_CR8_LOAD_EXITING) ? OWNER_L1 : OWNER_L0;
}

static bool is_watched_tpr(const struct reflect_question *question, enum msr_access access)
{
	return question->watches_tpr && access == MSR_WRITE && question->msr == IA32_X2APIC_TPR && task_priority_has_msr(question->vmcs12);
}

/*
 * SDM "MSR-Bitmap Address", on L1's own bitmap. It is in L1's memory and may have
 * changed since hardware looked (L2 itself may do it, where L1 lets it): an exit
 * that L0 has no use for is L1's whatever the bitmap says by now, because L0 must
 * not carry out accesses to MSRs of which it has values of its own.
 */
static enum reflect_owner msr_owner(const struct reflect_question *question, enum msr_access access)
{
	u64 bitmap = vmcs12_get(question->vmcs12, VMCS_MSR_BITMAP_ADDRESS);
	u32 byte;
	u8 mask, content;

	if (!vmcs12_has(question->vmcs12, WORD_PROC, PROC_USE_MSR_BITMAPS) ||
	    !msr_bitmap_position(question->msr, access, &byte, &mask))
		return OWNER_L1;
	if (!(question->msr_bitmap01[byte / sizeof(u64)] >> byte % sizeof(u64) * 8 & mask) &&
	    !is_watched_tpr(question, access))
		return OWNER_L1;
	l1_read(question->memory, l1_gpa(bitmap + byte), &content, 1);
	return content & mask ? OWNER_L1 : OWNER_L0;
}

static enum reflect_owner ask_rdmsr(const struct reflect_question *question)
{
	return msr_owner(question, MSR_READ);
}

static enum reflect_owner ask_wrmsr(const struct reflect_question *question)
{
	return msr_owner(question, MSR_WRITE);
}

/* SDM "I/O-Bitmap Addresses", on L1's own bitmaps. */
static bool l1_wants_port(const struct reflect_question *question, u32 port)
{
	vmcs_field half = port & 0x8000 ? VMCS_IO_BITMAP_B_ADDRESS : VMCS_IO_BITMAP_A_ADDRESS;
	u8 content;

	l1_read(question->memory, l1_gpa(vmcs12_get(question->vmcs12, half) + (port & 0x7fff) / 8), &content, 1);
	return content >> port % 8 & 1;
}

/*
 * SDM "Instructions That Cause VM Exits Conditionally", IN and OUT. As with MSRs, L1's
 * bitmaps may have changed since: what L0 does not watch is L1's.
 */
static enum reflect_owner ask_io(const struct reflect_question *question)
{
	u64 qualification = question->exit->qualification;
	u32 port = (u32)field_get(qualification, BITS(31, 16)), size = (u32)field_get(qualification, BITS(2, 0)) + 1;

	if (question->io_bitmaps01 == NULL)
		return OWNER_L1;
	if (!vmcs12_has(question->vmcs12, WORD_PROC, PROC_USE_IO_BITMAPS))
		return vmcs12_has(question->vmcs12, WORD_PROC, PROC_UNCONDITIONAL_IO_EXITING) ? OWNER_L1 : OWNER_L0;
	/* With bitmaps, an access that wraps around always exits. */
	if (port + size > 0x10000 || !sleep_guard_exits(question->io_bitmaps01, (u16)port, size))
		return OWNER_L1;
	for (u32 i = 0; i < size; i++)
		if (l1_wants_port(question, port + i))
			return OWNER_L1;
	return OWNER_L0;
}

/* Without EPT12, L2's guest-physical addresses are L1's, and L0's EPT01 translates them. */
static enum reflect_owner ask_ept(const struct reflect_question *question)
{
	return vmcs12_has(question->vmcs12, WORD_PROC2, PROC2_ENABLE_EPT) ? OWNER_EPT12 : OWNER_L0;
}

/* With VMCS shadowing L1's bitmaps decide, which handle_vmread and handle_vmwrite look at. */
static enum reflect_owner ask_vmcs_access(const struct reflect_question *question)
{
	return vmcs12_has(question->vmcs12, WORD_PROC2, PROC2_VMCS_SHADOWING) ? OWNER_L0 : OWNER_L1;
}

#define L0 { .kind = RULE_L0 }
#define L1 { .kind = RULE_L1 }
#define IF(w, name) { .kind = RULE_IF, .word = WORD_##w, .control = w##_##name }
#define ASK(function) { .kind = RULE_ASK, .ask = ask_##function }
static const struct reflect_rule rules[] = {
#define X(number, name, handler, rule) [number] = rule,
#include "vmx/exits.def"
#undef X
};
#undef L0
#undef L1
#undef IF
#undef ASK

bool reflect_is_known(u32 basic)
{
	return basic < array_size(rules) && rules[basic].kind != RULE_NONE;
}

enum reflect_owner reflect(const struct reflect_question *question)
{
	u16 basic = question->exit->basic;
	const struct reflect_rule *rule;

	if (!reflect_is_known(basic) || question->exit->entry_failure)
		return OWNER_L1;
	rule = &rules[basic];
	switch ((enum rule_kind)rule->kind) {
	case RULE_L0: return OWNER_L0;
	case RULE_IF: return vmcs12_has(question->vmcs12, (enum control_word)rule->word, rule->control) ? OWNER_L1 : OWNER_L0;
	case RULE_ASK: return rule->ask(question);
	case RULE_L1:
	case RULE_NONE: break;
	}
	return OWNER_L1;
}
