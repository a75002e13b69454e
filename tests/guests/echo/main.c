/* SPDX-License-Identifier: MIT */
/*
 * echo: reads COM1, polled, and tells each byte on a line of its own, so that whoever types sees what gets through. Some
 * bytes ask for more: the port's registers, loopback with the monitor's key in it, an L2 that reads the port, a port
 * that nobody reads for a while, and guests that hang in some way until somebody else takes a byte. But for those it runs
 * bare as well, where nothing but the guest itself gets a byte.
 */
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/report.h"
#include "tests/guests/lib/vm.h"
#include "tests/guests/lib/vmx_ops.h"

#define COM1 0x3f8
#define INTERRUPTS (COM1 + 1)
#define LINE_CONTROL (COM1 + 3)
#define MODEM_CONTROL (COM1 + 4)
#define LINE_STATUS (COM1 + 5)
#define SCRATCH (COM1 + 7)
#define HAS_BYTE 1
#define HAS_ROOM 0x20
#define IS_EMPTY 0x40
#define DIVISOR_LATCH 0x80
#define LOOP 0x10
#define IA32_FEATURE_CONTROL 0x3a	/* whose exit takes the long way */
#define KEY 0x1d	/* Ctrl-], which opens the monitor */
#define XON 0x11	/* what it may get in place of the key */
#define REASON_VMCALL 18
#define TRIES 1000000

extern const u8 l2_reader[], l2_hung[], l2_knocker[];

static bool has_byte(void)
{
	return in8(LINE_STATUS) & HAS_BYTE;
}

static u8 read_byte(void)
{
	u8 byte;

	do {
		while (!has_byte())
			;
		byte = in8(COM1);
	} while (byte == XON);
	return byte;
}

static void wait_for(u8 status)
{
	for (u32 i = 0; i < TRIES && !(in8(LINE_STATUS) & status); i++)
		;
}

/* As they are now; another look must find them so. */
static void tell_registers(void)
{
	info("registers %x %x %x %x", in8(INTERRUPTS), in8(LINE_CONTROL), in8(MODEM_CONTROL), in8(SCRATCH));
}

/* What Testudo's own output would not leave as it is for long, if it were not put back. */
static void set_odd_registers(void)
{
	wait_for(IS_EMPTY);
	out8(MODEM_CONTROL, 0x01);
	out8(SCRATCH, 0x5a);
	tell_registers();
}

static void send_to_itself(u8 byte)
{
	wait_for(IS_EMPTY);
	out8(MODEM_CONTROL, in8(MODEM_CONTROL) | LOOP);
	out8(COM1, byte);
	wait_for(HAS_BYTE);
}

static void end_loop(void)
{
	out8(MODEM_CONTROL, (u8)(in8(MODEM_CONTROL) & ~LOOP));
}

/* The key in every other way than from outside: within loopback, left over from it, read twice, as a divisor. */
static void key_of_its_own(void)
{
	u8 within, left, again, divisor, low;

	send_to_itself(KEY);
	within = in8(COM1);
	end_loop();
	send_to_itself(KEY);
	end_loop();
	left = in8(COM1);
	again = in8(COM1);
	out8(LINE_CONTROL, in8(LINE_CONTROL) | DIVISOR_LATCH);
	low = in8(COM1);
	out8(COM1, KEY);
	divisor = in8(COM1);
	out8(COM1, low);
	out8(LINE_CONTROL, (u8)(in8(LINE_CONTROL) & ~DIVISOR_LATCH));
	(void)again;
	info("own key %x %x %x", within, left, divisor);
}

/* With the port passed through, and time without end. */
static struct vm *create_reader(void)
{
	struct vm *vm = vm_create(l2_reader);

	vm_clear(PROCESSOR_BASED_CONTROLS, PROC_UNCONDITIONAL_IO_EXITING);
	vm_clear(PIN_BASED_CONTROLS, PIN_ACTIVATE_PREEMPTION_TIMER);
	return vm;
}

static u8 byte_from_l2(struct vm *vm)
{
	do {
		if (!vm_run(vm) || vm->basic_reason != REASON_VMCALL)
			scenario_abort("exit %u", vm->basic_reason);
		vm_skip(vm);
	} while ((u8)vm->gpr[RAX] == XON);
	return (u8)vm->gpr[RAX];
}

/* L2 reads instead, until a zero comes, or rather a '0'. */
static void read_in_l2(void)
{
	struct vm *vm = create_reader();
	u8 byte;

	info("L2 reads");
	do {
		byte = byte_from_l2(vm);
		info("L2 got %x", byte);
	} while (byte != '0');
	say("all");
}

