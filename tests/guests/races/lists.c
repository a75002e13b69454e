/* SPDX-License-Identifier: MIT */
/*
 * What a VMCS points to: MSR lists, bitmaps, the virtual-APIC page and the
 * posted-interrupt descriptor. Exit lists get only entries that are good: a bad
 * one would be L1's own VMX abort.
 */
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"
#include "tests/guests/races/races.h"

#define ROUNDS 300
#define LIST_ENTRIES 16
#define ERROR_CONTROLS 7u
#define THRESHOLD 4

struct list_entry {
	volatile u64 index; /* and 32 bits that must be 0 */
	volatile u64 value;
};

static struct list_entry *entry_load, *exit_load, *exit_store;
static volatile u64 *pages;
static u64 page_words;
static const u64 *hot; /* words that L2 or the entry looks at */
static u64 hot_count;

static void write_lists(struct random *random)
{
	static const u64 any[] = { IA32_SYSENTER_CS, IA32_SYSENTER_ESP, IA32_SYSENTER_EIP, IA32_STAR, IA32_FS_BASE,
				   IA32_FEATURE_CONTROL, IA32_VMX_BASIC, 1ull << 32 | IA32_SYSENTER_CS, 0x8000ffff };
	static const u64 good[] = { IA32_SYSENTER_CS, IA32_SYSENTER_ESP, IA32_SYSENTER_EIP };
	static const u64 values[] = { 0, 8, 0x1000, 1ull << 62 };
	u64 i = random_below(random, LIST_ENTRIES);

	entry_load[i].index = random_below(random, 8) ? IA32_SYSENTER_CS : random_of(random, any, ARRAY_SIZE(any));
	entry_load[i].value = random_of(random, values, ARRAY_SIZE(values));
	exit_load[i].index = random_of(random, good, ARRAY_SIZE(good));
	exit_load[i].value = random_of(random, values, 3);
	exit_store[i].index = random_of(random, good, ARRAY_SIZE(good));
	for (u64 j = 0; j < LIST_ENTRIES; j++)
		if (random_below(random, 4))
			entry_load[j].index = IA32_SYSENTER_CS;
}

static struct list_entry *make_list(void)
{
	struct list_entry *list = race_pages(1);

	for (u32 i = 0; i < LIST_ENTRIES; i++)
		list[i].index = IA32_SYSENTER_CS;
	return list;
}

static void msr_lists(void)
{
	struct vm *vm;

	vmx_on();
	vm = vm_create(l2_cpuid);
	entry_load = make_list();
	exit_load = make_list();
	exit_store = make_list();
	vmwrite(VM_ENTRY_MSR_LOAD_ADDRESS, (u64)entry_load);
	vmwrite(VM_ENTRY_MSR_LOAD_COUNT, LIST_ENTRIES);
	vmwrite(VM_EXIT_MSR_LOAD_ADDRESS, (u64)exit_load);
	vmwrite(VM_EXIT_MSR_LOAD_COUNT, LIST_ENTRIES);
	vmwrite(VM_EXIT_MSR_STORE_ADDRESS, (u64)exit_store);
	vmwrite(VM_EXIT_MSR_STORE_COUNT, LIST_ENTRIES);
	race_begin(write_lists);
	for (u32 i = 0; i < ROUNDS; i++)
		ALLOW(race_enter(vm, l2_cpuid), 10, REASON_MSR_LOADING);
	race_end();
}

static void write_pages(struct random *random)
{
	static const u64 patterns[] = { 0, ~0ull };

	u64 word = random_below(random, 2) ? random_of(random, hot, hot_count) : random_below(random, page_words);

	pages[word] =
		random_below(random, 4) ? random_of(random, patterns, ARRAY_SIZE(patterns)) : random_next(random);
}

/* L1's part of an access that exits: IA32_APIC_BASE must be read right, as L2 writes it back. */
static void carry_out(struct vm *vm)
{
	if (vm->basic_reason == REASON_RDMSR) {
		u64 value = rdmsr((u32)vm->gpr[RCX]);

		vm->gpr[RAX] = (u32)value;
		vm->gpr[RDX] = value >> 32;
	}
	vm_skip(vm);
}

