/* SPDX-License-Identifier: MIT */
/*
 * Where several rules meet: state that a hypervisor beneath could leave to the
 * processor, instructions of L1 that it carries out under STI or TF, registers
 * that no VMCS holds, an L2 that changes its own mode.
 */
#include "tests/guests/hyper/hyper.h"
#include "tests/guests/hyper/l2_code.h"

#include "tests/guests/lib/apic.h"
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/traps.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define VECTOR 0x70
#define APIC_ADDRESS (TEST_ADDRESS + (16 << 20))
#define VTPR 0x80
#define READ_HIGH 1024
#define WRITE_HIGH 3072

/* Expect: each mistake fails VMRESUME and stays in the VMCS; once it is mended L2 goes on where it was. */
static void invalid_after_a_run(void)
{
	static const struct {
		enum vmcs_field field;
		u64 bad;
	} mistakes[] = {
		{ GUEST_RFLAGS, 0 },
		{ GUEST_CR0, CR0_PE },
		{ GUEST_CR4, 0 },
		{ GUEST_CR3, BIT(63) },
		{ GUEST_INTERRUPTIBILITY_STATE, 3 },
		{ GUEST_ACTIVITY_STATE, 7 },
		{ GUEST_CS_ACCESS_RIGHTS, 0 },
		{ GUEST_SS_ACCESS_RIGHTS, 0xcf93 },
		{ GUEST_FS_BASE, 0x800000000000 },
		{ GUEST_TR_ACCESS_RIGHTS, 0x10000 },
		{ GUEST_IDTR_LIMIT, 0x10000 },
		{ GUEST_IA32_SYSENTER_ESP, 0x800000000000 },
		{ VMCS_LINK_POINTER, 0x1001 },
	};
	struct vm *vm = vm_create(l2_count);
	u32 refused = 0, kept = 0, went_on = 0;

	vm->gpr[RSI] = (u64)page_alloc();
	vm_run(vm);
	vm_skip(vm);
	for (u32 i = 0; i < ARRAY_SIZE(mistakes); i++) {
		u64 good = vmread(mistakes[i].field);

		vmwrite(mistakes[i].field, mistakes[i].bad);
		vm_run(vm);
		if (vm->basic_reason == (REASON_INVALID_GUEST_STATE | REASON_ENTRY_FAILURE))
			refused++;
		else
			say("%x: %x; ", (u32)mistakes[i].field, vm->basic_reason);
		kept += vmread(mistakes[i].field) == mistakes[i].bad;
		vmwrite(mistakes[i].field, good);
		vm_run(vm);
		went_on += vm->basic_reason == REASON_VMCALL && vm->gpr[RBX] == i + 2;
		vm_skip(vm);
	}
	say("%u %u %u of %u", refused, kept, went_on, (u32)ARRAY_SIZE(mistakes));
}

/* The same for controls and host state. Expect: VMfail 7 or 8, nothing else happens. */
static void bad_controls_after_a_run(void)
{
	static const struct {
		enum vmcs_field field;
		u64 bad;
		u32 error;
	} mistakes[] = {
		{ PIN_BASED_CONTROLS, 0, 7 },
		{ PROCESSOR_BASED_CONTROLS, 0, 7 },
		{ VM_EXIT_CONTROLS, 0, 7 },
		{ VM_ENTRY_CONTROLS, 0, 7 },
		{ CR3_TARGET_COUNT, 5, 7 },
		{ MSR_BITMAP, 1, 7 },
		{ EPT_POINTER, 7, 7 },
		{ VM_ENTRY_INTERRUPTION_INFORMATION, EVENT_VALID | 1 << 8, 7 },
		{ HOST_CR3, BIT(63), 8 },
		{ HOST_CR4, 0, 8 },
		{ HOST_TR_SELECTOR, 0, 8 },
		{ HOST_CS_SELECTOR, 3, 8 },
		{ HOST_FS_SELECTOR, 4, 8 },
		{ HOST_GS_BASE, 0x800000000000, 8 },
		{ HOST_RIP, 0x800000000000, 8 },
	};
	struct vm *vm = vm_create(l2_count);
	u32 refused = 0, went_on = 0;

	vm->gpr[RSI] = (u64)page_alloc();
	vm_run(vm);
	vm_skip(vm);
	for (u32 i = 0; i < ARRAY_SIZE(mistakes); i++) {
		u64 good = vmread(mistakes[i].field);

		vmwrite(mistakes[i].field, mistakes[i].bad);
		if (vm_enter(vm, true) == 2 && vmread(VM_INSTRUCTION_ERROR) == mistakes[i].error)
			refused++;
		else
			say("%x: %lx; ", (u32)mistakes[i].field, vmread(VM_INSTRUCTION_ERROR));
		vmwrite(mistakes[i].field, good);
		vm_run(vm);
		went_on += vm->basic_reason == REASON_VMCALL && vm->gpr[RBX] == i + 2;
		vm_skip(vm);
	}
	say("%u %u of %u", refused, went_on, (u32)ARRAY_SIZE(mistakes));
}

