/* SPDX-License-Identifier: MIT */
/*
 * What the images of boot/root/self_test.h do in root mode. Each says what it
 * is about to touch, so that the panic's dump can be compared with it. Must not
 * be part of the release image: the Makefile compiles it for self tests only.
 */
#include "boot/root/self_test.h"

#include "arch/ops.h"
#include "arch/x86.h"
#include "boot/handoff.h"
#include "boot/root/self_test_locks.h"
#include "boot/root/self_test_mca.h"
#include "boot/root/self_test_nmi.h"
#include "drivers/console.h"
#include "drivers/panic.h"
#include "mm/image.h"
#include "mm/phys.h"
#include "vmx/controls.h"
#include "vmx/nested/nested.h"

#define PATTERN UINT64_C(0x5e1f7e5700000000)
#define X2APIC_ID (IA32_X2APIC_FIRST + 2)
#define NOT_CANONICAL UINT64_C(0x0123000000000000)
#define RETURN_INSTRUCTION 0xc3
#define KEYBOARD_COMMAND 0x64
#define KEYBOARD_RESET 0xfe

static volatile u8 data[16] = { RETURN_INSTRUCTION };

/* The compiler is not to know what address this is. */
static volatile u8 *pointer_to(u64 address)
{
	__asm__("" : "+r"(address));
	return (volatile u8 *)(uintptr_t)address;
}

static u8 read_byte(u64 address)
{
	log_error("self test: reading %016lx", address);
	return *pointer_to(address);
}

static void write_byte(u64 address)
{
	log_error("self test: writing %016lx", address);
	*pointer_to(address) = RETURN_INSTRUCTION;
}

static void run(u64 address)
{
	log_error("self test: running %016lx", address);
	__asm__ volatile("call *%0" : : "r"(address) : "memory", "cc", "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11");
}

/* Guest registers and a field with values that the dump must show. */
static void panic_on_purpose(struct cpu_area *area)
{
	for (u32 i = 0; i < REG_COUNT; i++)
		area->vcpu.regs.gpr[i] = PATTERN + i;
	vmcs_write(&area->vcpu.vmcs01, VMCS_GUEST_IA32_SYSENTER_EIP, PATTERN + REG_COUNT);
	panic("self test: panic on purpose, number %u", SELF_TEST_PANIC);
}

/* By the keyboard controller: after the reset that shutdown() asks for first OVMF does not start in Bochs (docs/emulators.md). */
static void reset_softly(void)
{
	out8(KEYBOARD_COMMAND, KEYBOARD_RESET);
}

/* The memory around the block is in the direct map, so the fault is the block's own. */
static void read_hidden_block(const struct handoff *handoff)
{
	u64 block = DIRECT_MAP_BASE + handoff->block_base;

	(void)read_byte(block - 1);
	(void)read_byte(block + handoff->block_size);
	log_error("self test: now the block, which is not there");
	(void)read_byte(block);
}

/* What is offered is what L0's checks go by: for these, the processor's are the only ones that are left. */
static void offer_too_much(struct vmx_caps *offered)
{
	offered->basic |= VMX_BASIC_ANY_ERROR_CODE;
	offered->linear_address_bits = 57;
}

/* The caller's room is read afterwards, so that each call has its own. */
static noinline u32 go_deeper(u32 depth, const volatile u32 *above)
{
	volatile u32 room[64];

	room[0] = depth;
	return depth == 0 ? *above : go_deeper(depth - 1, room) + *above;
}

static void overflow_stack(const struct cpu_area *area)
{
	u64 guard = area->cpu.stack_top - (STACK_PAGES + 1) * PAGE_SIZE;
	const volatile u32 depth = 0;

	log_error("self test: overflowing into %016lx", guard);
	(void)go_deeper((u32)((STACK_PAGES + 1) * PAGE_SIZE / sizeof(u32[64])), &depth);
}

static void check(const char *what, bool right)
{
	log_error("self test: %s: %s", what, right ? "as it must be" : "WRONG");
}

