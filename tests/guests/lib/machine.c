/* SPDX-License-Identifier: MIT */
/*
 * Start of a guest image. It stays an application of the firmware, but takes
 * the processor: interrupts off, own page tables, GDT, IDT and TSS. Nothing
 * of the firmware is called after that; the machine ends with the guest.
 * The other processors stay where the firmware keeps them until smp.c starts them.
 */
#include <efi.h>

#include "tests/guests/lib/apic.h"
#include "tests/guests/lib/cpu.h"
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
#define POOL_ADDRESS 0x4000000 /* where it can be had: results with addresses in them are then the same everywhere */
#define MAX_REGIONS 64
#define MAX_OPTIONS 128
#define TSS_BUSY BIT(41)

static u64 regions[MAX_REGIONS];
static u32 region_count;
static volatile u32 region_lock;
static u64 low_page;
static u32 firmware_cpus;
static char options[MAX_OPTIONS + 1];

/* EFI_MP_SERVICES_PROTOCOL of the Platform Initialization specification, as far as it is used. */
struct mp_services {
	EFI_STATUS (EFIAPI *get_number_of_processors)(struct mp_services *self, UINTN *all, UINTN *enabled);
};

static EFI_GUID mp_services_guid = { 0x3fdda605, 0xa76e, 0x4f46, { 0xad, 0x29, 0x12, 0xf4, 0x53, 0x1b, 0x3d, 0x08 } };

u64 machine_low_page(void)
{
	return low_page;
}

/* Where the value of "key=value" begins, words being divided by spaces; NULL if there is none. */
static const char *option_value(const char *key)
{
	for (const char *at = options; *at;) {
		const char *k = key;

		while (*k && *at == *k)
			at++, k++;
		if (!*k && *at == '=')
			return at + 1;
		while (*at && *at != ' ')
			at++;
		while (*at == ' ')
			at++;
	}
	return NULL;
}

u32 machine_option(const char *key, u32 otherwise)
{
	const char *at = option_value(key);
	u32 value = 0;

	if (!at || *at < '0' || *at > '9')
		return otherwise;
	for (; *at >= '0' && *at <= '9'; at++)
		value = value * 10 + (u32)(*at - '0');
	return value;
}

u32 machine_seed(void)
{
	return machine_option("seed", 1);
}

bool machine_exits(u32 *count)
{
	u32 port = machine_option("exits_port", 0);

	if (port)
		*count = in32((u16)port);
	return port;
}

u32 machine_firmware_cpus(void)
{
	return firmware_cpus;
}

struct descriptor_tables *machine_make_tables(void)
{
	struct descriptor_tables *t = pages_alloc(2, PAGE_SIZE);
	u64 trap_stack = (u64)pages_alloc(4, PAGE_SIZE) + 4 * PAGE_SIZE;
	u64 nmi_stack = (u64)pages_alloc(2, PAGE_SIZE) + 2 * PAGE_SIZE;

	descriptors_build(t, (u64)trap_stubs, TRAP_STUB_SIZE, trap_stack);
	descriptors_nmi_stack(t, nmi_stack);
	return t;
}

