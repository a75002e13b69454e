/* SPDX-License-Identifier: MIT */
/*
 * Task switches, by instructions and through task gates: SDM "Exit Qualification
 * for Task Switches", "Treatment of Task Switches", with the length and the event
 * that was being delivered.
 */
#include "tests/guests/exits/exits.h"

#include "tests/guests/lib/machine.h"
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

L2(task_jmp); L2(task_call); L2(task_jmp_indirect); L2(task_iret); L2(task_int); L2(task_int3); L2(task_ud2); L2(task_page_fault);
L2(task_nops);

#define TASK_GATE (0x85ull << 40 | (u64)SELECTOR_TSS2 << 16)
#define AVAILABLE_TSS 0x89ull
#define BUSY_TSS 0x8bull

static bool has_efer(void)
{
	return entry_offers(ENTRY_LOAD_IA32_EFER) && exit_offers(EXIT_LOAD_IA32_EFER);
}

static u64 page_directory(void)
{
	u32 *directory = page_alloc();

	for (u32 i = 0; i < 1024; i++)
		directory[i] = (i << 22) | (u32)(PTE_P | PTE_W | PTE_PS);
	return (u64)directory;
}

/* Flat 32-bit L2 whose gates all lead to another task. */
static struct vm *create(const u8 *code, u64 tss_type)
{
	struct vm *vm = create_free(code);
	u64 base = (u64)page_alloc();
	u64 *idt = page_alloc();

	vm_clear(VM_ENTRY_CONTROLS, ENTRY_IA32E_MODE_GUEST);
	vm_set(VM_ENTRY_CONTROLS, ENTRY_LOAD_IA32_EFER);
	vm_set(VM_EXIT_CONTROLS, EXIT_LOAD_IA32_EFER);
	vmwrite(GUEST_IA32_EFER, 0);
	vmwrite(HOST_IA32_EFER, rdmsr(IA32_EFER));
	vmwrite(GUEST_CS_SELECTOR, SELECTOR_CODE32);
	vmwrite(GUEST_CS_ACCESS_RIGHTS, 0xc09b);
	vm_clear(GUEST_CR4, CR4_PAE);
	vm_set(GUEST_CR4, CR4_PSE);
	vmwrite(GUEST_CR3, page_directory());
	vm->tables->gdt[SELECTOR_TSS2 / 8] = 0x67 | ((base & 0xffffff) << 16) | (tss_type << 40) | ((base >> 24 & 0xff) << 56);
	for (u32 i = 0; i < 256; i++)
		idt[i] = TASK_GATE;
	vmwrite(GUEST_IDTR_BASE, (u64)idt);
	vmwrite(GUEST_IDTR_LIMIT, 256 * 8 - 1);
	/* The back link, for IRET with NT. */
	*(u16 *)vm->tables->tss = SELECTOR_TSS2;
	return vm;
}

static void by_instruction(void)
{
	static const struct {
		struct exit_line line;
		const u8 *code;
		u64 type, flags;
	} all[] = {
		{ { "task.jmp", NULL }, l2_task_jmp, AVAILABLE_TSS, 0 },
		{ { "task.call", NULL }, l2_task_call, AVAILABLE_TSS, 0 },
		{ { "task.jmp_indirect", NULL }, l2_task_jmp_indirect, AVAILABLE_TSS, RFLAGS_IF },
		{ { "task.iret", NULL }, l2_task_iret, BUSY_TSS, RFLAGS_NT },
		{ { "task.int", NULL }, l2_task_int, AVAILABLE_TSS, 0 },
		{ { "task.int3", NULL }, l2_task_int3, AVAILABLE_TSS, RFLAGS_IF },
		{ { "task.exception", NULL }, l2_task_ud2, AVAILABLE_TSS, 0 },
		{ { "task.exception_with_error", NULL }, l2_task_page_fault, AVAILABLE_TSS, 0 },
	};

	for (volatile u32 i = 0; i < ARRAY_SIZE(all); i++) {
		struct vm *vm = create(all[i].code, all[i].type);
		u32 *pointer = page_alloc();

		pointer[0] = 0x77, pointer[1] = SELECTOR_TSS2;
		vm->gpr[RSI] = (u64)pointer;
		if (all[i].code == l2_task_page_fault) {
			((u32 *)vmread(GUEST_CR3))[1023] = 0;
			vm->gpr[RSI] = 0xffc00010;
		}
		vm_set(GUEST_RFLAGS, all[i].flags);
		step(vm);
		check_said(all[i].line.name, all[i].line.expected);
	}
}

static void by_injection(void)
{
	static const struct {
		struct exit_line line;
		u32 event, error_code, length;
	} all[] = {
		{ { "task.injected_interrupt", NULL }, EVENT_EXTERNAL_INTERRUPT | 0x61, 0, 0 },
		{ { "task.injected_nmi", NULL }, EVENT_NMI | VECTOR_NMI, 0, 0 },
		{ { "task.injected_exception", NULL }, EVENT_HARDWARE_EXCEPTION | VECTOR_UD, 0, 0 },
		{ { "task.injected_error", NULL }, EVENT_HARDWARE_EXCEPTION | EVENT_ERROR_CODE | VECTOR_GP, 0x38, 0 },
		{ { "task.injected_software", NULL }, EVENT_SOFTWARE_INTERRUPT | 0x80, 0, 2 },
		{ { "task.injected_breakpoint", NULL }, EVENT_SOFTWARE_EXCEPTION | VECTOR_BP, 0, 1 },
		{ { "task.injected_privileged", NULL }, EVENT_PRIVILEGED_SOFTWARE_EXCEPTION | VECTOR_DB, 0, 1 },
	};

	for (volatile u32 i = 0; i < ARRAY_SIZE(all); i++) {
		struct vm *vm = create(l2_task_nops, AVAILABLE_TSS);

		/* Once for the pages: Bochs sets RF when an EPT violation, also of a hypervisor beneath, meets the delivery. */
		vm_set(GUEST_RFLAGS, RFLAGS_IF);
		vm_inject(all[i].event, all[i].error_code, all[i].length);
		vm_run(vm);
		vm_restart(vm, l2_task_nops);
		vm_set(GUEST_RFLAGS, RFLAGS_IF);
		vm_inject(all[i].event, all[i].error_code, all[i].length);
		step(vm);
		check_said(all[i].line.name, all[i].line.expected);
	}
}

/* Expect: a busy or absent target is an exception first, as without VMX. */
static void refused(void)
{
	struct vm *vm = create(l2_task_jmp, BUSY_TSS);

	vmwrite(EXCEPTION_BITMAP, 0xffffffff);
	step(vm);
	check_said("task.busy", NULL);
	vm = create(l2_task_int, AVAILABLE_TSS & ~0x80ull);
	vmwrite(EXCEPTION_BITMAP, 0xffffffff);
	step(vm);
}

SCENARIOS(task_scenarios,
	{ "task.by_instruction", by_instruction, "", has_efer },
	{ "task.by_injection", by_injection, "", has_efer },
	{ "task.not_present", refused, NULL, has_efer },
);
