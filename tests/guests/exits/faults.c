/* SPDX-License-Identifier: MIT */
/*
 * Exceptions of L2 that exit, also in the middle of the delivery of another
 * event, and triple faults: SDM "Information for VM Exits Due to Vectored Events",
 * "Information for VM Exits During Event Delivery".
 */
#include "tests/guests/exits/exits.h"

#include "tests/guests/lib/machine.h"
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

L2(nops); L2(ud2); L2(int3); L2(int_80); L2(divide); L2(x87); L2(sse_overflow); L2(load_ds); L2(load_ss); L2(load_tr); L2(noncanonical);
L2(noncanonical_stack); L2(read); L2(write); L2(jump); L2(long_instruction); L2(trap);

#define NONCANONICAL 0x800000000000ull
#define UNMAPPED (8ull << 30)
#define PRESENT BIT(47)
#define IST1_OFFSET 36

static void simple(void)
{
	static const struct {
		struct exit_line line;
		const u8 *code;
		u64 rax, rsi, rsp;
	} all[] = {
		{ { "fault.divide", NULL }, l2_divide, 0, 0, 0 },
		{ { "fault.breakpoint", NULL }, l2_int3, 0, 0, 0 },
		{ { "fault.undefined", NULL }, l2_ud2, 0, 0, 0 },
		{ { "fault.segment_not_present", NULL }, l2_load_ds, SELECTOR_TSS2, 0, 0 },
		{ { "fault.selector_beyond_limit", NULL }, l2_load_ds, 0xfff8, 0, 0 },
		{ { "fault.stack_selector", NULL }, l2_load_ss, SELECTOR_CODE64, 0, 0 },
		{ { "fault.no_task", NULL }, l2_load_tr, SELECTOR_DATA, 0, 0 },
		{ { "fault.noncanonical", NULL }, l2_noncanonical, 0, NONCANONICAL, 0 },
		{ { "fault.noncanonical_stack", NULL }, l2_noncanonical_stack, 0, 0, NONCANONICAL },
		{ { "fault.page_read", NULL }, l2_read, 0, UNMAPPED + 0x18, 0 },
		{ { "fault.page_write", NULL }, l2_write, 0, UNMAPPED + 0xfff, 0 },
		{ { "fault.page_fetch", NULL }, l2_jump, 0, UNMAPPED + 0x20, 0 },
		{ { "fault.jump_noncanonical", NULL }, l2_jump, 0, NONCANONICAL, 0 },
		{ { "fault.too_long", NULL }, l2_long_instruction, 0, 0, 0 },
	};

	for (volatile u32 i = 0; i < ARRAY_SIZE(all); i++) {
		struct vm *vm = vm_create(all[i].code);

		vm->gpr[RAX] = all[i].rax;
		vm->gpr[RSI] = all[i].rsi;
		if (all[i].rsp)
			vmwrite(GUEST_RSP, all[i].rsp);
		/* A segment that is not present, as data. */
		vm->tables->gdt[SELECTOR_TSS2 / 8] = 0x00cf13000000ffff;
		__asm__ volatile("mov %0, %%cr2" : : "r"(0x77ull));
		step(vm);
		say(" cr2=%lx", read_cr2());
		check_said(all[i].line.name, all[i].line.expected);
	}
}

/* Expect: #PF with the reserved, present and user bits where L2's tables say so. */
static void page_rights(void)
{
	struct vm *vm = vm_create(l2_write);
	u64 *entry = paging_entry(vm->page_table, TEST_ADDRESS, 1, PTE_P | PTE_W), page = (u64)page_alloc();

	vm->gpr[RSI] = TEST_ADDRESS + 8;
	*entry = page | PTE_P;
	vm_set(GUEST_CR0, CR0_WP);
	step(vm);
	check_said("fault.page_read_only", NULL);
	*entry = page | PTE_P | PTE_W | BIT(51);
	vm_flush_all();
	step(vm);
}

static void device_not_available(void)
{
	struct vm *vm = vm_create(l2_x87);

	vm_set(GUEST_CR0, CR0_TS);
	step(vm);
}

static void simd(void)
{
	struct vm *vm = vm_create(l2_sse_overflow);
	u32 all_unmasked = 0, before;

	__asm__ volatile("stmxcsr %0" : "=m"(before));
	__asm__ volatile("pxor %%xmm0, %%xmm0; ldmxcsr %0" : : "m"(all_unmasked));
	vm_set(GUEST_CR4, CR4_OSFXSR | BIT(10));
	vm_run(vm);
	__asm__ volatile("ldmxcsr %0" : : "m"(before));
	vm_say_block(vm);
}

/* --- in the middle of a delivery -------------------------------------------------- */

/* Injects, with a gate or a stack that makes the delivery fail. */
static void fails(const char *name, u32 event, u32 error_code, u32 length, u64 stack, bool gate)
{
	struct vm *vm = vm_create(l2_nops);

	vm_set(GUEST_RFLAGS, RFLAGS_IF);
	if (!gate)
		vm->tables->idt[(event & 0xff) * 2] &= ~PRESENT;
	if (stack)
		memcpy(vm->tables->tss + IST1_OFFSET, &stack, sizeof(stack));
	vm_inject(event, error_code, length);
	step(vm);
	check_said(name, NULL);
}