/* All that L1 can read of its VMCS, before a byte comes and after it: whatever the monitor shows meanwhile changes nothing. */
static u64 sum_of_fields(void)
{
	u64 sum = 0, value;

	for (u64 width = 0; width < 4; width++)
		for (u64 type = 0; type < 4; type++)
			for (u64 index = 0; index < 64; index++) {
				u64 field = width << 13 | type << 10 | index << 1;

				if (op_vmread(field, (u64)(uintptr_t)&value) == OUTCOME_OK)
					sum = (sum << 7 | sum >> 57) ^ value ^ field;
			}
	return sum;
}

static void fields_stay(void)
{
	struct vm *vm = create_reader();
	u64 before, after;

	info("fields: L2 reads");
	for (u32 i = 0; i < 3; i++)
		(void)byte_from_l2(vm);
	before = sum_of_fields();
	info("fields: L1 reads");
	info("L1 got %x", read_byte());
	after = sum_of_fields();
	expect(before == after);
	say("the same, and L2 got %x", byte_from_l2(vm));
}

/* Nobody reads; there are exits, though. Then everything that has come is read. */
static void leave_alone(void)
{
	u64 end = rdtsc() + 500000000;

	info("nobody reads");
	while (rdtsc() < end)
		(void)rdmsr(IA32_FEATURE_CONTROL);
	info("reading again");
}

/* --- hanging, until a byte has come and somebody else has taken it ------------------------ */

/* In the emulator a port takes longer than many instructions. */
static void idle(void)
{
	for (u64 begin = rdtsc(); rdtsc() - begin < 100000;)
		;
}

/* Without an exit: the line status is not watched. */
static void hang_in_l1(bool interrupts)
{
	wait_for(IS_EMPTY);
	out8(INTERRUPTS, interrupts);
	info("L1 hangs");
	wait_for(IS_EMPTY);
	while (!has_byte())
		idle();
	while (has_byte())
		idle();
	out8(INTERRUPTS, 0);
	info("L1 goes on");
}

static void hang_in_l2(void)
{
	struct vm *vm = vm_create(l2_hung);

	vm_clear(PROCESSOR_BASED_CONTROLS, PROC_UNCONDITIONAL_IO_EXITING);
	vm_clear(PIN_BASED_CONTROLS, PIN_ACTIVATE_PREEMPTION_TIMER);
	info("L2 hangs");
	(void)vm_run(vm);
	say("exit %u", vm->basic_reason);
}

/* The mistake that is made most often: L1 does not skip what made L2 exit. The exits come and go the quick way. */
static void hang_between(void)
{
	struct vm *vm = vm_create(l2_knocker);
	bool came = false;
	u32 unexpected = 0;

	vm_clear(PIN_BASED_CONTROLS, PIN_ACTIVATE_PREEMPTION_TIMER);
	info("L1 and L2 hang");
	wait_for(IS_EMPTY);
	while (!came || has_byte()) {
		came |= has_byte();
		for (u32 i = 0; i < 1000; i++)
			unexpected += !vm_run(vm) || vm->basic_reason != REASON_VMCALL;
	}
	say("%u other exits", unexpected);
}

/* For ever. */
static void halt(void)
{
	info("L1 halts");
	for (;;)
		__asm__ volatile("cli; hlt");
}

static const struct scenario vm_scenarios[] = {
	{ .name = "l2_reads", .run = read_in_l2, .expected = "all" },
	{ .name = "fields_stay", .run = fields_stay },
	{ .name = "hang_in_l2", .run = hang_in_l2, .expected = "exit 18" },
	{ .name = "hang_between", .run = hang_between, .expected = "0 other exits" },
};

void guest_main(void)
{
	u8 byte;

	vmx_prepare();
	vmx_on();
	info("ready");
	do {
		byte = read_byte();
		info("got %x", byte);
		switch (byte) {
		case 'R': tell_registers(); break;
		case 'O': set_odd_registers(); break;
		case 'K': key_of_its_own(); break;
		case 'V': scenarios_run(&vm_scenarios[0], 1); break;
		case 'F': scenarios_run(&vm_scenarios[1], 1); break;
		case 'N': leave_alone(); break;
		case '1': hang_in_l1(false); break;
		case 'I': hang_in_l1(true); break;
		case '2': scenarios_run(&vm_scenarios[2], 1); break;
		case 'B': scenarios_run(&vm_scenarios[3], 1); break;
		case 'H': halt(); break;
		default: break;
		}
	} while (byte != 'q');
	vmx_off();
}
