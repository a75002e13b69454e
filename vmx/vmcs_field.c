/* SPDX-License-Identifier: MIT */
/*
 * The VMCS field table: what each row says, how an encoding finds its row,
 * and on which control its existence depends. The rows themselves are in
 * vmcs_fields.def; a repeated encoding or a class that disagrees with the
 * encoding's type does not compile. Pure.
 */
#include "vmx/caps.h"
#include "vmx/vmcs_field.h"

#define ENCODING_TYPE(encoding) (((encoding) >> 10) & 3)
#define ENCODING_WIDTH(encoding) (((encoding) >> 13) & 3)
#define ENCODING_BIT_0 1u	/* high half of a 64-bit field */

/* A row of another type than HOST or INFO may say so only when it is ABSENT or, for guest state, L0's. */
#define F(encoding, name, class, shadow, exists)                                                                      \
	static_assert(((encoding) & ~VMCS_ENCODING_BITS) == 0, #name ": its index does not fit the table of rows");                 \
	static_assert(((encoding) & ENCODING_BIT_0) == 0, #name ": the table lists full-width encodings");               \
	static_assert(CLASS_##class == CLASS_ABSENT ||                                                                \
			      (ENCODING_TYPE(encoding) == TYPE_HOST) == (CLASS_##class == CLASS_HOST),                 \
		      #name ": class HOST disagrees with the encoding's type");                                       \
	static_assert(CLASS_##class == CLASS_ABSENT ||                                                                \
			      (ENCODING_TYPE(encoding) == TYPE_READ_ONLY) == (CLASS_##class == CLASS_INFO),            \
		      #name ": class INFO disagrees with the encoding's type");                                       \
	static_assert(CLASS_##class != CLASS_GUEST || ENCODING_TYPE(encoding) == TYPE_GUEST,                           \
		      #name ": class GUEST disagrees with the encoding's type");                                      \
	static_assert(SHADOW_##shadow != SHADOW_RW || ENCODING_TYPE(encoding) != TYPE_READ_ONLY,                       \
		      #name ": a read-only field cannot be written through the shadow VMCS");
#include "vmx/vmcs_fields.def"
#undef F

const struct vmcs_field_info vmcs_fields[VMCS_FIELD_COUNT] = {
#define F(encoding, name, class, shadow, exists)                                                                      \
	[VMCS_INDEX_##name] = { VMCS_FIELD(name), CLASS_##class, SHADOW_##shadow, EXISTS_##exists, #name },
#include "vmx/vmcs_fields.def"
#undef F
};

/* A repeated encoding does not compile: an element would be initialized twice. Only 64-bit fields have a high half. */
const u8 vmcs_rows[VMCS_PLACES] = {
#define F(encoding, name, class, shadow, exists)        \
	[VMCS_PLACE(encoding)] = VMCS_INDEX_##name + 1, \
	[VMCS_PLACE((encoding) | ENCODING_BIT_0)] = ENCODING_WIDTH(encoding) == WIDTH_64 ? VMCS_INDEX_##name + 1 : 0,
#include "vmx/vmcs_fields.def"
#undef F
};

static_assert(VMCS_FIELD_COUNT < UINT8_MAX, "rows have eight bits in vmcs_rows");

u64 vmcs_width_mask(u32 encoding)
{
	if ((encoding & ENCODING_BIT_0) != 0)
		return UINT32_MAX;
	switch (vmcs_encoding_width(encoding)) {
	case WIDTH_16:
		return UINT16_MAX;
	case WIDTH_32:
		return UINT32_MAX;
	case WIDTH_64:
	case WIDTH_NATURAL:
		break;
	}
	return UINT64_MAX;
}

/* A field exists if one of up to two controls may be 1. */
struct existence {
	enum control_word word[2];
	u32 mask[2];	/* 0: no such alternative; both 0: always */
};

#define ONE(word, control) { { WORD_##word, WORD_##word }, { CONTROL_MASK(word, control), 0 } }
#define EITHER(word0, control0, word1, control1) \
	{ { WORD_##word0, WORD_##word1 }, { CONTROL_MASK(word0, control0), CONTROL_MASK(word1, control1) } }

/* SDM "VMCS Component Encoding", the notes to its tables. */
static const struct existence existence[] = {
	[EXISTS_ALWAYS] = { { 0, 0 }, { 0, 0 } },
	[EXISTS_VPID] = ONE(PROC2, ENABLE_VPID),
	[EXISTS_POSTED_INTERRUPTS] = ONE(PIN, PROCESS_POSTED_INTERRUPTS),
	[EXISTS_VIRTUALIZATION_EXCEPTIONS] = ONE(PROC2, EPT_VIOLATION_VE),
	[EXISTS_TERTIARY] = ONE(PROC, ACTIVATE_TERTIARY_CONTROLS),
	[EXISTS_VIRTUAL_INTERRUPT_DELIVERY] = ONE(PROC2, VIRTUAL_INTERRUPT_DELIVERY),
	[EXISTS_PML] = ONE(PROC2, ENABLE_PML),
	[EXISTS_USER_INTERRUPTS] = EITHER(ENTRY, LOAD_UINV, EXIT, CLEAR_UINV),
	[EXISTS_MSR_BITMAPS] = ONE(PROC, USE_MSR_BITMAPS),
	[EXISTS_TPR_SHADOW] = ONE(PROC, USE_TPR_SHADOW),
	[EXISTS_APIC_ACCESSES] = ONE(PROC2, VIRTUALIZE_APIC_ACCESSES),
	[EXISTS_VM_FUNCTIONS] = ONE(PROC2, ENABLE_VM_FUNCTIONS),
	[EXISTS_EPT] = ONE(PROC2, ENABLE_EPT),
	[EXISTS_VMCS_SHADOWING] = ONE(PROC2, VMCS_SHADOWING),
	[EXISTS_XSAVES] = ONE(PROC2, ENABLE_XSAVES),
	[EXISTS_ENCLS] = ONE(PROC2, ENABLE_ENCLS_EXITING),
	[EXISTS_ENCLV] = ONE(PROC2, ENABLE_ENCLV_EXITING),
	[EXISTS_SUB_PAGE] = ONE(PROC2, SUB_PAGE_WRITE_PERMISSIONS),
	[EXISTS_TSC_SCALING] = ONE(PROC2, USE_TSC_SCALING),
	[EXISTS_GUEST_PAT] = EITHER(ENTRY, LOAD_IA32_PAT, EXIT, SAVE_IA32_PAT),
	[EXISTS_GUEST_EFER] = EITHER(ENTRY, LOAD_IA32_EFER, EXIT, SAVE_IA32_EFER),
	[EXISTS_GUEST_PERF_GLOBAL_CTRL] = EITHER(ENTRY, LOAD_IA32_PERF_GLOBAL_CTRL, EXIT, SAVE_IA32_PERF_GLOBAL_CTRL),
	[EXISTS_GUEST_BNDCFGS] = EITHER(ENTRY, LOAD_IA32_BNDCFGS, EXIT, CLEAR_IA32_BNDCFGS),
	[EXISTS_GUEST_RTIT_CTL] = EITHER(ENTRY, LOAD_IA32_RTIT_CTL, EXIT, CLEAR_IA32_RTIT_CTL),
	[EXISTS_GUEST_LBR_CTL] = EITHER(ENTRY, LOAD_IA32_LBR_CTL, EXIT, CLEAR_IA32_LBR_CTL),
	[EXISTS_GUEST_PKRS] = ONE(ENTRY, LOAD_PKRS),
	[EXISTS_HOST_PAT] = ONE(EXIT, LOAD_IA32_PAT),
	[EXISTS_HOST_EFER] = ONE(EXIT, LOAD_IA32_EFER),
	[EXISTS_HOST_PERF_GLOBAL_CTRL] = ONE(EXIT, LOAD_IA32_PERF_GLOBAL_CTRL),
	[EXISTS_HOST_PKRS] = ONE(EXIT, LOAD_PKRS),
	[EXISTS_SECONDARY] = ONE(PROC, ACTIVATE_SECONDARY_CONTROLS),
	[EXISTS_PAUSE_LOOP] = ONE(PROC2, PAUSE_LOOP_EXITING),
	[EXISTS_INSTRUCTION_TIMEOUT] = ONE(PROC2, INSTRUCTION_TIMEOUT),
	[EXISTS_PREEMPTION_TIMER] = ONE(PIN, ACTIVATE_PREEMPTION_TIMER),
	[EXISTS_GUEST_CET] = ONE(ENTRY, LOAD_CET_STATE),
	[EXISTS_HOST_CET] = ONE(EXIT, LOAD_CET_STATE),
};

static_assert(array_size(existence) == EXISTS_HOST_CET + 1, "one row for each condition");

bool vmcs_field_exists(const struct vmcs_field_info *info, const struct vmx_caps *caps)
{
	const struct existence *condition = &existence[info->exists];

	if (info->exists == EXISTS_ALWAYS)
		return true;
	for (u32 i = 0; i < array_size(condition->mask); i++)
		if (condition->mask[i] != 0 && caps_allow(caps, condition->word[i], condition->mask[i]))
			return true;
	return false;
}