void machine_load_tables(struct descriptor_tables *t)
{
	struct table_register gdtr = { sizeof(t->gdt) - 1, (u64)t->gdt };
	struct table_register idtr = { sizeof(t->idt) - 1, (u64)t->idt };

	lgdt(&gdtr);
	/* CS by a far return, the other segments by a move. */
	__asm__ volatile("pushq %0\n\tleaq 1f(%%rip), %%rax\n\tpushq %%rax\n\tlretq\n1:\n\t"
			 "mov %1, %%ds\n\tmov %1, %%es\n\tmov %1, %%ss\n\tmov %1, %%fs\n\tmov %1, %%gs"
			 :
			 : "i"(SELECTOR_CODE64), "r"(SELECTOR_DATA)
			 : "rax", "memory");
	lidt(&idtr);
	/* LTR marks the TSS busy and takes no busy one: a processor may come here again. */
	t->gdt[SELECTOR_TSS / 8] &= ~TSS_BUSY;
	ltr(SELECTOR_TSS);
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
void vmx_regions_clear(void)
{
	for (u32 i = region_count; i--;)
		attempt(op_vmclear, (u64)&regions[i], 0);
}

void vmx_regions_forget(void)
{
	vmx_regions_clear();
	region_count = 0;
}

u64 vmx_region_alloc(void)
{
	u64 region = region_alloc();
	bool fits;

	lock_take(&region_lock);
	fits = region_count < MAX_REGIONS;
	if (fits)
		regions[region_count++] = region;
	lock_give(&region_lock);
	if (!fits)
		scenario_abort("out of VMCS regions");
	scenario_on_end(vmx_regions_forget);
	return region;
}

void vmx_region_reserve(u32 cpu)
{
	if (!cpus[cpu].vmxon_region)
		cpus[cpu].vmxon_region = region_alloc();
}

void vmx_on(void)
{
	struct cpu *here = cpu_this();
	u32 result;

	vmx_region_reserve(cpu_here());
	result = attempt(op_vmxon, (u64)&here->vmxon_region, 0);
	if (result != OUTCOME_OK)
		scenario_abort("vmxon: %o", result);
	here->in_vmx = true;
}

void vmx_off(void)
{
	u32 result = attempt(op_vmxoff, 0, 0);

	if (result != OUTCOME_OK)
		scenario_abort("vmxoff: %o", result);
	cpu_this()->in_vmx = false;
}

/* What only the firmware can tell or give; a guest of one processor does without. */
static void ask_firmware(EFI_BOOT_SERVICES *services)
{
	EFI_PHYSICAL_ADDRESS page = 0x9ffff;
	struct mp_services *mp = NULL;
	UINTN all, enabled;

	if (!EFI_ERROR(services->AllocatePages(AllocateMaxAddress, EfiLoaderData, 1, &page)))
		low_page = page;
	if (!EFI_ERROR(services->LocateProtocol(&mp_services_guid, NULL, (void **)&mp)) && mp &&
	    !EFI_ERROR(mp->get_number_of_processors(mp, &all, &enabled)))
		firmware_cpus = (u32)enabled;
}

static void read_options(EFI_HANDLE image, EFI_BOOT_SERVICES *services)
{
	static EFI_GUID guid = EFI_LOADED_IMAGE_PROTOCOL_GUID;
	EFI_LOADED_IMAGE *loaded = NULL;
	const CHAR16 *text;

	if (EFI_ERROR(services->HandleProtocol(image, &guid, (void **)&loaded)) || !loaded || !loaded->LoadOptions)
		return;
	text = loaded->LoadOptions;
	for (u64 i = 0; i < loaded->LoadOptionsSize / sizeof(*text) && i < MAX_OPTIONS; i++)
		options[i] = (char)text[i];
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table);

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table)
{
	EFI_PHYSICAL_ADDRESS pool = POOL_ADDRESS;
	EFI_STATUS status;

	status = table->BootServices->AllocatePages(AllocateAddress, EfiLoaderData, POOL_PAGES, &pool);
	if (EFI_ERROR(status)) {
		pool = 0xffffffff;
		status = table->BootServices->AllocatePages(AllocateMaxAddress, EfiLoaderData, POOL_PAGES, &pool);
	}
	if (EFI_ERROR(status))
		return status;
	read_options(image, table->BootServices);
	ask_firmware(table->BootServices);
	cli();
	serial_init();
	pages_init(pool, POOL_PAGES);
	cpus[0].tables = machine_make_tables();
	machine_load_tables(cpus[0].tables);
	wrmsr(IA32_EFER, rdmsr(IA32_EFER) | EFER_NXE);
	write_cr3(paging_identity(PTE_W));
	apic_quiet();
	guest_main();
	report_done();
}