/*
 * Expect: an MSR list that fails at its second entry has loaded the first for
 * good; an exit list is stored only after L2 ran, but loaded.
 */
static void msr_lists_after_failure(void)
{
	struct vm *vm = vm_create(l2_nops);
	u64 *entry = page_alloc(), *store = page_alloc(), *load = page_alloc();

	wrmsr(IA32_LSTAR, 0x11);
	wrmsr(IA32_CSTAR, 0x22);
	entry[0] = IA32_LSTAR, entry[1] = 0x33;
	entry[2] = IA32_FS_BASE, entry[3] = 0;
	store[0] = IA32_LSTAR, store[1] = 0x44;
	load[0] = IA32_CSTAR, load[1] = 0x55;
	vmwrite(VM_ENTRY_MSR_LOAD_ADDRESS, (u64)entry);
	vmwrite(VM_ENTRY_MSR_LOAD_COUNT, 2);
	vmwrite(VM_EXIT_MSR_STORE_ADDRESS, (u64)store);
	vmwrite(VM_EXIT_MSR_STORE_COUNT, 1);
	vmwrite(VM_EXIT_MSR_LOAD_ADDRESS, (u64)load);
	vmwrite(VM_EXIT_MSR_LOAD_COUNT, 1);
	vm_step(vm);
	say(" lstar=%lx cstar=%lx stored=%lx", rdmsr(IA32_LSTAR), rdmsr(IA32_CSTAR), store[1]);
}

/* --- L1's own instructions ------------------------------------------------ */

static u64 memory[2];

#define INSTRUCTIONS                                            \
	X(vmptrst, "vmptrst %0")                                \
	X(vmread, "vmread %2, %0")                              \
	X(vmwrite, "vmwrite %1, %2")                            \
	X(cpuid, "cpuid")

#define OPERANDS                                                                          \
	: "+m"(memory[0]), "+m"(memory[1])                                                \
	: "r"((u64)HOST_IA32_SYSENTER_ESP)                                                \
	: "cc", "memory", "rax", "rbx", "rcx", "rdx"

#define X(name, text)                                                                     \
	static void under_sti_##name(void)                                                \
	{                                                                                 \
		__asm__ volatile("sti\n\t" text "\n\tcli" OPERANDS);                      \
	}                                                                                 \
	static void under_tf_##name(void)                                                 \
	{                                                                                 \
		__asm__ volatile("pushfq\n\torl $0x100, (%%rsp)\n\tpopfq\n\t" text        \
				 "\n\tincq %1\n\tincq %1" OPERANDS);                      \
	}
INSTRUCTIONS
#undef X

/* Expect: what waits is taken behind the one instruction after STI. */
static void under_sti(void)
{
	static void (*const all[])(void) = {
#define X(name, text) under_sti_##name,
		INSTRUCTIONS
#undef X
	};

	vm_create(l2_nops);
	for (u32 i = 0; i < ARRAY_SIZE(all); i++) {
		traps_reset();
		apic_self_interrupt(VECTOR);
		all[i]();
		say("%u", traps_count(VECTOR));
		open_interrupt_window();
	}
}

/* Expect: single-stepped, each traps before the next instruction. */
static void under_tf(void)
{
	static void (*const all[])(void) = {
#define X(name, text) under_tf_##name,
		INSTRUCTIONS
#undef X
	};

	vm_create(l2_nops);
	for (volatile u32 i = 0; i < ARRAY_SIZE(all); i++) {
		struct guard guard;

		memory[1] = 0;
		if (guard_enter(&guard) == 0)
			all[i]();
		guard_leave(&guard);
		say("#%u after %lu; ", guard.vector, memory[1]);
	}
}

/* --- L2 ------------------------------------------------------------------- */

/* Expect: CR2, the debug registers and XMM0 are one for L1 and L2. */
static void shared_registers(void)
{
	struct vm *vm = vm_create(l2_shared_registers);
	u64 dr0, dr3, xmm0;

	write_cr2(0x1111);
	__asm__ volatile("mov %0, %%dr0; mov %1, %%dr3; movq %2, %%xmm0" : : "r"(0x2222ull), "r"(0x3333ull), "r"(0x4444ull));
	vm->gpr[RAX] = 0x5555;
	vm->gpr[RBX] = 0x6666;
	vm->gpr[RCX] = 0x7777;
	vm->gpr[RDX] = 0x8888;
	vm_step(vm);
	__asm__ volatile("mov %%dr0, %0; mov %%dr3, %1; movq %%xmm0, %2" : "=r"(dr0), "=r"(dr3), "=r"(xmm0));
	say(" L2 saw %lx %lx %lx %lx; L1 sees %lx %lx %lx %lx", vm->gpr[R8], vm->gpr[R9], vm->gpr[R10], vm->gpr[R11],
	    read_cr2(), dr0, dr3, xmm0);
	__asm__ volatile("mov %0, %%dr0; mov %0, %%dr3" : : "r"(0ull));
}

