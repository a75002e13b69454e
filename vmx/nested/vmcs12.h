/* SPDX-License-Identifier: MIT */
/*
 * vmcs12: L1's VMCS for L2, cached in L0's memory from VMPTRLD to VMCLEAR.
 * The layout is ours (IA32_VMX_BASIC shows its revision); its content is
 * untrusted whenever it is loaded. Pure.
 */
#pragma once

#include "mm/addr.h"
#include "vmx/caps.h"
#include "vmx/vmcs_field.h"

/* Changes with every change of the field table: an old region is refused. */
#define VMCS12_REVISION UINT32_C(0x54530001)

/* SDM "Format of the VMCS Region", bit 31 of the first word: only VMREAD and VMWRITE work on it. */
#define VMCS12_SHADOW_INDICATOR UINT32_C(0x80000000)

enum vmcs12_launch_state { LAUNCH_STATE_CLEAR, LAUNCH_STATE_LAUNCHED };

/* Exactly a VMCS region. SDM "Format of the VMCS Region" for the first two. */
struct vmcs12 {
	u32 revision;		/* bit 31: shadow-VMCS indicator */
	u32 abort_indicator;
	u32 launch_state;	/* enum vmcs12_launch_state; any other value is taken for clear */
	u32 reserved;
	struct vmcs_image fields;
	u8 unused[4096 - 16 - sizeof(struct vmcs_image)];
};

static_assert(sizeof(struct vmcs12) == 4096, "vmcs12 is one VMCS region");

static inline u64 vmcs12_get(const struct vmcs12 *vmcs12, vmcs_field field)
{
	return image_get(&vmcs12->fields, field);
}

static inline void vmcs12_set(struct vmcs12 *vmcs12, vmcs_field field, u64 value)
{
	image_set(&vmcs12->fields, field, value);
}

static inline bool vmcs12_is_shadow(const struct vmcs12 *vmcs12)
{
	return (vmcs12->revision & VMCS12_SHADOW_INDICATOR) != 0;
}

/* One of the five control words of vmcs12. */
static inline u32 vmcs12_control(const struct vmcs12 *vmcs12, enum control_word word)
{
	return (u32)vmcs12_get(vmcs12, control_fields[word]);
}

/*
 * Is this control in force in vmcs12? Secondary controls count as 0 unless
 * activated. SDM "Processor-Based VM-Execution Controls".
 */
static inline bool vmcs12_has(const struct vmcs12 *vmcs12, enum control_word word, u32 mask)
{
	if (word == WORD_PROC2 && (vmcs12_control(vmcs12, WORD_PROC) & PROC_ACTIVATE_SECONDARY_CONTROLS) == 0)
		return false;
	return (vmcs12_control(vmcs12, word) & mask) == mask;
}

/* Brings a region just read from L1 into canonical form: values cut to width, state known. */
void vmcs12_sanitize(struct vmcs12 *vmcs12);
/* The launch state alone. */
void vmcs12_sanitize_header(struct vmcs12 *vmcs12);
