/* SPDX-License-Identifier: MIT */
/*
 * Making and running an L2. The defaults are strict, so that a surprise is an
 * exit and not a hang: every exception exits, HLT, I/O and MSR access exit,
 * and the preemption timer ends an L2 that does nothing.
 */
#include "tests/guests/lib/vm.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/report.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define WATCHDOG_TICKS 20000000
#define TRUE_CONTROLS BIT(55)

static_assert(offsetof(struct vm, l1_rsp) == 128, "enter.asm");

static u64 capability(u32 msr, u32 true_msr)
{
	return rdmsr(rdmsr(IA32_VMX_BASIC) & TRUE_CONTROLS ? true_msr : msr);
}

static bool allows(u64 cap, u64 bits)
{
	return (cap >> 32 & bits) == bits;
}

static u64 adjust(u64 cap, u64 bits)
{
	return (bits | (u32)cap) & cap >> 32;
}

static u64 pin_capability(void)
{
	return capability(IA32_VMX_PINBASED_CTLS, IA32_VMX_TRUE_PINBASED_CTLS);
}

static u64 proc_capability(void)
{
	return capability(IA32_VMX_PROCBASED_CTLS, IA32_VMX_TRUE_PROCBASED_CTLS);
}

static u64 exit_capability(void)
{
	return capability(IA32_VMX_EXIT_CTLS, IA32_VMX_TRUE_EXIT_CTLS);
}

static u64 entry_capability(void)
{
	return capability(IA32_VMX_ENTRY_CTLS, IA32_VMX_TRUE_ENTRY_CTLS);
}

bool pin_offers(u64 bits)
{
	return allows(pin_capability(), bits);
}

bool proc_offers(u64 bits)
{
	return allows(proc_capability(), bits);
}

bool proc2_offers(u64 bits)
{
	return proc_offers(PROC_ACTIVATE_SECONDARY_CONTROLS) &&
	       allows(rdmsr(IA32_VMX_PROCBASED_CTLS2), bits);
}

bool exit_offers(u64 bits)
{
	return allows(exit_capability(), bits);
}

bool entry_offers(u64 bits)
{
	return allows(entry_capability(), bits);
}

bool ept_vpid_offers(u64 bits)
{
	return proc2_offers(PROC2_ENABLE_EPT) && (rdmsr(IA32_VMX_EPT_VPID_CAP) & bits) == bits;
}

void vm_set(enum vmcs_field field, u64 bits)
{
	vmwrite(field, vmread(field) | bits);
}

void vm_clear(enum vmcs_field field, u64 bits)
{
	vmwrite(field, vmread(field) & ~bits);
}

void vm_set_secondary(u64 bits)
{
	vm_set(PROCESSOR_BASED_CONTROLS, PROC_ACTIVATE_SECONDARY_CONTROLS);
	vm_set(SECONDARY_CONTROLS, bits);
}

void vm_inject(u32 event, u32 error_code, u32 length)
{
	vmwrite(VM_ENTRY_INTERRUPTION_INFORMATION, event | EVENT_VALID);
	vmwrite(VM_ENTRY_EXCEPTION_ERROR_CODE, error_code);
	vmwrite(VM_ENTRY_INSTRUCTION_LENGTH, length);
}

void vm_flush_all(void)
{
	if (ept_vpid_offers(CAP_INVEPT | CAP_INVEPT_ALL))
		invept(2, 0);
	if (ept_vpid_offers(CAP_INVVPID | CAP_INVVPID_ALL))
		invvpid(2, 0, 0);
}