static bool has_unrestricted(void)
{
	return entry_offers(ENTRY_LOAD_IA32_EFER) && exit_offers(EXIT_LOAD_IA32_EFER | EXIT_SAVE_IA32_EFER) &&
	       proc2_offers(PROC2_UNRESTRICTED_GUEST);
}

static void say_mode(struct vm *vm)
{
	vm_step(vm);
	say(" ia32e=%u efer=%lx pg=%u l=%u; ", !!(vmread(VM_ENTRY_CONTROLS) & ENTRY_IA32E_MODE_GUEST),
	    (u64)(vmread(GUEST_IA32_EFER) & (EFER_LME | EFER_LMA)), !!(vmread(GUEST_CR0) & CR0_PG),
	    !!(vmread(GUEST_CS_ACCESS_RIGHTS) & BIT(13)));
	vm_skip(vm);
}

/* Expect: "IA-32e mode guest" follows what L2 does by itself, with no exit on the way. */
static void to_long_mode(void)
{
	struct vm *vm = vm_create(l2_to_long_mode);
	u64 *pointer = page_alloc();

	*pointer = (u64)l2_nops | (u64)SELECTOR_CODE64 << 32;
	((u8 *)vm->msr_bitmap)[WRITE_HIGH + (IA32_EFER & 0x1fff) / 8] = 0;
	vm_set_secondary(PROC2_UNRESTRICTED_GUEST);
	vm_clear(VM_ENTRY_CONTROLS, ENTRY_IA32E_MODE_GUEST);
	vm_set(VM_ENTRY_CONTROLS, ENTRY_LOAD_IA32_EFER);
	vm_set(VM_EXIT_CONTROLS, EXIT_LOAD_IA32_EFER | EXIT_SAVE_IA32_EFER);
	vm_clear(PROCESSOR_BASED_CONTROLS, PROC_CR3_LOAD_EXITING | PROC_CR3_STORE_EXITING);
	vmwrite(GUEST_IA32_EFER, 0);
	vmwrite(HOST_IA32_EFER, rdmsr(IA32_EFER));
	vmwrite(GUEST_CS_SELECTOR, SELECTOR_CODE32);
	vmwrite(GUEST_CS_ACCESS_RIGHTS, 0xc09b);
	vm_clear(GUEST_CR0, CR0_PG);
	vm_clear(GUEST_CR4, CR4_PAE);
	vm->gpr[RSI] = vm->page_table;
	vm->gpr[RDI] = (u64)pointer;
	say_mode(vm);
	say_mode(vm);
	vm->code = (u64)l2_nops;
	say_mode(vm);
}

static bool has_apic_accesses(void)
{
	return proc_offers(PROC_USE_TPR_SHADOW) && proc2_offers(PROC2_VIRTUALIZE_APIC_ACCESSES);
}

/* Expect: L2's own tables lead to the APIC-access page just as well as EPT does. */
static void apic_access_without_ept(void)
{
	struct vm *vm = vm_create_without_ept(l2_apic_read);
	u64 access = (u64)page_alloc();

	vm_set(PROCESSOR_BASED_CONTROLS, PROC_USE_TPR_SHADOW);
	vm_set_secondary(PROC2_VIRTUALIZE_APIC_ACCESSES);
	vmwrite(VIRTUAL_APIC_ADDRESS, (u64)page_alloc());
	vmwrite(TPR_THRESHOLD, 0);
	vmwrite(APIC_ACCESS_ADDRESS, access);
	*paging_entry(vm->page_table, APIC_ADDRESS, 1, PTE_P | PTE_W) = access | PTE_P | PTE_W;
	vm->gpr[RSI] = APIC_ADDRESS;
	vm_step(vm);
	vmwrite(APIC_ACCESS_ADDRESS, (u64)page_alloc());
	say("; ");
	vm_step(vm);
}

/* --- memory that L1 changes without telling ------------------------------- */

