/* SPDX-License-Identifier: MIT */
/*
 * I/O instructions, SDM "Exit Qualification for I/O Instructions", with
 * unconditional exits and with the bitmaps.
 */
#include "tests/guests/hyper/hyper.h"
#include "tests/guests/hyper/l2_code.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"

#define SCRATCH 0x3ff

static u8 *bitmaps;

/* I/O bitmaps that make nothing exit. */
static struct vm *create_with_bitmaps(const u8 *code)
{
	struct vm *vm = vm_create(code);

	bitmaps = pages_alloc(2, PAGE_SIZE);
	vmwrite(IO_BITMAP_A, (u64)bitmaps);
	vmwrite(IO_BITMAP_B, (u64)bitmaps + PAGE_SIZE);
	vm_clear(PROCESSOR_BASED_CONTROLS, PROC_UNCONDITIONAL_IO_EXITING);
	vm_set(PROCESSOR_BASED_CONTROLS, PROC_USE_IO_BITMAPS);
	return vm;
}

static void set_port(u32 port)
{
	bitmaps[port / 8] |= (u8)(1u << (port & 7));
}

static void walk(struct vm *vm, u32 count)
{
	for (u32 i = 0; i < count; i++) {
		vm_step(vm);
		vm_skip(vm);
		say(i + 1 < count ? "; " : "");
	}
}

static void out_unconditional(void)
{
	walk(vm_create(l2_out_forms), 4);
}

static void in_unconditional(void)
{
	struct vm *vm = vm_create(l2_in_forms);

	for (u32 i = 0; i < 3; i++) {
		vm_step(vm);
		vm->gpr[RAX] = 0xa0 + i;
		vm_skip(vm);
		say("; ");
	}
	vm_step(vm);
	say(" rax=%lx", vm->gpr[RAX]);
}

/* Expect: the linear address field has the operand of a string instruction. */
static void string_instructions(void)
{
	struct vm *vm = vm_create(l2_string_io);

	vm->gpr[RSI] = TEST_ADDRESS + 0x100;
	vm->gpr[RDI] = TEST_ADDRESS + 0x200;
	vm->gpr[RCX] = 3;
	vm->gpr[RDX] = 0x70;
	vm_step(vm);
	for (u32 i = 0; i < 4; i++) {
		say(" linear=%lx; ", vmread(GUEST_LINEAR_ADDRESS));
		vm_skip(vm);
		vm_step(vm);
	}
}

/* Expect: a port whose bit is clear reaches the device. */
static void bitmap_passes(void)
{
	struct vm *vm = create_with_bitmaps(l2_scratch_register);

	vm->gpr[RBX] = 0x5a;
	vm_step(vm);
	say(" rax=%lx", vm->gpr[RAX]);
}

static void bitmap_a(void)
{
	struct vm *vm = create_with_bitmaps(l2_scratch_register);

	set_port(SCRATCH);
	walk(vm, 3);
}

static void bitmap_b(void)
{
	struct vm *vm = create_with_bitmaps(l2_out_forms);

	memset(bitmaps + PAGE_SIZE, 0xff, PAGE_SIZE);
	set_port(0x80);
	walk(vm, 2);
}

/* Expect: a wide access exits when any of its ports has its bit set. */
static void bitmap_wide(void)
{
	struct vm *vm = create_with_bitmaps(l2_out_forms);

	set_port(0x1237);
	walk(vm, 2);
}

/* Expect: bitmaps, if in use, make the unconditional control meaningless. */
static void bitmap_wins(void)
{
	struct vm *vm = create_with_bitmaps(l2_scratch_register);

	vm_set(PROCESSOR_BASED_CONTROLS, PROC_UNCONDITIONAL_IO_EXITING);
	vm->gpr[RBX] = 0xa5;
	vm_step(vm);
	say(" rax=%lx", vm->gpr[RAX]);
}

/* Expect: L1's change of its bitmap between two entries takes effect. */
static void bitmap_changes(void)
{
	struct vm *vm = create_with_bitmaps(l2_scratch_register);

	vm->gpr[RBX] = 0x12;
	vm_step(vm);
	set_port(SCRATCH);
	vm_restart(vm, l2_scratch_register);
	say("; ");
	vm_step(vm);
	bitmaps[SCRATCH / 8] = 0;
	say("; ");
	vm_step(vm);
}

SCENARIOS(io_scenarios,
	{ "io.out", out_unconditional,
	  "IO_INSTRUCTION(30) qualification=0x800040 length=2 rip=+2; "
	  "IO_INSTRUCTION(30) qualification=0x12340001 length=2 rip=+8; "
	  "IO_INSTRUCTION(30) qualification=0x12340003 length=1 rip=+10; VMCALL(18) length=3 rip=+11",
	  NULL },
	{ "io.in", in_unconditional,
	  "IO_INSTRUCTION(30) qualification=0x600048 length=2 rip=+0; "
	  "IO_INSTRUCTION(30) qualification=0x56780009 length=2 rip=+6; "
	  "IO_INSTRUCTION(30) qualification=0x5678000b length=1 rip=+8; "
	  "VMCALL(18) length=3 rip=+9 rax=0xa2", NULL },
	{ "io.string", string_instructions,
	  "IO_INSTRUCTION(30) qualification=0x700010 length=1 rip=+1 linear=0x140000100; "
	  "IO_INSTRUCTION(30) qualification=0x700033 length=2 rip=+3 linear=0x140000100; "
	  "IO_INSTRUCTION(30) qualification=0x700019 length=2 rip=+6 linear=0x140000200; "
	  "IO_INSTRUCTION(30) qualification=0x700038 length=2 rip=+8 linear=0x140000200; "
	  "VMCALL(18) length=3 rip=+10", NULL },
	{ "io.bitmap_passes", bitmap_passes, "VMCALL(18) length=3 rip=+10 rax=0x5a", NULL },
	{ "io.bitmap_a", bitmap_a,
	  "IO_INSTRUCTION(30) qualification=0x3ff0000 length=1 rip=+6; "
	  "IO_INSTRUCTION(30) qualification=0x3ff0008 length=1 rip=+9; VMCALL(18) length=3 rip=+10",
	  NULL },
	{ "io.bitmap_b", bitmap_b,
	  "IO_INSTRUCTION(30) qualification=0x800040 length=2 rip=+2; VMCALL(18) length=3 rip=+11",
	  NULL },
	{ "io.bitmap_wide", bitmap_wide,
	  "IO_INSTRUCTION(30) qualification=0x12340003 length=1 rip=+10; VMCALL(18) length=3 rip=+11",
	  NULL },
	{ "io.bitmap_wins", bitmap_wins, "VMCALL(18) length=3 rip=+10 rax=0xa5", NULL },
	{ "io.bitmap_changes", bitmap_changes,
	  "VMCALL(18) length=3 rip=+10; "
	  "IO_INSTRUCTION(30) qualification=0x3ff0000 length=1 rip=+6; VMCALL(18) length=3 rip=+10",
	  NULL },
);