/* MSR and I/O bitmaps: each access of L2 exits, or does not. */
static void bitmaps(void)
{
	/* Of IA32_APIC_BASE, IA32_SYSENTER_CS, IA32_VMX_BASIC, writes to the first, ports 0x80 and 0x3ff. */
	static const u64 words[] = { 0, 5, 18, 256, 512 + 2, 512 + 15 };
	struct vm *vm;
	u64 *all = race_pages(3);

	vmx_on();
	vm = vm_create(l2_accesses);
	pages = all;
	page_words = 3 * PAGE_SIZE / 8;
	hot = words;
	hot_count = ARRAY_SIZE(words);
	vm_clear(PROCESSOR_BASED_CONTROLS, PROC_UNCONDITIONAL_IO_EXITING);
	vm_set(PROCESSOR_BASED_CONTROLS, PROC_USE_IO_BITMAPS);
	vmwrite(MSR_BITMAP, (u64)all);
	vmwrite(IO_BITMAP_A, (u64)all + PAGE_SIZE);
	vmwrite(IO_BITMAP_B, (u64)all + 2 * PAGE_SIZE);
	race_begin(write_pages);
	for (u32 i = 0; i < ROUNDS / 3; i++) {
		u32 outcome = race_enter(vm, l2_accesses);

		for (u32 exits = 0; outcome != REASON_VMCALL && exits < 16; exits++) {
			ALLOW(outcome, REASON_RDMSR, REASON_WRMSR, REASON_IO);
			carry_out(vm);
			if (!vm_run(vm))
				scenario_abort(" (entry refused)");
			outcome = (u16)vm->basic_reason;
		}
		ALLOW(outcome, REASON_VMCALL);
	}
	race_end();
}

static void use_posted_interrupts(u64 descriptor)
{
	vm_set_secondary(PROC2_APIC_REGISTER_VIRTUALIZATION | PROC2_VIRTUALIZE_X2APIC_MODE | PROC2_VIRTUAL_INTERRUPT_DELIVERY);
	vm_set(PIN_BASED_CONTROLS, PIN_EXTERNAL_INTERRUPT_EXITING | PIN_PROCESS_POSTED_INTERRUPTS);
	vm_set(VM_EXIT_CONTROLS, EXIT_ACKNOWLEDGE_INTERRUPT);
	vmwrite(POSTED_INTERRUPT_DESCRIPTOR, descriptor);
	vmwrite(POSTED_INTERRUPT_NOTIFICATION_VECTOR, 0xf2);
	vmwrite(GUEST_INTERRUPT_STATUS, 0);
	for (u32 i = 0; i < 4; i++)
		vmwrite(EOI_EXIT_BITMAP_0 + 2 * i, 0);
	vmwrite(TPR_THRESHOLD, 0);
}

static bool offers_posted_interrupts(void)
{
	return pin_offers(PIN_PROCESS_POSTED_INTERRUPTS | PIN_EXTERNAL_INTERRUPT_EXITING) &&
	       proc2_offers(PROC2_APIC_REGISTER_VIRTUALIZATION | PROC2_VIRTUALIZE_X2APIC_MODE | PROC2_VIRTUAL_INTERRUPT_DELIVERY);
}

/* The task priority, compared with the threshold at entry and by L2's own writes; then everything of a virtual APIC. */
static void virtual_apic(void)
{
	/* The task priority, the first requests, the descriptor's first requests and its control bits. */
	static const u64 words[] = { 16, 64, 66, 512, 516 };
	struct vm *vm;
	u64 *all = race_pages(2);

	vmx_on();
	vm = vm_create(l2_task_priority);
	pages = all;
	page_words = 2 * PAGE_SIZE / 8;
	hot = words;
	hot_count = ARRAY_SIZE(words);
	vm_set(PROCESSOR_BASED_CONTROLS, PROC_USE_TPR_SHADOW);
	vmwrite(VIRTUAL_APIC_ADDRESS, (u64)all);
	vmwrite(TPR_THRESHOLD, THRESHOLD);
	race_begin(write_pages);
	for (u32 i = 0; i < ROUNDS; i++) {
		if (i == ROUNDS / 2 && offers_posted_interrupts())
			use_posted_interrupts((u64)all + PAGE_SIZE);
		ALLOW(race_enter(vm, l2_task_priority), REASON_VMCALL, REASON_TPR_BELOW_THRESHOLD, REFUSED | ERROR_CONTROLS);
	}
	race_end();
}

static bool offers_tpr_shadow(void)
{
	return proc_offers(PROC_USE_TPR_SHADOW);
}

const struct scenario list_scenarios[3] = {
	{ "races.msr_lists", msr_lists, UNHARMED, NULL },
	{ "races.bitmaps", bitmaps, UNHARMED, NULL },
	{ "races.virtual_apic", virtual_apic, UNHARMED, offers_tpr_shadow },
};
