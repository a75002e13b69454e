/* SPDX-License-Identifier: MIT */
/*
 * Shadow VMCSs as L1 handles them: what VM entry and the VMX instructions say to them, and what
 * happens to their fields while L1 moves, clears and exchanges them.
 */
#include "tests/guests/hyper/hyper.h"
#include "tests/guests/hyper/shadowing.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define MANY 12

static u64 beyond_width(void)
{
	return 1ull << (cpuid(0x80000008, 0).eax & 0xff);
}

/* --- VM entry ----------------------------------------------------------------------- */

static void say_entry(const char *what, struct shadowing *s, enum vmcs_field field, u64 value)
{
	u64 before = vmread(field);

	vmwrite(field, value);
	say("%s: ", what);
	vm_restart(s->vm, l2_shadow_read);
	s->vm->gpr[RCX] = GUEST_RIP;
	if (vm_run(s->vm)) {
		say("%u", s->vm->basic_reason & 0xffff);
		if (s->vm->basic_reason & REASON_ENTRY_FAILURE)
			say(" failed %lu", vmread(EXIT_QUALIFICATION));
	}
	say("; ");
	vmwrite(field, before);
}

static void entry_bitmaps(void)
{
	struct shadowing *s = shadowing_create(shadow_region());

	say_entry("VMREAD not aligned", s, VMREAD_BITMAP_ADDRESS, (u64)s->read_bitmap + 0x800);
	say_entry("VMWRITE not aligned", s, VMWRITE_BITMAP_ADDRESS, (u64)s->write_bitmap + 1);
	say_entry("VMREAD beyond", s, VMREAD_BITMAP_ADDRESS, beyond_width());
	say_entry("VMWRITE beyond", s, VMWRITE_BITMAP_ADDRESS, beyond_width());
	vmwrite(VMCS_LINK_POINTER, ~0ull);
	vm_clear(SECONDARY_CONTROLS, PROC2_VMCS_SHADOWING);
	say_entry("without the control", s, VMREAD_BITMAP_ADDRESS, 1);
}

static void entry_link(void)
{
	u64 shadow = shadow_region(), ordinary = vmx_region_alloc(), wrong = shadow_region();
	struct shadowing *s = shadowing_create(shadow);

	say_entry("shadow", s, VMCS_LINK_POINTER, shadow);
	say_entry("ordinary", s, VMCS_LINK_POINTER, ordinary);
	say_entry("current", s, VMCS_LINK_POINTER, s->vm->vmcs);
	say_entry("not aligned", s, VMCS_LINK_POINTER, shadow + 0x10);
	say_entry("beyond", s, VMCS_LINK_POINTER, beyond_width());
	*(u32 *)wrong ^= 1;
	say_entry("revision", s, VMCS_LINK_POINTER, wrong);
	*(u32 *)wrong ^= 1;
	say_entry("right", s, VMCS_LINK_POINTER, wrong);
	vm_clear(SECONDARY_CONTROLS, PROC2_VMCS_SHADOWING);
	say_entry("without the control, shadow", s, VMCS_LINK_POINTER, shadow);
	say_entry("ordinary", s, VMCS_LINK_POINTER, ordinary);
	say_entry("all ones", s, VMCS_LINK_POINTER, ~0ull);
	vm_clear(PROCESSOR_BASED_CONTROLS, PROC_ACTIVATE_SECONDARY_CONTROLS);
	vm_set(SECONDARY_CONTROLS, PROC2_VMCS_SHADOWING);
	say_entry("not activated, shadow", s, VMCS_LINK_POINTER, shadow);
}

/* Expect: the control on and off again from entry to entry. */
static void control(void)
{
	u64 shadow = shadow_region();
	struct shadowing *s = shadowing_create(shadow);

	for (u32 i = 0; i < 3; i++) {
		vm_set(SECONDARY_CONTROLS, PROC2_VMCS_SHADOWING);
		vmwrite(VMCS_LINK_POINTER, shadow);
		say("%x ", shadow_access(s, l2_shadow_read, GUEST_RIP, 0, 0));
		vmwrite(VMCS_LINK_POINTER, ~0ull);
		say("%x ", shadow_access(s, l2_shadow_read, GUEST_RIP, 0, 0));
		vm_clear(SECONDARY_CONTROLS, PROC2_VMCS_SHADOWING);
		say("%x ", shadow_access(s, l2_shadow_read, GUEST_RIP, 0, 0));
	}
}

