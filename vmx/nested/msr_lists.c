/* SPDX-License-Identifier: MIT */
/*
 * The MSR areas of vmcs12: one bounded read, and the refusals that hardware
 * would not make on L0's copy. SDM "Loading MSRs" and "Saving MSRs". It
 * neither loads nor stores an MSR. Pure.
 */
#include "arch/x86.h"
#include "mm/mtrr.h"
#include "vmx/nested/msr_lists.h"

#define APIC_BASE_ADDRESS BITS(51, 12)

void msr_list_read(const struct l1_memory *memory, l1_gpa_t from, u32 count, struct msr_entry *to)
{
	if (count > MSR_LIST_MAX)
		count = MSR_LIST_MAX;
	l1_read(memory, from, to, count * sizeof(*to));
}

static bool is_x2apic_register(u32 index)
{
	return index >= IA32_X2APIC_FIRST && index <= IA32_X2APIC_LAST;
}

/* Processor trace: L1 has none, RDMSR and WRMSR are #GP. */
bool msr_list_is_hidden(u32 index)
{
	return index >= IA32_RTIT_FIRST && index <= IA32_RTIT_LAST;
}

/*
 * L0 answers RDMSR of these to L1, and WRMSR is refused (the VMX capability MSRs
 * are read-only, FEATURE_CONTROL is locked, processor trace is hidden): hardware must not be asked at all.
 */
static bool is_read_only(u32 index)
{
	return index == IA32_FEATURE_CONTROL || (index >= IA32_VMX_BASIC && index <= IA32_VMX_EXIT_CTLS2) || msr_list_is_hidden(index);
}

/* SDM "Loading MSRs": what may not be written outside SMM, and microcode, which no transition may load. */
static bool is_never_loaded(u32 index)
{
	return index == IA32_FS_BASE || index == IA32_GS_BASE || index == IA32_SMM_MONITOR_CTL ||
	       index == IA32_BIOS_UPDT_TRIG || index == IA32_BIOS_SIGN_ID;
}

/* The SDM words the same refusals for VM entry and for VM exit. */
u32 msr_list_refused_load(const struct msr_entry *list, u32 count, maybe_unused bool at_exit, bool x2apic)
{
	for (u32 i = 0; i < count; i++)
		if (list[i].reserved != 0 || is_never_loaded(list[i].index) || is_read_only(list[i].index) ||
		    (x2apic && is_x2apic_register(list[i].index)))
			return i + 1;
	return 0;
}

u32 msr_list_refused_store(const struct msr_entry *list, u32 count, bool x2apic)
{
	for (u32 i = 0; i < count; i++)
		if (list[i].reserved != 0 || list[i].index == IA32_SMBASE || msr_list_is_hidden(list[i].index) ||
		    (x2apic && is_x2apic_register(list[i].index)))
			return i + 1;
	return 0;
}

bool msr_hides_block(const struct l1_memory *memory, u32 index, u64 value)
{
	return index == IA32_APIC_BASE && !l1_is_identity(memory, l1_gpa(value & APIC_BASE_ADDRESS), PAGE_SIZE);
}

static bool is_mtrr(u32 index)
{
	/* The variable ones end where the fixed ones begin, however many IA32_MTRRCAP could count. */
	if (index == IA32_MTRR_DEF_TYPE || (index >= IA32_MTRR_PHYSBASE0 && index < IA32_MTRR_FIX64K_00000))
		return true;
	for (u32 i = 0; i < MTRR_FIXED_COUNT; i++)
		if (mtrr_fixed_msrs[i] == index)
			return true;
	return false;
}

bool msr_list_touches_mtrrs(const struct msr_entry *list, u32 count)
{
	for (u32 i = 0; i < count; i++)
		if (is_mtrr(list[i].index))
			return true;
	return false;
}
