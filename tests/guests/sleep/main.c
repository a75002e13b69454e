/* SPDX-License-Identifier: MIT */
/*
 * sleep: writes to the register that suspends the machine to RAM, by L1 and by an
 * L2 with each kind of I/O exiting. Where nobody watches that register the machine
 * would be gone, so most scenarios are offered only where one IN exits to Testudo.
 */
#include "tests/guests/lib/machine.h"
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/report.h"
#include "tests/guests/lib/vm.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"

/* PM1 control of the PIIX4, where OVMF puts it: SLP_TYP in bits 12:10, SLP_EN in bit 13. Type 1 is S3. */
#define PM1_CONTROL 0xb004
#define SLP_EN 0x2000
#define TYPE(n) ((n) << 10)
#define S3 (TYPE(1) | SLP_EN)

/* Without SLP_EN nothing happens. */
#define TYPE_7 TYPE(7)

extern const u8 l2_write_control[], l2_write_wide[], l2_write_high[], l2_read_control[], l2_outs_control[];

static u8 *bitmaps;

static u16 read_control(void)
{
	u16 value;

	__asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"((u16)PM1_CONTROL));
	return value;
}

static void write_control(u16 value)
{
	__asm__ volatile("outw %0, %1" : : "a"(value), "Nd"((u16)PM1_CONTROL));
}

/* Exits of L1 because of I/O: docs/cpuid.md, leaf 0x40000003. */
static u32 io_exits(void)
{
	return cpuid(0x40000003, 30).eax;
}

static bool is_watched(void)
{
	u32 before = under_testudo() ? io_exits() : 0;

	read_control();
	return under_testudo() && io_exits() == before + 1;
}

static void say_control(void)
{
	say(" control=%x", read_control());
}

static void l1_reads(void)
{
	write_control(TYPE_7);
	say_control();
	write_control(0);
	say_control();
}

static void l1_suspends(void)
{
	write_control(TYPE_7);
	write_control(S3);
	say_control();
}

/* Expect: Testudo says it a few times, not each time. */
static void l1_insists(void)
{
	write_control(TYPE_7);
	for (u32 i = 0; i < 100; i++)
		write_control(S3);
	say_control();
}

/* --- L2 ---------------------------------------------------------------------------- */

enum exiting { NOTHING, EVERYTHING, BITMAPS };

static struct vm *create(const u8 *code, enum exiting exiting)
{
	struct vm *vm = vm_create(code);

	bitmaps = pages_alloc(2, PAGE_SIZE);
	vmwrite(IO_BITMAP_A, (u64)bitmaps);
	vmwrite(IO_BITMAP_B, (u64)bitmaps + PAGE_SIZE);
	vm_clear(PROCESSOR_BASED_CONTROLS, PROC_UNCONDITIONAL_IO_EXITING | PROC_USE_IO_BITMAPS);
	if (exiting == EVERYTHING)
		vm_set(PROCESSOR_BASED_CONTROLS, PROC_UNCONDITIONAL_IO_EXITING);
	if (exiting == BITMAPS)
		vm_set(PROCESSOR_BASED_CONTROLS, PROC_USE_IO_BITMAPS);
	vm->gpr[RBX] = S3;
	write_control(TYPE_7);
	return vm;
}

static void want_port(u32 port)
{
	bitmaps[port / 8] |= (u8)(1u << (port & 7));
}

static void step(const u8 *code, enum exiting exiting)
{
	vm_step(create(code, exiting));
	say_control();
	say("; ");
}

/* Expect: L0's exits are not seen, and the register has the type without the enable bit. */
static void l2_without_exiting(void)
{
	step(l2_write_control, NOTHING);
	step(l2_write_wide, NOTHING);
	step(l2_write_high, NOTHING);
}

static void l2_with_clear_bitmaps(void)
{
	step(l2_write_control, BITMAPS);
	step(l2_write_wide, BITMAPS);
	step(l2_write_high, BITMAPS);
}

static void l2_reads(void)
{
	struct vm *vm = create(l2_read_control, NOTHING);

	vm->gpr[RAX] = 0x1122334455667788;
	vm_step(vm);
	say(" rax=%lx rcx=%lx", vm->gpr[RAX], vm->gpr[RCX]);
}

/* Expect: L1's exits as ever, and nothing is written. */
static void l2_with_every_exit(void)
{
	step(l2_write_control, EVERYTHING);
}

static void l2_with_its_port_wanted(void)
{
	struct vm *vm = create(l2_write_wide, BITMAPS);

	want_port(PM1_CONTROL - 2);
	vm_step(vm);
	say_control();
	say("; ");
	vm = create(l2_write_control, BITMAPS);
	want_port(PM1_CONTROL + 1);
	vm_step(vm);
	say_control();
}

