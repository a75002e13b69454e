/* SPDX-License-Identifier: MIT */
/* VMCS shadowing as L1 uses it for L2: see vmx/nested/shadow12.h. */

#include "vmx/nested/shadow12.h"

#include "arch/atomic.h"
#include "arch/x86.h"

bool shadow12_is_revision(const struct vmx_caps *offered, u32 revision)
{
	u32 indicator = caps_allow(offered, WORD_PROC2, PROC2_VMCS_SHADOWING) ? VMCS12_SHADOW_INDICATOR : 0;

	return (revision & ~indicator) == VMCS12_REVISION;
}

/* Asked at each entry. L1 may be writing them: they are compared, and what is used are others. */
static bool is_same(const u64 *bitmap12, const struct field_set *closed)
{
	u64 differs = 0;

#pragma GCC unroll 16
	for (u32 i = 0; i < FIELD_SET_WORDS; i++)
		differs |= atomic_read64(&bitmap12[field_set_place(i)]) ^ closed->word[i];
	return !differs;
}

void shadow12_refresh_bitmap(const struct l1_memory *memory, u64 address, const struct field_set *served, struct shadow12_bitmap *bitmap)
{
	const u64 *bitmap12 = l1_look(memory, l1_gpa(address));
	struct field_set open;

	if (likely(bitmap12 && is_same(bitmap12, &bitmap->closed12)))
		return;
	for (u32 i = 0; i < FIELD_SET_WORDS; i++) {
		u32 place = field_set_place(i);
		u64 closed = bitmap12 ? atomic_read64(&bitmap12[place]) : ~UINT64_C(0); /* once: L1 may be writing it */

		bitmap->closed12.word[i] = closed;
		bitmap->content[place] = closed | ~served->word[i];
		open.word[i] = ~bitmap->content[place];
	}
	bitmap->open = field_set_row_set(&open);
}

/* SDM "Instructions That Cause VM Exits Conditionally", VMREAD and VMWRITE. */
static bool bitmap_says_exit(const struct shadow12_access *access)
{
	vmcs_field bitmap = access->write ? VMCS_VMWRITE_BITMAP_ADDRESS : VMCS_VMREAD_BITMAP_ADDRESS;
	u8 content;

	if (access->encoding >= PAGE_SIZE * 8)
		return true;
	l1_read(access->memory, l1_gpa(vmcs12_get(access->vmcs12, bitmap) + access->encoding / 8), &content, 1);
	return content >> access->encoding % 8 & 1;
}

bool shadow12_exits(const struct shadow12_access *access, struct insn_result *result)
{
	if (bitmap_says_exit(access))
		return true;
	if (access->cpl > 0)
		*result = insn_fault(VECTOR_GP);
	else if (vmcs12_get(access->vmcs12, VMCS_VMCS_LINK_POINTER) == ~UINT64_C(0))
		*result = insn_fail(false, VMERR_UNSUPPORTED_FIELD);
	else if (!insn_field(access->offered, access->encoding))
		*result = insn_fail(true, VMERR_UNSUPPORTED_FIELD);
	else
		return true; /* hardware had it closed: L1's bit was set when L2 was entered */
	return false;
}
