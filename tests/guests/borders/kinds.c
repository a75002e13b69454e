/* SPDX-License-Identifier: MIT */
/*
 * One L2 for each mode that VM entry can begin in, plain and with as many
 * controls in use as go together. Its tables map its own few pages alone: what
 * a changed state makes the processor write cannot hit anything else.
 * No instruction of theirs is ever executed: the timer stands at 0.
 */
#include "tests/guests/borders/borders.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/report.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define PAGES 80
#define MAX_SUBJECTS 20
#define STUB_SIZE 16
#define DEFAULT_PAT 0x0007040600070406ull
#define VTPR 0x80
#define RSP0 4
#define SS0 8
#define GATE_32 0x8e0000180000ull /* SELECTOR_CODE32 */

enum mode { IA32E, COMPATIBILITY, PAGING_32, PAE, VIRTUAL_8086, UNPAGED, REAL };

struct kind {
	const char *name;
	enum mode mode;
	bool ept, rich;
};

static const struct kind kinds[] = {
	{ "ia32e", IA32E, true, false },
	{ "ia32e.rich", IA32E, true, true },
	{ "ia32e.no_ept", IA32E, false, false },
	{ "compatibility", COMPATIBILITY, true, false },
	{ "compatibility.no_ept", COMPATIBILITY, false, true },
	{ "paging32", PAGING_32, true, false },
	{ "paging32.no_ept", PAGING_32, false, true },
	{ "pae", PAE, true, false },
	{ "pae.rich", PAE, true, true },
	{ "pae.no_ept", PAE, false, false },
	{ "virtual8086", VIRTUAL_8086, true, false },
	{ "virtual8086.no_ept", VIRTUAL_8086, false, true },
	{ "unpaged", UNPAGED, true, false },
	{ "real", REAL, true, false },
	{ "real.rich", REAL, true, true },
};

static u64 ia32e_tables(const struct subject *s, u64 flags)
{
	u64 root = (u64)page_alloc();

	for (u64 at = s->start; at < s->end; at += PAGE_SIZE)
		*paging_entry(root, at, 1, PTE_P | PTE_W | PTE_U) = at | PTE_P | PTE_W | flags;
	return root;
}

static u64 tables_32(const struct subject *s)
{
	u32 *directory = page_alloc();

	for (u64 at = s->start; at < s->end; at += PAGE_SIZE) {
		u32 *entry = &directory[at >> 22];

		if (!*entry)
			*entry = (u32)(u64)page_alloc() | (u32)(PTE_P | PTE_W | PTE_U);
		((u32 *)(u64)(*entry & ~0xfffu))[at >> 12 & 1023] = (u32)at | (u32)(PTE_P | PTE_W | PTE_U);
	}
	return (u64)directory;
}

static u64 *pae_tables(const struct subject *s)
{
	u64 *pointers = page_alloc();

	for (u64 i = 0; i < 4; i++)
		pointers[i] = (u64)page_alloc() | PTE_P;
	for (u64 at = s->start; at < s->end; at += PAGE_SIZE) {
		u64 *entry = &((u64 *)(pointers[at >> 30 & 3] & ~0xfffull))[at >> 21 & 511];

		if (!*entry)
			*entry = (u64)page_alloc() | PTE_P | PTE_W;
		((u64 *)(*entry & ~0xfffull))[at >> 12 & 511] = at | PTE_P | PTE_W;
	}
	return pointers;
}

static void use_ept(struct subject *s)
{
	u64 root = (u64)page_alloc();

	for (u64 at = s->start; at < s->end; at += PAGE_SIZE)
		*ept_entry(root, at, 1) = at | EPT_RWX | EPT_MEMORY_TYPE_WB;
	s->vm->ept = root;
	vm_set_secondary(PROC2_ENABLE_EPT);
	vmwrite(EPT_POINTER, root | EPTP_WB | EPTP_4_LEVELS);
}

/* Event delivery in 32-bit mode: gates of 8 bytes, and the stack for L2s at CPL 3. */
static void tables_for_32_bit(struct subject *s, u64 stubs, u64 stack_top)
{
	struct descriptor_tables *t = s->vm->tables;
	u32 stack = (u32)stack_top, selector = SELECTOR_DATA;

	memcpy(t->tss + RSP0, &stack, sizeof(stack));
	memcpy(t->tss + SS0, &selector, sizeof(selector));
	for (u64 vector = 0; vector < 256; vector++) {
		u64 handler = stubs + vector * STUB_SIZE;

		t->idt[vector] = (handler & 0xffff) | GATE_32 | (handler >> 16 & 0xffff) << 48;
	}
	vmwrite(GUEST_IDTR_LIMIT, 256 * 8 - 1);
}