/* --- the VMX instructions --------------------------------------------------------- */

static void instructions(void)
{
	u64 shadow = shadow_region();
	u64 stored = 0;

	say("VMPTRLD %x ", attempt(op_vmptrld, (u64)&shadow, 0));
	op_vmptrst((u64)&stored, 0);
	say("VMPTRST %s ", stored == shadow ? "the region" : "another");
	say("VMWRITE %x ", op_vmwrite(GUEST_RIP, 0x1234));
	say("VMREAD %x ", op_vmread(GUEST_RIP, (u64)&stored));
	say("%lx ", stored);
	say("unsupported %x ", op_vmread(0x203e, (u64)&stored));
	say("error %lx ", vmread(VM_INSTRUCTION_ERROR));
	vmclear(shadow);
	say("VMCLEAR indicator %u ", *(u32 *)shadow >> 31);
	say("VMREAD %x ", op_vmread(GUEST_RIP, (u64)&stored));
	vmptrld(shadow);
	say("%lx", vmread(GUEST_RIP));
}

static void vm_entry(void)
{
	vmptrld(shadow_region());
	say("VMLAUNCH %x ", attempt(op_vmlaunch, 0, 0));
	say("VMRESUME %x ", attempt(op_vmresume, 0, 0));
	say("error %lu", vmread(VM_INSTRUCTION_ERROR));
}

/* --- life of a shadow VMCS ------------------------------------------------------ */

/* Expect: what one side writes the other reads, with and without VMCLEAR in between. */
static void back_and_forth(void)
{
	u64 shadow = shadow_region();
	struct shadowing *s = shadowing_create(shadow);
	static const enum vmcs_field fields[] = { GUEST_RIP, EXIT_REASON, HOST_RIP, GUEST_ES_SELECTOR, TSC_OFFSET };
	u32 wrong = 0;

	for (u32 round = 0; round < 12; round++) {
		for (u32 i = 0; i < ARRAY_SIZE(fields); i++) {
			u64 value = (u64)round * 16 + i;

			region_write(shadow, fields[i], value, s->vm->vmcs);
			if (round & 1)
				vmclear(shadow);
			wrong += shadow_read(s, fields[i]) != value;
			shadow_write(s, fields[i], value + 1000);
			if (round & 2)
				vmclear(shadow);
			wrong += region_read(shadow, fields[i], s->vm->vmcs) != value + 1000;
		}
	}
	say("%u wrong", wrong);
}

/* Expect: each L2 its own, though they are more than any L0 keeps at a time. */
static void many(void)
{
	struct shadowing *s[MANY];
	u64 shadow[MANY];
	u32 wrong = 0;

	for (u32 i = 0; i < MANY; i++) {
		shadow[i] = shadow_region();
		s[i] = shadowing_create(shadow[i]);
	}
	for (u32 round = 0; round < 3; round++) {
		for (u32 i = 0; i < MANY; i++) {
			vmptrld(s[i]->vm->vmcs);
			shadow_write(s[i], GUEST_RIP, round * 100 + i);
			shadow_write(s[i], GUEST_LDTR_BASE, round * 100 + i + 50);
		}
		for (u32 i = 0; i < MANY; i++) {
			vmptrld(s[i]->vm->vmcs);
			wrong += shadow_read(s[i], GUEST_RIP) != round * 100 + i;
			wrong += region_read(shadow[i], GUEST_LDTR_BASE, s[i]->vm->vmcs) != round * 100 + i + 50;
		}
	}
	say("%u wrong", wrong);
}