static void write_controls(struct vm *vm)
{
	u64 pin = pin_offers(PIN_ACTIVATE_PREEMPTION_TIMER) ? PIN_ACTIVATE_PREEMPTION_TIMER : 0;
	u64 proc = PROC_HLT_EXITING | PROC_USE_MSR_BITMAPS | PROC_UNCONDITIONAL_IO_EXITING;

	vm->msr_bitmap = (u64)memset(page_alloc(), 0xff, PAGE_SIZE);
	vmwrite(PIN_BASED_CONTROLS, adjust(pin_capability(), pin));
	vmwrite(PROCESSOR_BASED_CONTROLS, adjust(proc_capability(), proc));
	vmwrite(VM_EXIT_CONTROLS, adjust(exit_capability(), EXIT_HOST_ADDRESS_SPACE_SIZE));
	vmwrite(VM_ENTRY_CONTROLS, adjust(entry_capability(), ENTRY_IA32E_MODE_GUEST));
	vmwrite(MSR_BITMAP, vm->msr_bitmap);
	vmwrite(EXCEPTION_BITMAP, 0xffffffff);
	vmwrite(PAGE_FAULT_ERROR_CODE_MASK, 0);
	vmwrite(PAGE_FAULT_ERROR_CODE_MATCH, 0);
	vmwrite(CR3_TARGET_COUNT, 0);
	vmwrite(VM_EXIT_MSR_STORE_COUNT, 0);
	vmwrite(VM_EXIT_MSR_LOAD_COUNT, 0);
	vmwrite(VM_ENTRY_MSR_LOAD_COUNT, 0);
	vmwrite(VM_ENTRY_INTERRUPTION_INFORMATION, 0);
	vmwrite(VM_ENTRY_EXCEPTION_ERROR_CODE, 0);
	vmwrite(VM_ENTRY_INSTRUCTION_LENGTH, 0);
	vmwrite(CR0_GUEST_HOST_MASK, 0);
	vmwrite(CR4_GUEST_HOST_MASK, 0);
	vmwrite(CR0_READ_SHADOW, 0);
	vmwrite(CR4_READ_SHADOW, 0);
	vmwrite(VMCS_LINK_POINTER, ~0ull);
	if (pin)
		vmwrite(VMX_PREEMPTION_TIMER_VALUE, WATCHDOG_TICKS);
}

void vm_write_host_state(struct vm *vm)
{
	struct table_register gdtr, idtr;

	__asm__ volatile("sgdt %0; sidt %1" : "=m"(gdtr), "=m"(idtr));
	vmwrite(HOST_CR0, read_cr0());
	vmwrite(HOST_CR3, read_cr3());
	vmwrite(HOST_CR4, read_cr4());
	vmwrite(HOST_CS_SELECTOR, SELECTOR_CODE64);
	for (u32 f = HOST_ES_SELECTOR; f <= HOST_GS_SELECTOR; f += 2)
		if (f != HOST_CS_SELECTOR)
			vmwrite(f, SELECTOR_DATA);
	vmwrite(HOST_TR_SELECTOR, SELECTOR_TSS);
	vmwrite(HOST_TR_BASE, gdtr.base + offsetof(struct descriptor_tables, tss));
	vmwrite(HOST_FS_BASE, rdmsr(IA32_FS_BASE));
	vmwrite(HOST_GS_BASE, rdmsr(IA32_GS_BASE));
	vmwrite(HOST_GDTR_BASE, gdtr.base);
	vmwrite(HOST_IDTR_BASE, idtr.base);
	vmwrite(HOST_IA32_SYSENTER_CS, 0);
	vmwrite(HOST_IA32_SYSENTER_ESP, 0);
	vmwrite(HOST_IA32_SYSENTER_EIP, 0);
	vmwrite(HOST_RSP, (u64)vm);
	vmwrite(HOST_RIP, (u64)vm_exit_point);
}

static void write_guest_segments(struct vm *vm)
{
	struct descriptor_tables *t = vm->tables;

	for (u32 i = 0; i < 6; i++) { /* ES CS SS DS FS GS */
		vmwrite(GUEST_ES_SELECTOR + i * 2, i == 1 ? SELECTOR_CODE64 : SELECTOR_DATA);
		vmwrite(GUEST_ES_BASE + i * 2, 0);
		vmwrite(GUEST_ES_LIMIT + i * 2, 0xffffffff);
		vmwrite(GUEST_ES_ACCESS_RIGHTS + i * 2, i == 1 ? 0xa09b : 0xc093);
	}
	vmwrite(GUEST_LDTR_SELECTOR, 0);
	vmwrite(GUEST_LDTR_BASE, 0);
	vmwrite(GUEST_LDTR_LIMIT, 0);
	vmwrite(GUEST_LDTR_ACCESS_RIGHTS, 0x10000);
	vmwrite(GUEST_TR_SELECTOR, SELECTOR_TSS);
	vmwrite(GUEST_TR_BASE, (u64)t->tss);
	vmwrite(GUEST_TR_LIMIT, sizeof(t->tss) - 1);
	vmwrite(GUEST_TR_ACCESS_RIGHTS, 0x8b);
	vmwrite(GUEST_GDTR_BASE, (u64)t->gdt);
	vmwrite(GUEST_GDTR_LIMIT, sizeof(t->gdt) - 1);
	vmwrite(GUEST_IDTR_BASE, (u64)t->idt);
	vmwrite(GUEST_IDTR_LIMIT, sizeof(t->idt) - 1);
}