static void leave_ia32e(void)
{
	vm_clear(VM_ENTRY_CONTROLS, ENTRY_IA32E_MODE_GUEST);
	vmwrite(GUEST_IA32_EFER, 0);
	vmwrite(GUEST_CS_SELECTOR, SELECTOR_CODE32);
	vmwrite(GUEST_CS_ACCESS_RIGHTS, 0xc09b);
}

static void segments_16(u64 selector, u64 base, u64 rights)
{
	for (u32 i = 0; i < 6; i++) {
		vmwrite(GUEST_ES_SELECTOR + i * 2, selector);
		vmwrite(GUEST_ES_BASE + i * 2, base);
		vmwrite(GUEST_ES_LIMIT + i * 2, 0xffff);
		vmwrite(GUEST_ES_ACCESS_RIGHTS + i * 2, rights);
	}
	vmwrite(GUEST_RIP, 0);
	vmwrite(GUEST_RSP, 0x800);
}

static void enter_mode(struct subject *s, const struct kind *kind, u64 code, u64 stack)
{
	u64 *pointers;

	switch (kind->mode) {
	case IA32E:
		vmwrite(GUEST_CR3, ia32e_tables(s, 0));
		return;
	case COMPATIBILITY:
		vmwrite(GUEST_CR3, ia32e_tables(s, 0));
		vmwrite(GUEST_CS_SELECTOR, SELECTOR_CODE32);
		vmwrite(GUEST_CS_ACCESS_RIGHTS, 0xc09b);
		return;
	case PAE:
		pointers = pae_tables(s);
		vmwrite(GUEST_CR3, (u64)pointers);
		for (u32 i = 0; i < 4; i++) {
			vmwrite(GUEST_PDPTE0 + i * 2, pointers[i]);
			s->memory[MEMORY_PDPTE0 - IN_MEMORY + i] = &pointers[i];
		}
		break;
	case PAGING_32:
		vm_clear(GUEST_CR4, CR4_PAE);
		vmwrite(GUEST_CR3, tables_32(s));
		break;
	case VIRTUAL_8086:
		vm_clear(GUEST_CR4, CR4_PAE);
		vmwrite(GUEST_CR3, tables_32(s));
		segments_16(0x800, 0x8000, 0xf3);
		vmwrite(GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_VM);
		break;
	case UNPAGED:
	case REAL:
		vm_set_secondary(PROC2_UNRESTRICTED_GUEST);
		vm_clear(GUEST_CR0, kind->mode == REAL ? CR0_PE | CR0_PG : CR0_PG);
		vm_clear(GUEST_CR4, CR4_PAE);
		if (kind->mode == REAL) {
			segments_16(0x1234, code, 0x93);
			vmwrite(GUEST_SS_BASE, stack);
		}
		break;
	}
	vm_clear(VM_ENTRY_CONTROLS, ENTRY_IA32E_MODE_GUEST);
	vmwrite(GUEST_IA32_EFER, 0);
	if (kind->mode == PAE || kind->mode == PAGING_32 || kind->mode == UNPAGED)
		leave_ia32e();
}

/* Every address field names a page, so that a control that is set by chance finds one. */
static void fill_addresses(void)
{
	static const u16 pages[] = { IO_BITMAP_A, IO_BITMAP_B, VIRTUAL_APIC_ADDRESS, APIC_ACCESS_ADDRESS, PML_ADDRESS,
				     POSTED_INTERRUPT_DESCRIPTOR, EPTP_LIST_ADDRESS, VIRTUALIZATION_EXCEPTION_ADDRESS,
				     VMREAD_BITMAP_ADDRESS, VMWRITE_BITMAP_ADDRESS, VM_EXIT_MSR_STORE_ADDRESS, VM_EXIT_MSR_LOAD_ADDRESS };

	for (u32 i = 0; i < ARRAY_SIZE(pages); i++)
		attempt(op_vmwrite, pages[i], (u64)page_alloc());
	attempt(op_vmwrite, VIRTUAL_PROCESSOR_IDENTIFIER, 7);
	attempt(op_vmwrite, PML_INDEX, 511);
	attempt(op_vmwrite, TSC_MULTIPLIER, BIT(48));
	attempt(op_vmwrite, VM_FUNCTION_CONTROLS, 0);
	attempt(op_vmwrite, TPR_THRESHOLD, 0);
}

