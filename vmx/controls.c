/* SPDX-License-Identifier: MIT */
/*
 * The control table of controls.def as data. No policy: caps.c and merge.c read it. Pure.
 */
#include "vmx/controls.h"

#define OFFER .offered = true, .hidden_because = NULL
#define HIDE(why) .offered = false, .hidden_because = why

const struct control_info controls[] = {
#define C(control_word, bit_number, control_name, l0_need, offer, merge_rule)                                         \
	{ .word = WORD_##control_word, .bit = bit_number, .need = NEED_##l0_need, .merge = MERGE_##merge_rule,         \
	  .name = #control_word "_" #control_name, offer },
#include "vmx/controls.def"
#undef C
};

const u32 controls_count = array_size(controls);

const char *const control_word_names[CONTROL_WORD_COUNT] = {
	[WORD_PIN] = "pin-based VM-execution controls",
	[WORD_PROC] = "primary processor-based VM-execution controls",
	[WORD_PROC2] = "secondary processor-based VM-execution controls",
	[WORD_EXIT] = "VM-exit controls",
	[WORD_ENTRY] = "VM-entry controls",
};
