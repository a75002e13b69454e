/* SPDX-License-Identifier: MIT */
/* CET state, PKRS, UINV in the model: what entries load on request, and every exit saves. See tests/model/processor.h. */
#include "tests/model/processor.h"

#include "arch/x86.h"

struct switched {
	u32 msr;		/* 0: SSP */
	u32 shift;		/* where the field is in the MSR */
	u64 mask;
	u32 entry;		/* the control that loads it, and whose existence has it saved */
	vmcs_field field;
};

static const struct switched switched[] = {
	{ IA32_S_CET, 0, ~UINT64_C(0), CONTROL_MASK(ENTRY, LOAD_CET_STATE), VMCS_FIELD(GUEST_IA32_S_CET) },
	{ IA32_INTERRUPT_SSP_TABLE_ADDR, 0, ~UINT64_C(0), CONTROL_MASK(ENTRY, LOAD_CET_STATE), VMCS_FIELD(GUEST_IA32_INTERRUPT_SSP_TABLE) },
	{ 0, 0, ~UINT64_C(0), CONTROL_MASK(ENTRY, LOAD_CET_STATE), VMCS_FIELD(GUEST_SSP) },
	{ IA32_PKRS, 0, UINT32_MAX, CONTROL_MASK(ENTRY, LOAD_PKRS), VMCS_FIELD(GUEST_IA32_PKRS) },
	{ IA32_UINTR_MISC, 32, UINT8_MAX, CONTROL_MASK(ENTRY, LOAD_UINV), VMCS_FIELD(GUEST_UINV) },
};

static u64 *place(const struct switched *s)
{
	return s->msr ? &processor_msr(s->msr)->value : &processor.ssp;
}

void protection_load(void)
{
	for (u32 i = 0; i < array_size(switched); i++) {
		const struct switched *s = &switched[i];

		if (*processor_field(VMCS_ENTRY_CONTROLS) & s->entry)
			*place(s) = (*place(s) & ~(s->mask << s->shift)) | (*processor_field(s->field) & s->mask) << s->shift;
	}
}

void protection_save(void)
{
	for (u32 i = 0; i < array_size(switched); i++)
		if (caps_allow(&processor.caps, WORD_ENTRY, switched[i].entry))
			*processor_field(switched[i].field) = *place(&switched[i]) >> switched[i].shift & switched[i].mask;
}