/* Expect: bitmaps and lists count as they are at the entry, without a VMWRITE in between. */
static void structures_in_memory(void)
{
	struct vm *vm = vm_create(l2_rdmsr);
	u8 *byte = (u8 *)vm->msr_bitmap + READ_HIGH + (IA32_LSTAR & 0x1fff) / 8;
	u64 *entry = page_alloc();

	entry[0] = IA32_LSTAR;
	vmwrite(VM_ENTRY_MSR_LOAD_ADDRESS, (u64)entry);
	vmwrite(VM_ENTRY_MSR_LOAD_COUNT, 1);
	for (u32 i = 0; i < 6; i++) {
		*byte = i & 1 ? 0xff : 0;
		entry[1] = 0x100 + i;
		vm_restart(vm, l2_rdmsr);
		vm->gpr[RCX] = IA32_LSTAR;
		vm_run(vm);
		say("%s %lx %lx; ", exit_reason_name(vm->basic_reason), i & 1 ? 0 : vm->gpr[RAX], rdmsr(IA32_LSTAR));
	}
}

/* Expect: a VTPR that falls below the threshold between two entries makes the second fail. */
static void vtpr_in_memory(void)
{
	struct vm *vm = vm_create(l2_count);
	u32 *page = page_alloc();

	vm->gpr[RSI] = (u64)page_alloc();
	vm_set(PROCESSOR_BASED_CONTROLS, PROC_USE_TPR_SHADOW);
	vmwrite(VIRTUAL_APIC_ADDRESS, (u64)page);
	vmwrite(TPR_THRESHOLD, 5);
	for (u32 i = 0; i < 5; i++) {
		page[VTPR / 4] = i & 1 ? 0x40 : 0x50;
		vm_run(vm);
		if (!(i & 1))
			vm_skip(vm);
		say(" %lu; ", vm->gpr[RBX]);
	}
}

static bool has_tpr_shadow(void)
{
	return proc_offers(PROC_USE_TPR_SHADOW);
}

/* Expect: the same page of L1 as code of two L2s, each at its own address, changed by L1 in between. */
static void code_changes(void)
{
	struct vm *vms[2] = { vm_create(l2_read), vm_create(l2_read) };
	u8 *code = page_alloc();

	for (u32 i = 0; i < 6; i++) {
		struct vm *vm = vms[i & 1];
		u64 address = TEST_ADDRESS + (i & 1) * PAGE_SIZE;

		vmptrld(vm->vmcs);
		*ept_entry(vm->ept, address, 1) = (u64)code | EPT_RWX | EPT_MEMORY_TYPE_WB;
		/* mov eax, imm32; vmcall */
		memcpy(code, (const u8[]){ 0xb8, (u8)i, 0, 0, 0, 0x0f, 0x01, 0xc1 }, 8);
		vm_restart(vm, (const u8 *)address);
		vm_run(vm);
		say("%lu ", vm->gpr[RAX]);
	}
}

SCENARIOS(corner_scenarios,
	{ "corner.invalid_after_a_run", invalid_after_a_run, "13 13 13 of 13", NULL },
	{ "corner.bad_controls_after_a_run", bad_controls_after_a_run, "15 15 of 15", NULL },
	{ "corner.msr_lists_after_failure", msr_lists_after_failure,
	  "MSR_LOADING(34) reason_high=0x8000 qualification=2 rip=+0 lstar=0x33 cstar=0x55 stored=0x44", NULL },
	{ "corner.under_sti", under_sti, "1111", NULL },
	{ "corner.under_tf", under_tf, "#1 after 0; #1 after 0; #1 after 0; #1 after 0; ", NULL },
	{ "corner.shared_registers", shared_registers,
	  "VMCALL(18) length=3 rip=+31 L2 saw 0x1111 0x2222 0x3333 0x4444; L1 sees 0x5555 0x6666 0x7777 0x8888", NULL },
	{ "corner.to_long_mode", to_long_mode,
	  "VMCALL(18) length=3 rip=+37 ia32e=1 efer=0x500 pg=1 l=0; "
	  "VMCALL(18) length=3 rip=+51 ia32e=0 efer=0x100 pg=0 l=0; "
	  "VMCALL(18) length=3 rip=+3 ia32e=1 efer=0x500 pg=1 l=1; ", has_unrestricted },
	{ "corner.apic_access_without_ept", apic_access_without_ept,
	  "APIC_ACCESS(44) qualification=0x20 rip=+0; VMCALL(18) length=3 rip=+3", has_apic_accesses },
	{ "corner.structures_in_memory", structures_in_memory,
	  "VMCALL 0x100 0x100; RDMSR 0 0x101; VMCALL 0x102 0x102; RDMSR 0 0x103; VMCALL 0x104 0x104; "
	  "RDMSR 0 0x105; ", NULL },
	{ "corner.vtpr_in_memory", vtpr_in_memory,
	  " 1; entry: VMfailValid 7 1;  2; entry: VMfailValid 7 2;  3; ", has_tpr_shadow },
	{ "corner.code_changes", code_changes, "0 1 2 3 4 5 ", NULL },
);