/* Expect: a neighbour's bit does not make the register L1's. */
static void l2_with_a_neighbour_wanted(void)
{
	struct vm *vm = create(l2_write_control, BITMAPS);

	want_port(PM1_CONTROL + 2);
	want_port(PM1_CONTROL - 1);
	vm_step(vm);
	say_control();
}

/* Expect: the control may change between two entries without any other field. */
static void l2_changes_its_exiting(void)
{
	static const struct {
		u64 set, clear;
	} changes[] = {
		{ PROC_USE_IO_BITMAPS, 0 }, { 0, PROC_USE_IO_BITMAPS }, { PROC_UNCONDITIONAL_IO_EXITING, 0 },
		{ PROC_USE_IO_BITMAPS, 0 }, { 0, PROC_USE_IO_BITMAPS | PROC_UNCONDITIONAL_IO_EXITING },
	};
	struct vm *vm = create(l2_write_control, NOTHING);

	vm_step(vm);
	for (u32 i = 0; i < ARRAY_SIZE(changes); i++) {
		vm_restart(vm, l2_write_control);
		vm->gpr[RBX] = S3;
		vm_set(PROCESSOR_BASED_CONTROLS, changes[i].set);
		vm_clear(PROCESSOR_BASED_CONTROLS, changes[i].clear);
		say("; ");
		vm_step(vm);
	}
	say_control();
}

/* Expect: L1's change of its bitmap between two entries takes effect. */
static void l2_bitmap_changes(void)
{
	struct vm *vm = create(l2_write_control, BITMAPS);

	vm_step(vm);
	want_port(PM1_CONTROL);
	vm_restart(vm, l2_write_control);
	vm->gpr[RBX] = S3;
	say("; ");
	vm_step(vm);
	bitmaps[PM1_CONTROL / 8] = 0;
	say("; ");
	vm_step(vm);
	say_control();
}

/* Expect: string instructions are not carried out there. */
static void l2_string(void)
{
	struct vm *vm = create(l2_outs_control, NOTHING);
	u16 *data = page_alloc();

	*data = S3;
	vm->gpr[RSI] = (u64)data;
	vm_step(vm);
	say_control();
}

#define VMCALL(rip) "VMCALL(18) length=3 rip=+" #rip
#define OUT(port, size, rip) "IO_INSTRUCTION(30) qualification=0x" #port "000" #size " length=" rip

/* The PIIX4 of the emulator takes nothing but words there: other widths leave the register as it is. */
#define WRITES VMCALL(8) " control=0x400; " VMCALL(10) " control=0x1c00; " VMCALL(9) " control=0x1c00; "

static const struct scenario scenarios[] = {
	{ "sleep.read", l1_reads, " control=0x1c00 control=0", NULL },
	{ "sleep.l1", l1_suspends, " control=0x400", is_watched },
	{ "sleep.l2_without_exiting", l2_without_exiting, WRITES, is_watched },
	{ "sleep.l2_with_clear_bitmaps", l2_with_clear_bitmaps, WRITES, is_watched },
	{ "sleep.l2_reads", l2_reads, VMCALL(11) " rax=0x1122334455661c00 rcx=0x1c00", is_watched },
	{ "sleep.l2_with_every_exit", l2_with_every_exit, OUT(b004, 1, "2 rip=+6") " control=0x1c00; ", is_watched },
	{ "sleep.l2_with_its_port_wanted", l2_with_its_port_wanted,
	  OUT(b002, 3, "1 rip=+9") " control=0x1c00; " OUT(b004, 1, "2 rip=+6") " control=0x1c00", is_watched },
	{ "sleep.l2_with_a_neighbour_wanted", l2_with_a_neighbour_wanted, VMCALL(8) " control=0x400", is_watched },
	{ "sleep.l2_changes_its_exiting", l2_changes_its_exiting,
	  VMCALL(8) "; " VMCALL(8) "; " VMCALL(8) "; " OUT(b004, 1, "2 rip=+6") "; " VMCALL(8) "; " VMCALL(8) " control=0x400",
	  is_watched },
	{ "sleep.l2_bitmap_changes", l2_bitmap_changes,
	  VMCALL(8) "; " OUT(b004, 1, "2 rip=+6") "; " VMCALL(8) " control=0x400", is_watched },
	{ "sleep.l2_string", l2_string, "EXCEPTION_OR_NMI(0) event=0x80000b0d error=0 rip=+5 control=0x1c00", is_watched },
	{ "sleep.l1_insists", l1_insists, " control=0x400", is_watched },
};

void guest_main(void)
{
	if (!vmx_present()) {
		info("no VMX");
		return;
	}
	info("sleep, Testudo %s", under_testudo() ? "below" : "not found");
	vmx_prepare();
	vmx_on();
	scenarios_run(scenarios, ARRAY_SIZE(scenarios));
	vmx_off();
}