static void write_guest_state(struct vm *vm)
{
	vmwrite(GUEST_CR0, read_cr0());
	vmwrite(GUEST_CR3, vm->page_table);
	vmwrite(GUEST_CR4, read_cr4());
	vmwrite(GUEST_DR7, 0x400);
	vmwrite(GUEST_IA32_DEBUGCTL, 0);
	vmwrite(GUEST_IA32_SYSENTER_CS, 0);
	vmwrite(GUEST_IA32_SYSENTER_ESP, 0);
	vmwrite(GUEST_IA32_SYSENTER_EIP, 0);
	vmwrite_unchecked(GUEST_SMBASE, 0); /* KVM knows no such field */
	write_guest_segments(vm);
}

void vm_restart(struct vm *vm, const u8 *code)
{
	memset(vm->gpr, 0, sizeof(vm->gpr));
	vm->code = (u64)code;
	vmwrite(GUEST_RIP, (u64)code);
	vmwrite(GUEST_RSP, vm->stack_top);
	vmwrite(GUEST_RFLAGS, RFLAGS_FIXED);
	vmwrite(GUEST_INTERRUPTIBILITY_STATE, 0);
	vmwrite(GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
	vmwrite(GUEST_PENDING_DEBUG_EXCEPTIONS, 0);
}

static void use_ept(struct vm *vm)
{
	vm->ept = ept_identity();
	vm_set_secondary(PROC2_ENABLE_EPT);
	vmwrite(EPT_POINTER, vm->ept | EPTP_WB | EPTP_4_LEVELS);
}

/* All that a 64-bit L2 without EPT needs, whatever the VMCS held before. */
static void write_vmcs(struct vm *vm, const u8 *code)
{
	write_controls(vm);
	if (proc_offers(PROC_ACTIVATE_SECONDARY_CONTROLS)) {
		vm_set_secondary(0);
		vmwrite(SECONDARY_CONTROLS, 0);
	}
	vm_write_host_state(vm);
	write_guest_state(vm);
	vm_restart(vm, code);
}

struct vm *vm_create_without_ept(const u8 *code)
{
	struct vm *vm = page_alloc();
	u64 trap_stack_top;

	vm->stack_top = (u64)page_alloc() + PAGE_SIZE;
	trap_stack_top = (u64)page_alloc() + PAGE_SIZE;
	vm->tables = pages_alloc(2, PAGE_SIZE);
	descriptors_build(vm->tables, (u64)l2_stubs, L2_STUB_SIZE, trap_stack_top);
	vm->page_table = paging_identity(PTE_W);
	vm->vmcs = vmx_region_alloc();
	vmclear(vm->vmcs);
	vmptrld(vm->vmcs);
	vm_flush_all();
	write_vmcs(vm, code);
	return vm;
}

void vm_write_vmcs(struct vm *vm, const u8 *code)
{
	write_vmcs(vm, code);
	use_ept(vm);
}

struct vm *vm_create(const u8 *code)
{
	struct vm *vm = vm_create_without_ept(code);

	use_ept(vm);
	return vm;
}

bool vm_run(struct vm *vm)
{
	u64 result = vm_enter(vm, vm->launched);

	if (result) {
		say("entry: %o", result == 1 ? OUTCOME_FAIL_INVALID :
					       OUTCOME_FAIL_VALID | (u32)vmread(VM_INSTRUCTION_ERROR));
		return false;
	}
	vm->basic_reason = (u32)vmread(EXIT_REASON);
	if (!(vm->basic_reason & REASON_ENTRY_FAILURE))
		vm->launched = true;
	return true;
}

void vm_step(struct vm *vm)
{
	if (!vm_run(vm))
		scenario_abort(" (entry refused)");
	vm_say_exit(vm);
}

void vm_skip(struct vm *vm)
{
	(void)vm;
	vmwrite(GUEST_RIP, vmread(GUEST_RIP) + vmread(VM_EXIT_INSTRUCTION_LENGTH));
}