static void msr_lists(struct subject *s)
{
	u64 *entry = page_alloc();

	entry[0] = IA32_KERNEL_GS_BASE;
	s->memory[MEMORY_MSR_INDEX - IN_MEMORY] = &entry[0];
	s->memory[MEMORY_MSR_DATA - IN_MEMORY] = &entry[1];
	vmwrite(VM_ENTRY_MSR_LOAD_ADDRESS, (u64)entry);
	vmwrite(VM_ENTRY_MSR_LOAD_COUNT, 1);
	for (u32 field = VM_EXIT_MSR_STORE_ADDRESS; field <= VM_EXIT_MSR_LOAD_ADDRESS; field += 2)
		*(u64 *)vmread(field) = IA32_KERNEL_GS_BASE;
}

static void enrich(struct subject *s)
{
	s->memory[MEMORY_VTPR - IN_MEMORY] = (u64 *)(vmread(VIRTUAL_APIC_ADDRESS) + VTPR);
	vm_set(PIN_BASED_CONTROLS, PIN_EXTERNAL_INTERRUPT_EXITING | PIN_NMI_EXITING | PIN_VIRTUAL_NMIS);
	vm_set(PROCESSOR_BASED_CONTROLS, PROC_USE_TPR_SHADOW | PROC_USE_IO_BITMAPS);
	vm_set_secondary(PROC2_ENABLE_VPID | PROC2_ENABLE_RDTSCP | PROC2_VIRTUALIZE_APIC_ACCESSES);
	vm_set(VM_EXIT_CONTROLS, EXIT_ACKNOWLEDGE_INTERRUPT | EXIT_SAVE_IA32_PAT | EXIT_SAVE_IA32_EFER);
	vmwrite(VM_EXIT_MSR_STORE_COUNT, 1);
	vmwrite(VM_EXIT_MSR_LOAD_COUNT, 1);
}

static void common_state(void)
{
	vm_set(VM_ENTRY_CONTROLS, ENTRY_LOAD_DEBUG_CONTROLS | ENTRY_LOAD_IA32_PAT | ENTRY_LOAD_IA32_EFER);
	vm_set(VM_EXIT_CONTROLS, EXIT_SAVE_DEBUG_CONTROLS | EXIT_LOAD_IA32_PAT | EXIT_LOAD_IA32_EFER);
	vmwrite(GUEST_IA32_PAT, DEFAULT_PAT);
	vmwrite(HOST_IA32_PAT, DEFAULT_PAT);
	vmwrite(GUEST_IA32_EFER, rdmsr(IA32_EFER));
	vmwrite(HOST_IA32_EFER, rdmsr(IA32_EFER));
	attempt(op_vmwrite, GUEST_IA32_PERF_GLOBAL_CTRL, 0);
	attempt(op_vmwrite, HOST_IA32_PERF_GLOBAL_CTRL, 0);
	vmwrite(VMX_PREEMPTION_TIMER_VALUE, 0);
	for (u32 i = 0; i < 4; i++)
		vmwrite(GUEST_PDPTE0 + i * 2, 0);
}

static void make(struct subject *s, const struct kind *kind)
{
	u64 code, stubs, stack;

	s->name = kind->name;
	s->start = pages_mark();
	s->end = s->start + PAGES * PAGE_SIZE;
	code = (u64)page_alloc();
	stubs = (u64)page_alloc();
	stack = (u64)page_alloc();
	s->vm = vm_create_without_ept((u8 *)code);
	descriptors_build(s->vm->tables, stubs, STUB_SIZE, stack + PAGE_SIZE);
	vmwrite(GUEST_RSP, s->vm->stack_top - PAGE_SIZE / 2);
	common_state();
	fill_addresses();
	if (kind->ept)
		use_ept(s);
	enter_mode(s, kind, code, s->vm->stack_top - PAGE_SIZE);
	if (kind->mode != IA32E && kind->mode != COMPATIBILITY)
		tables_for_32_bit(s, stubs, stack + PAGE_SIZE);
	msr_lists(s);
	if (kind->rich)
		enrich(s);
	verdict_remember(s);
	if (pages_mark() > s->end)
		scenario_abort("%s needs %u pages", s->name, (u32)((pages_mark() - s->start) / PAGE_SIZE));
	pages_release(s->end);
}

struct subject *subjects_make(u32 *count)
{
	static struct subject made[MAX_SUBJECTS];

	static_assert(ARRAY_SIZE(kinds) <= MAX_SUBJECTS, "room for each");
	for (u32 i = 0; i < ARRAY_SIZE(kinds); i++)
		make(&made[i], &kinds[i]);
	*count = ARRAY_SIZE(kinds);
	return made;
}
