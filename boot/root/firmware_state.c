/* SPDX-License-Identifier: MIT */
/*
 * Captures and restores the caller's state: see boot/root/firmware_state.h.
 */
#include "boot/root/firmware_state.h"

#include "arch/descriptors.h"
#include "arch/x86.h"

#define DESCRIPTOR_S BIT(44)		/* code or data, not system */
#define DESCRIPTOR_ACCESSED BIT(40)
#define DESCRIPTOR_G BIT(55)
#define DESCRIPTOR_TSS_BUSY BIT(41)

/* SDM "Segment Descriptors": base in bits 63:56 and 39:16, limit in 51:48 and 15:0, rights in 55:52 and 47:40. */
static void decode(struct segment *segment, u64 low, u64 high)
{
	u64 limit = field_get(low, BITS(51, 48)) << 16 | field_get(low, BITS(15, 0));

	segment->base = field_get(low, BITS(63, 56)) << 24 | field_get(low, BITS(39, 16)) | high << 32;
	segment->limit = (u32)(low & DESCRIPTOR_G ? limit << 12 | 0xfff : limit);
	segment->access_rights = (u32)(low >> 40) & 0xf0ff;
}

/* Selector as loaded, hidden part from the GDT (or, for a selector with TI set, from `ldt`). */
static struct segment read_segment(const struct firmware_state *state, u16 selector)
{
	struct segment segment = { .selector = selector, .access_rights = ACCESS_RIGHTS_UNUSABLE };
	u64 table = selector & SELECTOR_TI ? state->ldtr.base : state->gdtr.base;
	u64 limit = selector & SELECTOR_TI ? state->ldtr.limit : state->gdtr.limit;
	u64 offset = selector & ~(u64)7;
	const u64 *entry = (const u64 *)(uintptr_t)(table + offset);
	bool is_system;

	if ((selector & ~SELECTOR_RPL) == 0 || offset + 7 > limit)
		return segment;
	is_system = !(entry[0] & DESCRIPTOR_S);
	decode(&segment, entry[0], is_system && offset + 15 <= limit ? entry[1] : 0);
	/* The processor sets these when it loads the register; a table in ROM cannot show it. SDM "Checks on Guest Segment Registers". */
	segment.access_rights |= is_system ? 0 : (u32)(DESCRIPTOR_ACCESSED >> 40);
	return segment;
}

static void capture_segments(struct firmware_state *state)
{
	state->gdtr = sgdt();
	state->idtr = sidt();
	state->ldtr = read_segment(state, sldt());
	state->tr = read_segment(state, str());
	state->es = read_segment(state, read_es());
	state->cs = read_segment(state, read_cs());
	state->ss = read_segment(state, read_ss());
	state->ds = read_segment(state, read_ds());
	state->fs = read_segment(state, read_fs());
	state->gs = read_segment(state, read_gs());
	state->fs.base = rdmsr(IA32_FS_BASE);
	state->gs.base = rdmsr(IA32_GS_BASE);

	/*
	 * Firmware often runs without a task register; VM entry wants a usable, busy TSS. Nobody can use it before
	 * loading another. A loaded one is busy by definition.
	 */
	if (state->tr.access_rights & ACCESS_RIGHTS_UNUSABLE)
		state->tr = (struct segment){ .limit = 0x67, .access_rights = 0x8b };
	state->tr.access_rights |= (u32)(DESCRIPTOR_TSS_BUSY >> 40);
}

void firmware_state_capture(struct firmware_state *state, const struct launch_frame *frame)
{
	state->frame = *frame;
	state->rsp = (u64)(uintptr_t)(frame + 1);
	state->cr0 = read_cr0();
	state->cr3 = read_cr3();
	state->cr4 = read_cr4();
	state->dr7 = read_dr7();
	capture_segments(state);
	state->efer = rdmsr(IA32_EFER);
	state->pat = rdmsr(IA32_PAT);
	state->sysenter_cs = rdmsr(IA32_SYSENTER_CS);
	state->sysenter_esp = rdmsr(IA32_SYSENTER_ESP);
	state->sysenter_eip = rdmsr(IA32_SYSENTER_EIP);
	/* IA32_DEBUGCTL may be missing: host_cpu_enter() reads it once faults are survivable. */
	state->debugctl = 0;
}

/* LTR refuses a busy TSS, which the firmware's is, having been loaded. */
static void restore_task_register(const struct firmware_state *state)
{
	u64 *descriptor;

	if (state->tr.selector == 0)
		return;
	descriptor = (u64 *)(uintptr_t)(state->gdtr.base + (state->tr.selector & ~(u64)7));
	*descriptor &= ~DESCRIPTOR_TSS_BUSY;
	ltr(state->tr.selector);
}

void firmware_state_restore(const struct firmware_state *state)
{
	/* CR4.PCIDE can only be set while CR3 names PCID 0. */
	write_cr3(state->cr3 & ~PAGE_MASK);
	write_cr4(state->cr4);
	write_cr3(state->cr3);
	write_cr0(state->cr0);
	wrmsr(IA32_EFER, state->efer);

	lgdt(&state->gdtr);
	write_cs(state->cs.selector);
	write_ss(state->ss.selector);
	write_ds(state->ds.selector);
	write_es(state->es.selector);
	write_fs(state->fs.selector);
	write_gs(state->gs.selector);
	wrmsr(IA32_FS_BASE, state->fs.base);
	wrmsr(IA32_GS_BASE, state->gs.base);
	lldt(state->ldtr.selector);
	restore_task_register(state);
	lidt(&state->idtr);
	write_dr7(state->dr7);
}
