/* SPDX-License-Identifier: MIT */
/*
 * A VMCS field as a type: what vmcs_fields.def generates. A field used as a
 * value, or a value as a field, does not compile. Pure.
 */
#pragma once

#include "arch/compiler.h"
#include "arch/types.h"

/* encoding: SDM "Field Encoding in VMCS"; index: dense, the row in the table. */
typedef struct {
	u16 encoding;
	u16 index;
} vmcs_field;

enum {
#define F(encoding, name, class, shadow, exists) VMCS_INDEX_##name,
#include "vmx/vmcs_fields.def"
#undef F
	VMCS_FIELD_COUNT
};

enum {
#define F(encoding, name, class, shadow, exists) VMCS_ENCODING_##name = encoding,
#include "vmx/vmcs_fields.def"
#undef F
};

/* The same field as a constant expression, for tables. */
#define VMCS_FIELD(name) { VMCS_ENCODING_##name, VMCS_INDEX_##name }

#define F(encoding, name, class, shadow, exists) \
	static const vmcs_field VMCS_##name = { encoding, VMCS_INDEX_##name };
#include "vmx/vmcs_fields.def"
#undef F

enum vmcs_class {
	CLASS_GUEST, CLASS_HOST, CLASS_INFO, CLASS_PASS, CLASS_MERGE, CLASS_L0, CLASS_ABSENT
};
enum vmcs_shadow { SHADOW_NO, SHADOW_RO, SHADOW_RW };

/* Upon what a field's existence depends: a control that may be 1, or nothing. */
enum vmcs_exists {
	EXISTS_ALWAYS, EXISTS_VPID, EXISTS_POSTED_INTERRUPTS, EXISTS_VIRTUALIZATION_EXCEPTIONS,
	EXISTS_TERTIARY, EXISTS_VIRTUAL_INTERRUPT_DELIVERY, EXISTS_PML, EXISTS_USER_INTERRUPTS,
	EXISTS_MSR_BITMAPS, EXISTS_TPR_SHADOW, EXISTS_APIC_ACCESSES, EXISTS_VM_FUNCTIONS, EXISTS_EPT,
	EXISTS_VMCS_SHADOWING, EXISTS_XSAVES, EXISTS_ENCLS, EXISTS_ENCLV, EXISTS_SUB_PAGE,
	EXISTS_TSC_SCALING, EXISTS_GUEST_PAT, EXISTS_GUEST_EFER, EXISTS_GUEST_PERF_GLOBAL_CTRL,
	EXISTS_GUEST_BNDCFGS, EXISTS_GUEST_RTIT_CTL, EXISTS_GUEST_LBR_CTL, EXISTS_GUEST_PKRS,
	EXISTS_HOST_PAT, EXISTS_HOST_EFER, EXISTS_HOST_PERF_GLOBAL_CTRL, EXISTS_HOST_PKRS,
	EXISTS_SECONDARY, EXISTS_PAUSE_LOOP, EXISTS_INSTRUCTION_TIMEOUT, EXISTS_PREEMPTION_TIMER,
	EXISTS_GUEST_CET, EXISTS_HOST_CET
};

/* SDM "Field Encoding in VMCS": bits 14:13 and 11:10 of an encoding. */
enum vmcs_width { WIDTH_16, WIDTH_64, WIDTH_32, WIDTH_NATURAL };
enum vmcs_type { TYPE_CONTROL, TYPE_READ_ONLY, TYPE_GUEST, TYPE_HOST };

struct vmcs_field_info {
	vmcs_field field;
	u8 class;		/* enum vmcs_class */
	u8 shadow;		/* enum vmcs_shadow */
	u8 exists;		/* enum vmcs_exists */
	const char *name;	/* SDM name, upper case with underscores */
};

/* One row a field, in the order of the table. */
extern const struct vmcs_field_info vmcs_fields[VMCS_FIELD_COUNT];

/* All fields of one VMCS, one u64 a row whatever the width. */
struct vmcs_image {
	u64 value[VMCS_FIELD_COUNT];
};

static inline u64 image_get(const struct vmcs_image *image, vmcs_field field)
{
	return image->value[field.index];
}

static inline void image_set(struct vmcs_image *image, vmcs_field field, u64 value)
{
	image->value[field.index] = value;
}

static inline enum vmcs_width vmcs_encoding_width(u32 encoding)
{
	return (enum vmcs_width)((encoding >> 13) & 3);
}

static inline enum vmcs_type vmcs_encoding_type(u32 encoding)
{
	return (enum vmcs_type)((encoding >> 10) & 3);
}

/* Fields come in groups, one for each width and type. */
#define VMCS_GROUPS 16

static inline u32 vmcs_encoding_group(u32 encoding)
{
	return (u32)vmcs_encoding_width(encoding) << 2 | (u32)vmcs_encoding_type(encoding);
}

/* Where a field has its place in a table by encoding, of those with no other bits than these. */
#define VMCS_ENCODING_BITS UINT64_C(0x6c3f)	/* width, type, and an index below 32, with bit 0 below; what is between them is reserved */
#define VMCS_PLACE(encoding) (((encoding) >> 4 & 0x6c0) | ((encoding) & 0x3f))
#define VMCS_PLACES (VMCS_PLACE(VMCS_ENCODING_BITS) + 1)

/* Row plus one of the field that an encoding names, be it a 64-bit field's high half (bit 0 set); 0: there is none. */
extern const u8 vmcs_rows[VMCS_PLACES];

/* The row of a full-width encoding, or of a high half; NULL when the table does not have it. */
static inline const struct vmcs_field_info *vmcs_lookup(u64 encoding)
{
	u32 row;

	if ((encoding & ~VMCS_ENCODING_BITS) != 0)
		return NULL;
	row = vmcs_rows[VMCS_PLACE(encoding)];
	return row != 0 ? &vmcs_fields[row - 1] : NULL;
}

/* The bits that a field of this encoding can hold. */
u64 vmcs_width_mask(u32 encoding);

struct vmx_caps;
/* Does the field exist on a processor with these capabilities? */
bool vmcs_field_exists(const struct vmcs_field_info *info, const struct vmx_caps *caps);