static void try_fixups(void)
{
	u64 value = 1, old, now;

	check("RDMSR of an MSR that is there", rdmsr_safe(IA32_PAT, &old) && old == rdmsr(IA32_PAT));
	check("WRMSR of a good value", wrmsr_safe(IA32_PAT, old));
	/* SDM "x2APIC Register Address Space": these fault unless the APIC is in x2APIC mode. */
	check("the APIC is not in x2APIC mode", !(rdmsr(IA32_APIC_BASE) & BIT(10)));
	check("RDMSR of an MSR that is not there", !rdmsr_safe(X2APIC_ID, &value) && value == 0);
	old = rdmsr(IA32_LSTAR);
	check("WRMSR of an address that is not canonical", !wrmsr_safe(IA32_LSTAR, NOT_CANONICAL));
	check("WRMSR of reserved bits", !wrmsr_safe(IA32_EFER, ~UINT64_C(0)));
	now = rdmsr(IA32_LSTAR);
	check("the MSR has kept its value", now == old);
	check("XSETBV of the value that is there", xsetbv_safe(0, xgetbv(0)));
	check("XSETBV without x87 state", !xsetbv_safe(0, 0));
	check("XSETBV of a register that is not there", !xsetbv_safe(1, 1));
}

/* An exit that L0 never asks for, of the boot processor or the others, so that L1 has a panic whenever it likes. */
static void intercept(struct cpu_area *area, u32 control, u32 of_boot_processor)
{
	const struct vmcs *vmcs01 = &area->vcpu.vmcs01;

	if (area->cpu.handoff->cpus[area->cpu.index].is_boot_processor == of_boot_processor)
		vmcs_write(vmcs01, VMCS_PROCESSOR_BASED_CONTROLS, vmcs_read(vmcs01, VMCS_PROCESSOR_BASED_CONTROLS) | control);
}

void self_test(struct cpu_area *area)
{
	switch (TESTUDO_SELF_TEST) {
	case SELF_TEST_PANIC:
		panic_on_purpose(area);
		break;
	case SELF_TEST_PANIC_THEN_RESET:
		panic_set_last_act(reset_softly);
		panic("self test: panic on purpose, number %u", SELF_TEST_PANIC_THEN_RESET);
	case SELF_TEST_PANIC_OF_LAST:
		if (area->cpu.handoff->cpus[area->cpu.index].is_boot_processor)
			panic("self test: panic of the last processor");
		break;
	case SELF_TEST_WRITE_TO_CODE:
		write_byte((u64)(uintptr_t)image_start);
		break;
	case SELF_TEST_WRITE_TO_CONSTANT:
		write_byte((u64)(uintptr_t)image_text_end);
		break;
	case SELF_TEST_RUN_DATA:
		run((u64)(uintptr_t)data);
		break;
	case SELF_TEST_RUN_L1_MEMORY:
		run(DIRECT_MAP_BASE + area->firmware.frame.return_address);
		break;
	case SELF_TEST_PAGE_0:
		(void)read_byte(0x10);
		break;
	case SELF_TEST_BLOCK_HIDDEN:
		read_hidden_block(area->cpu.handoff);
		break;
	case SELF_TEST_GUARD_PAGE:
		overflow_stack(area);
		break;
	case SELF_TEST_STRAY_FAULT:
		log_error("self test: RDMSR outside the fixup table");
		(void)rdmsr(X2APIC_ID);
		break;
	case SELF_TEST_LOCK_ORDER:
	case SELF_TEST_LOCK_RANKS_EQUAL:
	case SELF_TEST_LOCK_AT_ENTRY:
	case SELF_TEST_LINE_INTERRUPTED:
	case SELF_TEST_CONSOLE_OWNER_GONE:
		self_test_locks(TESTUDO_SELF_TEST);
		break;
	case SELF_TEST_MACHINE_CHECK:
	case SELF_TEST_MACHINE_CHECK_BANKS:
	case SELF_TEST_MACHINE_CHECK_ENTRY:
		self_test_mca(area, TESTUDO_SELF_TEST);
		break;
	case SELF_TEST_PANIC_AT_RDPMC:
		intercept(area, PROC_RDPMC_EXITING, 1);
		break;
	case SELF_TEST_PANIC_OF_OTHER_AT_RDPMC:
		intercept(area, PROC_RDPMC_EXITING, 0);
		break;
	case SELF_TEST_PANIC_AT_MONITOR:
		intercept(area, PROC_MONITOR_EXITING, 1);
		break;
	case SELF_TEST_PANIC_AT_INVLPG:
		intercept(area, PROC_INVLPG_EXITING, 1);
		break;
	case SELF_TEST_MSR_FIXUP:
		try_fixups();
		break;
	case SELF_TEST_NMI:
		check("an NMI to this processor", self_test_nmi(area));
		break;
	case SELF_TEST_LACKING_CHECKS:
		offer_too_much(&area->vcpu.nested->offered);
		break;
	default:
		panic("no such self test: %u", TESTUDO_SELF_TEST);
	}
	log_error("self test: going on");
}
