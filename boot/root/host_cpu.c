/* SPDX-License-Identifier: MIT */
/*
 * L0's own processor state: see boot/root/host_cpu.h. Every VM exit restores
 * exactly this, because vmx/host_state.c reads it back into the VMCSs.
 */
#include "boot/root/host_cpu.h"

#include "arch/ops.h"
#include "arch/x86.h"
#include "boot/root/host_traps.h"

static_assert(offsetof(struct cpu_area, cpu) == 0, "GS reaches struct percpu");
static_assert(array_size(((struct percpu *)0)->ist_top) == IST_COUNT, "one stack each");

static void fill_gdt(struct cpu_area *area)
{
	u64 base = (u64)(uintptr_t)&area->tss;

	area->gdt[1] = DESCRIPTOR_CODE64;
	area->gdt[2] = DESCRIPTOR_DATA;
	area->gdt[3] = DESCRIPTOR_TSS_AVAILABLE | (sizeof(struct tss) - 1) | field_put(base, BITS(39, 16)) |
		       field_put(base >> 24, BITS(63, 56));
	area->gdt[4] = base >> 32;
	area->cpu.tss_base = base;
}

static void fill_tss(struct cpu_area *area)
{
	area->tss.rsp[0] = area->cpu.stack_top;
	for (u32 i = 0; i < IST_COUNT; i++)
		area->tss.ist[i] = area->cpu.ist_top[i];
	area->tss.io_map_base = sizeof(struct tss);
}

static void load_segments(const struct cpu_area *area)
{
	struct descriptor_register gdtr = { sizeof(area->gdt) - 1, (u64)(uintptr_t)area->gdt };

	lgdt(&gdtr);
	write_cs(SELECTOR_CODE);
	write_ss(SELECTOR_DATA);
	write_ds(SELECTOR_DATA);
	write_es(SELECTOR_DATA);
	write_fs(0);
	write_gs(0);
	lldt(0);
	ltr(SELECTOR_TSS);
	/* Loading a null selector clears the base on some processors. */
	wrmsr(IA32_FS_BASE, 0);
	wrmsr(IA32_GS_BASE, (u64)(uintptr_t)&area->cpu);
}

void host_cpu_enter(struct cpu_area *area)
{
	fill_gdt(area);
	fill_tss(area);
	load_segments(area);
	host_traps_load();
	/* Bochs's Haswell is not alone in lacking this MSR. */
	(void)rdmsr_safe(IA32_DEBUGCTL, &area->firmware.debugctl);
}

/* SDM "Restrictions on VMX Operation": what CR0 and CR4 must have comes from the fixed bits. */
static u64 host_cr0(void)
{
	u64 wanted = CR0_PE | CR0_ET | CR0_NE | CR0_WP | CR0_PG;

	return (wanted | rdmsr(IA32_VMX_CR0_FIXED0)) & rdmsr(IA32_VMX_CR0_FIXED1);
}

static u64 host_cr4(void)
{
	/* LA57 cannot change in 64-bit mode: L0 lives with whichever paging the firmware chose. */
	u64 wanted = CR4_PAE | CR4_MCE | CR4_VMXE | (read_cr4() & CR4_LA57);

	/* L0 executes XSETBV in L1's place. */
	if (bit_is_set(cpuid(1, 0).ecx, 26))
		wanted |= CR4_OSXSAVE;
	return (wanted | rdmsr(IA32_VMX_CR4_FIXED0)) & rdmsr(IA32_VMX_CR4_FIXED1);
}

void host_cpu_switch_paging(u64 cr3)
{
	/* CR4.CET needs CR0.WP, CR4.PCIDE a matching CR3: CR4 loses both first. */
	write_cr4(host_cr4());
	write_cr0(host_cr0());
	if (bit_is_set(cpuid(0x80000001, 0).edx, 20))
		wrmsr(IA32_EFER, rdmsr(IA32_EFER) | EFER_NXE);
	write_cr3(cr3);
}