/* Expect: one shadow VMCS for two L2s, and an L2 that changes from one to another. */
static void exchanged(void)
{
	u64 first = shadow_region(), second = shadow_region();
	struct shadowing *a = shadowing_create(first), *b = shadowing_create(first);

	shadow_write(b, GUEST_RSP, 0xb);
	vmptrld(a->vm->vmcs);
	say("%lx ", shadow_read(a, GUEST_RSP));
	shadow_write(a, GUEST_RSP, 0xa);
	vmwrite(VMCS_LINK_POINTER, second);
	shadow_write(a, GUEST_RSP, 0xaa);
	vmptrld(b->vm->vmcs);
	say("%lx ", shadow_read(b, GUEST_RSP));
	vmwrite(VMCS_LINK_POINTER, second);
	say("%lx ", shadow_read(b, GUEST_RSP));
	vmwrite(VMCS_LINK_POINTER, first);
	say("%lx", shadow_read(b, GUEST_RSP));
}

/* Expect: a cleared VMCS is all in its region, and can become another kind of VMCS. */
static void moved(void)
{
	u64 shadow = shadow_region(), copy = shadow_region();
	struct shadowing *s = shadowing_create(shadow);

	shadow_write(s, HOST_RSP, 0x1111);
	shadow_write(s, VM_INSTRUCTION_ERROR, 9);
	vmclear(shadow);
	memcpy((void *)copy, (void *)shadow, PAGE_SIZE);
	vmwrite(VMCS_LINK_POINTER, copy);
	shadow_write(s, GUEST_RFLAGS, 0x2222);
	say("%lx ", shadow_read(s, HOST_RSP));
	say("%lx ", region_read(shadow, GUEST_RFLAGS, s->vm->vmcs));
	vmclear(copy);
	*(u32 *)copy &= ~SHADOW_INDICATOR;
	say("ordinary %lx ", region_read(copy, GUEST_RFLAGS, s->vm->vmcs));
	region_write(copy, HOST_RSP, 0x3333, s->vm->vmcs);
	vmclear(copy);
	*(u32 *)copy |= SHADOW_INDICATOR;
	say("shadow %lx ", shadow_read(s, HOST_RSP));
	say("%lu", shadow_read(s, VM_INSTRUCTION_ERROR));
}

SCENARIOS(shadow_vmcs_scenarios,
	{ "shadow_vmcs.entry_bitmaps", entry_bitmaps,
	  "VMREAD not aligned: entry: VMfailValid 7; VMWRITE not aligned: entry: VMfailValid 7; VMREAD beyond: entry: VMfailValid 7; "
	  "VMWRITE beyond: entry: VMfailValid 7; without the control: 23; ", has_vmcs_shadowing },
	{ "shadow_vmcs.entry_link", entry_link,
	  "shadow: 18; ordinary: 33 failed 4; current: 33 failed 4; not aligned: 33 failed 4; beyond: 33 failed 4; "
	  "revision: 33 failed 4; right: 18; without the control, shadow: 33 failed 4; ordinary: 23; all ones: 23; "
	  "not activated, shadow: 33 failed 4; ", has_vmcs_shadowing },
	{ "shadow_vmcs.control", control, "0 0x1000 0x10017 0 0x1000 0x10017 0 0x1000 0x10017 ", has_vmcs_shadowing },
	{ "shadow_vmcs.instructions", instructions,
	  "VMPTRLD 0 VMPTRST the region VMWRITE 0 VMREAD 0 0x1234 unsupported 0x200c error 0xc "
	  "VMCLEAR indicator 1 VMREAD 0x1000 0x1234", has_vmcs_shadowing },
	{ "shadow_vmcs.vm_entry", vm_entry, "VMLAUNCH 0x1000 VMRESUME 0x1000 error 0", has_vmcs_shadowing },
	{ "shadow_vmcs.back_and_forth", back_and_forth, "0 wrong", has_vmcs_shadowing },
	{ "shadow_vmcs.many", many, "0 wrong", has_vmcs_shadowing },
	{ "shadow_vmcs.exchanged", exchanged, "0xb 0xa 0xaa 0xa", has_vmcs_shadowing },
	{ "shadow_vmcs.moved", moved, "0x1111 0 ordinary 0x2222 shadow 0x3333 9", has_vmcs_shadowing },
);
