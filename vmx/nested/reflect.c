/* SPDX-License-Identifier: MIT */
/* The reflection rules of exits.def, and the callbacks behind ASK(). */

#include "vmx/nested/reflect.h"

#include "arch/x86.h"
#include "vmx/events.h"
#include "vmx/msr_bitmap.h"
#include "vmx/nested/task_priority.h"

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
	if (!question->exit)
		return OWNER_UNDECIDED;
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
	if (likely(!question->watches_tpr))
		return OWNER_L1;
	if (!question->exit)
		return OWNER_UNDECIDED;
	if (!task_priority_is_move_to_cr8(question->exit->qualification))
		return OWNER_L1;
	return vmcs12_has(question->vmcs12, WORD_PROC, PROC_CR8_LOAD_EXITING) ? OWNER_L1 : OWNER_L0;
}

/* SDM "MSR-Bitmap Address": without one, and of an MSR that it does not cover, every access exits. */
static enum reflect_owner msr_owner(const struct reflect_question *question)
{
	if (!vmcs12_has(question->vmcs12, WORD_PROC, PROC_USE_MSR_BITMAPS))
		return OWNER_L1;
	return question->exit && !msr_bitmap_covers(question->msr) ? OWNER_L1 : OWNER_BITMAPS;
}

static enum reflect_owner ask_rdmsr(const struct reflect_question *question)
{
	return msr_owner(question);
}

static enum reflect_owner ask_wrmsr(const struct reflect_question *question)
{
	return msr_owner(question);
}

/* With bitmaps, such an access always exits. */
static bool wraps_around(u64 qualification)
{
	u32 port = (u32)field_get(qualification, BITS(31, 16)), size = (u32)field_get(qualification, BITS(2, 0)) + 1;

	return port + size > 0x10000;
}

/* SDM "Instructions That Cause VM Exits Conditionally", IN and OUT. Where L0 watches no port, L2 runs with L1's own bitmaps. */
static enum reflect_owner ask_io(const struct reflect_question *question)
{
	if (!question->watches_ports)
		return OWNER_L1;
	if (!vmcs12_has(question->vmcs12, WORD_PROC, PROC_USE_IO_BITMAPS))
		return vmcs12_has(question->vmcs12, WORD_PROC, PROC_UNCONDITIONAL_IO_EXITING) ? OWNER_L1 : OWNER_L0;
	return question->exit && wraps_around(question->exit->qualification) ? OWNER_L1 : OWNER_BITMAPS;
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

static enum reflect_owner answer(const struct reflect_rule *rule, const struct reflect_question *question)
{
	switch ((enum rule_kind)rule->kind) {
	case RULE_L0: return OWNER_L0;
	case RULE_IF: return vmcs12_has(question->vmcs12, (enum control_word)rule->word, rule->control) ? OWNER_L1 : OWNER_L0;
	case RULE_ASK: return rule->ask(question);
	case RULE_L1:
	case RULE_NONE: break;
	}
	return OWNER_L1;
}

enum reflect_owner reflect(const struct reflect_question *question)
{
	u16 basic = question->exit->basic;

	if (!reflect_is_known(basic) || question->exit->entry_failure)
		return OWNER_L1;
	return answer(&rules[basic], question);
}

enum reflect_owner reflect_standing(const struct reflect_question *question, u32 basic)
{
	struct reflect_question standing = *question;

	standing.exit = NULL;
	return reflect_is_known(basic) ? answer(&rules[basic], &standing) : OWNER_L0;
}
