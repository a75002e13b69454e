/* SPDX-License-Identifier: MIT */
/*
 * The MSR and I/O bitmaps that vmcs02 has in place of L1's (vmx/nested/bitmap02.h): where L1's are, which bits L0 needs,
 * and whose an exit is that one of them has caused.
 */

#include "arch/x86.h"
#include "vmx/nested/nested.h"
#include "vmx/nested/task_priority.h"
#include "vmx/sleep_guard.h"

#define WORD_BITS 64

static struct bitmap12 msr_bitmap12(const struct nested *nested, const struct vmcs12 *vmcs12)
{
	l1_gpa_t page = l1_gpa(vmcs12_get(vmcs12, VMCS_MSR_BITMAP_ADDRESS));

	return (struct bitmap12){ .page = { page, page }, .own = nested->msr_bitmap01 };
}

static struct bitmap12 io_bitmap12(const struct nested *nested, const struct vmcs12 *vmcs12)
{
	return (struct bitmap12){
		.page = { l1_gpa(vmcs12_get(vmcs12, VMCS_IO_BITMAP_A_ADDRESS)), l1_gpa(vmcs12_get(vmcs12, VMCS_IO_BITMAP_B_ADDRESS)) },
		.own = nested->io_bitmaps01,
	};
}

void bitmaps02_refresh_learned(const struct nested *nested, struct nested_slot *slot)
{
	const struct vmcs12 *vmcs12 = slot->vmcs12;
	struct bitmap12 from;

	/* A bitmap that is not in use now will be read when it is. */
	if (vmcs12_has(vmcs12, WORD_PROC, PROC_USE_MSR_BITMAPS)) {
		from = msr_bitmap12(nested, vmcs12);
		bitmap02_refresh(&slot->msr02, &from, nested->memory);
	}
	if (slot->io02.count && vmcs12_has(vmcs12, WORD_PROC, PROC_USE_IO_BITMAPS)) {
		from = io_bitmap12(nested, vmcs12);
		bitmap02_refresh(&slot->io02, &from, nested->memory);
	}
}

/* While L0 carries out writes to VTPR they exit, too: vmx/nested/threshold.h. */
static u64 watched_msrs(const struct nested *nested, u32 word)
{
	u32 byte = 0;
	u8 mask = 0;

	if (likely(!nested->question.watches_tpr) || !task_priority_has_msr(nested->current->vmcs12) ||
	    !msr_bitmap_position(IA32_X2APIC_TPR, MSR_WRITE, &byte, &mask) || byte / sizeof(u64) != word)
		return 0;
	return (u64)mask << byte % sizeof(u64) * 8;
}

/* L1's word is read once: the value that decides is the one that hardware gets. */
static enum reflect_owner msr_owner(struct nested *nested, u32 msr, enum msr_access access)
{
	struct nested_slot *slot = nested->current;
	const struct bitmap12 from = msr_bitmap12(nested, slot->vmcs12);
	u64 l1, own, bit;
	u32 byte, word;
	u8 mask;

	if (!msr_bitmap_position(msr, access, &byte, &mask))
		return OWNER_L1;
	word = byte / sizeof(u64);
	bit = (u64)mask << byte % sizeof(u64) * 8;
	own = from.own[word] | watched_msrs(nested, word);
	l1 = bitmap12_read(&from, nested->memory, word);
	if (l1 & bit)
		return OWNER_L1;
	if (own & bit)
		return OWNER_L0;
	bitmap02_learn(&slot->msr02, word, l1 | own);
	return OWNER_L2;
}

/* The ports first to last that lie in this word. */
static u64 ports_in_word(u32 word, u32 first, u32 last)
{
	u32 low = word == first / WORD_BITS ? first % WORD_BITS : 0, high = word == last / WORD_BITS ? last % WORD_BITS : WORD_BITS - 1;

	return BITS(high, low);
}

/* The same; the ports of one access may lie in two words. */
static enum reflect_owner io_owner(struct nested *nested, u64 qualification)
{
	struct nested_slot *slot = nested->current;
	const struct bitmap12 from = io_bitmap12(nested, slot->vmcs12);
	u32 first = (u32)field_get(qualification, BITS(31, 16)), last = first + (u32)field_get(qualification, BITS(2, 0));
	u64 l1[2] = { 0 }, own = 0;

	for (u32 word = first / WORD_BITS, i = 0; word <= last / WORD_BITS; word++, i++) {
		u64 ports = ports_in_word(word, first, last);

		l1[i] = bitmap12_read(&from, nested->memory, word);
		if (l1[i] & ports)
			return OWNER_L1;
		own |= from.own[word] & ports;
	}
	if (own)
		return OWNER_L0;
	for (u32 word = first / WORD_BITS, i = 0; word <= last / WORD_BITS; word++, i++)
		bitmap02_learn(&slot->io02, word, l1[i] | from.own[word]);
	return OWNER_L2;
}

enum reflect_owner bitmaps02_owner(struct nested *nested, const struct vm_exit *exit)
{
	if (exit->basic == EXIT_IO_INSTRUCTION)
		return io_owner(nested, exit->qualification);
	return msr_owner(nested, nested->question.msr, exit->basic == EXIT_WRMSR ? MSR_WRITE : MSR_READ);
}

void bitmaps02_watch_tpr(const struct nested *nested)
{
	if (task_priority_has_msr(nested->current->vmcs12))
		msr_bitmap_set((u8 *)nested->current->msr02.content, IA32_X2APIC_TPR, MSR_WRITE);
}
