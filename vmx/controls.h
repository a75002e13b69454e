/* SPDX-License-Identifier: MIT */
/*
 * VMX control words and bits: what controls.def generates. Pure.
 */
#pragma once

#include "arch/compiler.h"
#include "arch/types.h"
#include "vmx/vmcs_field.h"

enum control_word { WORD_PIN, WORD_PROC, WORD_PROC2, WORD_EXIT, WORD_ENTRY, CONTROL_WORD_COUNT };

/* PIN_NMI_EXITING and so on, as masks. */
#define C(word, bit, name, need, offer, merge) static const u32 word##_##name = UINT32_C(1) << (bit);
#include "vmx/controls.def"
#undef C

/* The same masks as constant expressions, for tables. */
enum {
#define C(word, bit, name, need, offer, merge) BIT_OF_##word##_##name = bit,
#include "vmx/controls.def"
#undef C
};
#define CONTROL_MASK(word, name) (UINT32_C(1) << BIT_OF_##word##_##name)

enum control_need { NEED_NO, NEED_WANT, NEED_MUST };
enum control_merge { MERGE_L1, MERGE_L0, MERGE_OR, MERGE_OFF, MERGE_FN };

struct control_info {
	u8 word;			/* enum control_word */
	u8 bit;
	u8 need;			/* enum control_need */
	u8 merge;			/* enum control_merge */
	bool offered;
	const char *name;
	const char *hidden_because;	/* NULL when offered */
};

extern const struct control_info controls[];
extern const u32 controls_count;

/* The VMCS field of a control word: here, for compilers to see through it where the word is known. */
static const vmcs_field control_fields[CONTROL_WORD_COUNT] = {
	[WORD_PIN] = VMCS_FIELD(PIN_BASED_CONTROLS),
	[WORD_PROC] = VMCS_FIELD(PROCESSOR_BASED_CONTROLS),
	[WORD_PROC2] = VMCS_FIELD(SECONDARY_PROCESSOR_BASED_CONTROLS),
	[WORD_EXIT] = VMCS_FIELD(EXIT_CONTROLS),
	[WORD_ENTRY] = VMCS_FIELD(ENTRY_CONTROLS),
};

/* And its name for people. */
extern const char *const control_word_names[CONTROL_WORD_COUNT];
