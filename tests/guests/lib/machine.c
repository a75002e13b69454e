/* SPDX-License-Identifier: MIT */
/*
 * Start of a guest image. It stays an application of the firmware, but takes
 * the processor: interrupts off, own page tables, GDT, IDT and TSS. Nothing
 * of the firmware is called after that; the machine ends with the guest.
 */
#include <efi.h>

#include "tests/guests/lib/apic.h"
#include "tests/guests/lib/machine.h"
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/report.h"
#include "tests/guests/lib/serial.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/traps.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define POOL_PAGES 2048 /* 8 MB */
#define MAX_REGIONS 64

static u64 regions[MAX_REGIONS];
static u32 region_count;
static u64 vmxon_region_in_use;

static void load_tables(void)
{
	struct descriptor_tables *t = pages_alloc(2, PAGE_SIZE);
	u64 trap_stack = (u64)pages_alloc(4, PAGE_SIZE) + 4 * PAGE_SIZE;
	struct table_register gdtr = { sizeof(t->gdt) - 1, (u64)t->gdt };
	struct table_register idtr = { sizeof(t->idt) - 1, (u64)t->idt };

	descriptors_build(t, (u64)trap_stubs, TRAP_STUB_SIZE, trap_stack);
	lgdt(&gdtr);
	/* CS by a far return, the other segments by a move. */
	__asm__ volatile("pushq %0\n\tleaq 1f(%%rip), %%rax\n\tpushq %%rax\n\tlretq\n1:\n\t"
			 "mov %1, %%ds\n\tmov %1, %%es\n\tmov %1, %%ss\n\tmov %1, %%fs\n\tmov %1, %%gs"
			 :
			 : "i"(SELECTOR_CODE64), "r"(SELECTOR_DATA)
			 : "rax", "memory");
	lidt(&idtr);
	ltr(SELECTOR_TSS);
	wrmsr(IA32_EFER, rdmsr(IA32_EFER) | EFER_NXE);
	write_cr3(paging_identity(PTE_W));
}

bool vmx_present(void)
{
	return cpuid(1, 0).ecx & BIT(5);
}

bool under_testudo(void)
{
	struct cpuid_result r = cpuid(0x40000000, 0);

	return r.ebx == 0x74736554 && r.ecx == 0x206f6475 && r.edx == 0x2020304c;
}

void vmx_prepare(void)
{
	u64 wanted = FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_OUTSIDE_SMX;

	if (!(rdmsr(IA32_FEATURE_CONTROL) & FEATURE_CONTROL_LOCK))
		wrmsr(IA32_FEATURE_CONTROL, rdmsr(IA32_FEATURE_CONTROL) | wanted);
	write_cr0((read_cr0() | rdmsr(IA32_VMX_CR0_FIXED0)) & rdmsr(IA32_VMX_CR0_FIXED1));
	write_cr4((read_cr4() | rdmsr(IA32_VMX_CR4_FIXED0)) & rdmsr(IA32_VMX_CR4_FIXED1));
}

static u64 region_alloc(void)
{
	u32 *region = page_alloc();

	*region = (u32)rdmsr(IA32_VMX_BASIC) & 0x7fffffff;
	return (u64)region;
}

/*
 * The processor, or a hypervisor below, may write a VMCS back at any time
 * until it is cleared: before its memory is used anew it must be.
 */
static void clear_regions(void)
{
	while (region_count) {
		u64 region = regions[--region_count];

		attempt(op_vmclear, (u64)&region, 0);
	}
}

u64 vmx_region_alloc(void)
{
	u64 region = region_alloc();

	if (region_count == MAX_REGIONS)
		scenario_abort("out of VMCS regions");
	regions[region_count++] = region;
	scenario_on_end(clear_regions);
	return region;
}

void vmx_on(void)
{
	u32 result;

	if (!vmxon_region_in_use)
		vmxon_region_in_use = region_alloc();
	result = attempt(op_vmxon, (u64)&vmxon_region_in_use, 0);
	if (result != OUTCOME_OK)
		scenario_abort("vmxon: %o", result);
}

void vmx_off(void)
{
	u32 result = attempt(op_vmxoff, 0, 0);

	if (result != OUTCOME_OK)
		scenario_abort("vmxoff: %o", result);
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table);

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table)
{
	EFI_PHYSICAL_ADDRESS pool = 0xffffffff;
	EFI_STATUS status;

	(void)image;
	status = table->BootServices->AllocatePages(AllocateMaxAddress, EfiLoaderData, POOL_PAGES,
						    &pool);
	if (EFI_ERROR(status))
		return status;
	cli();
	serial_init();
	pages_init(pool, POOL_PAGES);
	load_tables();
	apic_quiet();
	guest_main();
	report_done();
}
