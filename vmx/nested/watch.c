/* SPDX-License-Identifier: MIT */
/*
 * See vmx/nested/watch.h. "Descriptor-table exiting" covers LGDT, LIDT, LLDT and LTR (and the instructions that
 * only store), the MSR bitmap the rest.
 */

#include "vmx/nested/watch.h"

#include "arch/string.h"
#include "arch/x86.h"
#include "mm/page_alloc.h"
#include "mm/phys.h"

/* Entries to L1 without a watch after it ended one: doubled each time, up to the second. */
#define FIRST_PAUSE 8
#define LONGEST_PAUSE 1024
/* Entries to L2 after which a watch has spared more than its end costs: the next one need not wait for long. */
#define WORTHWHILE 32

static const u32 msrs[] = { IA32_SYSENTER_CS, IA32_SYSENTER_ESP, IA32_SYSENTER_EIP, IA32_PAT, IA32_DEBUGCTL };

bool watch_init(struct vcpu *vcpu)
{
	struct nested *nested = vcpu->nested;
	u8 *bitmap;

	nested->watch.pause = 0;
	nested->watch.next_pause = FIRST_PAUSE;
	nested->watch.is_possible = caps_allow(nested->hardware, WORD_PROC2, PROC2_DESCRIPTOR_TABLE_EXITING);
	if (!nested->watch.is_possible)
		return true;
	bitmap = page_alloc();
	if (!bitmap)
		return false;
	memcpy(bitmap, nested->msr_bitmap01, PAGE_SIZE);
	for (u32 i = 0; i < array_size(msrs); i++)
		msr_bitmap_set(bitmap, msrs[i], MSR_WRITE);
	nested->watch.msr_bitmap = phys_of(bitmap);
	return true;
}

/* vmcs01 is current. */
static void set(struct vcpu *vcpu, bool on)
{
	struct nested *nested = vcpu->nested;
	u64 proc2 = image_get(&nested->image01, VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS) & ~(u64)PROC2_DESCRIPTOR_TABLE_EXITING;

	if (on)
		proc2 |= PROC2_DESCRIPTOR_TABLE_EXITING;
	nested->watch.is_on = on;
	image_set(&nested->image01, VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS, proc2);
	vmcs_write(&vcpu->vmcs01, VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS, proc2);
	vmcs_write(&vcpu->vmcs01, VMCS_MSR_BITMAP_ADDRESS, on ? nested->watch.msr_bitmap.value : phys_of(nested->msr_bitmap01).value);
}

void watch_begin(struct vcpu *vcpu)
{
	struct nested *nested = vcpu->nested;

	if (nested->watch.is_on || !nested->watch.is_possible)
		return;
	if (nested->watch.pause) {
		nested->watch.pause--;
	} else {
		nested->watch.since = nested->clock;
		set(vcpu, true);
	}
}

static void end(struct vcpu *vcpu)
{
	struct nested *nested = vcpu->nested;

	if (nested->clock - nested->watch.since >= WORTHWHILE)
		nested->watch.next_pause = FIRST_PAUSE;
	nested->watch.pause = nested->watch.next_pause;
	if (nested->watch.next_pause < LONGEST_PAUSE)
		nested->watch.next_pause *= 2;
	nested->known01 = 0;
	set(vcpu, false);
}

bool watch_ends_by_tables(struct vcpu *vcpu)
{
	if (nested_in_l2(vcpu) || !vcpu->nested->watch.is_on)
		return false;
	end(vcpu);
	return true;
}

bool watch_ends_by_msr(struct vcpu *vcpu, u32 msr)
{
	if (nested_in_l2(vcpu) || !vcpu->nested->watch.is_on)
		return false;
	for (u32 i = 0; i < array_size(msrs); i++)
		if (msrs[i] == msr) {
			end(vcpu);
			return true;
		}
	return false;
}