static void while_delivering(void)
{
	fails("delivery.exception_gate", EVENT_HARDWARE_EXCEPTION | VECTOR_UD, 0, 0, 0, false);
	fails("delivery.interrupt_gate", EVENT_EXTERNAL_INTERRUPT | 0x61, 0, 0, 0, false);
	fails("delivery.nmi_gate", EVENT_NMI | VECTOR_NMI, 0, 0, 0, false);
	fails("delivery.software_gate", EVENT_SOFTWARE_INTERRUPT | 0x80, 0, 2, 0, false);
	fails("delivery.breakpoint_gate", EVENT_SOFTWARE_EXCEPTION | VECTOR_BP, 0, 1, 0, false);
	fails("delivery.privileged_gate", EVENT_PRIVILEGED_SOFTWARE_EXCEPTION | VECTOR_DB, 0, 1, 0, false);
	fails("delivery.interrupt_stack", EVENT_EXTERNAL_INTERRUPT | 0x61, 0, 0, UNMAPPED + 0x1000, true);
	fails("delivery.nmi_stack", EVENT_NMI | VECTOR_NMI, 0, 0, UNMAPPED + 0x1000, true);
	fails("delivery.exception_stack", EVENT_HARDWARE_EXCEPTION | EVENT_ERROR_CODE | VECTOR_GP, 0x10, 0, UNMAPPED + 0x1000, true);
	fails("delivery.page_fault_stack", EVENT_HARDWARE_EXCEPTION | EVENT_ERROR_CODE | VECTOR_PF, 2, 0, UNMAPPED + 0x1000, true);
	fails("delivery.noncanonical_stack", EVENT_SOFTWARE_INTERRUPT | 0x80, 0, 2, NONCANONICAL, true);
	fails("delivery.ept", EVENT_EXTERNAL_INTERRUPT | 0x61, 0, 0, TEST_ADDRESS + 0x1000, true);
	fails("delivery.ept_software", EVENT_SOFTWARE_INTERRUPT | 0x80, 0, 2, TEST_ADDRESS + 0x1000, true);
	fails("delivery.ept_nmi", EVENT_NMI | VECTOR_NMI, 0, 0, TEST_ADDRESS + 0x1000, true);
	fails("delivery.ept_double_fault", EVENT_HARDWARE_EXCEPTION | EVENT_ERROR_CODE | VECTOR_DF, 0, 0, TEST_ADDRESS + 0x1000, true);
}

/* L2's own event meets such a gate or stack. */
static void own(const char *name, const u8 *code, u32 vector, u64 bitmap, u64 stack)
{
	struct vm *vm = vm_create(code);

	vmwrite(EXCEPTION_BITMAP, bitmap);
	if (!stack)
		vm->tables->idt[vector * 2] &= ~PRESENT;
	else
		memcpy(vm->tables->tss + IST1_OFFSET, &stack, sizeof(stack));
	step(vm);
	check_said(name, NULL);
}

static void own_deliveries(void)
{
	own("own.int_gate", l2_int_80, 0x80, BIT(VECTOR_NP), 0);
	own("own.int3_gate", l2_int3, VECTOR_BP, BIT(VECTOR_NP), 0);
	own("own.ud_gate", l2_ud2, VECTOR_UD, BIT(VECTOR_NP), 0);
	own("own.divide_gate", l2_divide, VECTOR_DE, BIT(VECTOR_NP), 0);
	own("own.int_stack", l2_int_80, 0x80, BIT(VECTOR_PF), UNMAPPED + 0x1000);
	own("own.divide_stack", l2_divide, VECTOR_DE, BIT(VECTOR_PF), UNMAPPED + 0x1000);
	own("own.divide_stack_double", l2_divide, VECTOR_DE, BIT(VECTOR_DF), UNMAPPED + 0x1000);
	own("own.divide_stack_triple", l2_divide, VECTOR_DE, 0, UNMAPPED + 0x1000);
	own("own.trap_stack", l2_trap, VECTOR_DB, BIT(VECTOR_PF), UNMAPPED + 0x1000);
	own("own.int_ept", l2_int_80, 0x80, 0, TEST_ADDRESS + 0x1000);
	own("own.trap_ept", l2_trap, VECTOR_DB, 0, TEST_ADDRESS + 0x1000);
}

/* Expect: exit 2 with the state of the instruction; nothing is being vectored. */
static void triple_fault(void)
{
	struct vm *vm = create_free(l2_int_80);

	vmwrite(GUEST_IDTR_LIMIT, 0);
	vm_set(GUEST_RFLAGS, RFLAGS_IF);
	step(vm);
	check_said("triple_fault.int", NULL);
	vm = create_free(l2_trap);
	vmwrite(GUEST_IDTR_LIMIT, 0);
	step(vm);
	check_said("triple_fault.trap", NULL);
	vm = create_free(l2_nops);
	vmwrite(GUEST_IDTR_LIMIT, 0);
	vm_inject(EVENT_NMI | VECTOR_NMI, 0, 0);
	step(vm);
	check_said("triple_fault.nmi", NULL);
	vm = create_free(l2_nops);
	vmwrite(GUEST_IDTR_LIMIT, 0);
	vm_inject(EVENT_SOFTWARE_INTERRUPT | 0x80, 0, 2);
	step(vm);
}

SCENARIOS(fault_scenarios,
	{ "fault.simple", simple, "", NULL },
	{ "fault.page_reserved", page_rights, NULL, NULL },
	{ "fault.device_not_available", device_not_available, NULL, NULL },
	{ "fault.simd", simd, NULL, NULL },
	{ "fault.while_delivering", while_delivering, "", NULL },
	{ "fault.own_deliveries", own_deliveries, "", NULL },
	{ "triple_fault.injected", triple_fault, NULL, NULL },
);
