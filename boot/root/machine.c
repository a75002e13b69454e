/* SPDX-License-Identifier: MIT */
/*
 * The shared part of the virtual machine: see boot/root/machine.h.
 */
#include "boot/root/machine.h"

#include "arch/once.h"
#include "arch/ops.h"
#include "arch/x86.h"
#include "drivers/console.h"
#include "mm/page_alloc.h"
#include "mm/phys.h"
#include "vmx/apic_reset.h"
#include "vmx/ept01.h"
#include "vmx/handle_serial.h"
#include "vmx/heartbeat.h"
#include "vmx/msr_bitmap.h"
#include "vmx/sleep_guard.h"

static struct {
	struct once once;
	enum launch_status status;
	struct machine machine;
} shared;

/* MSRs whose access by L1 must exit; handled in vmx/handle_msr.c. */
static const struct {
	u32 first, last;
	bool read, write;
} trapped_msrs[] = {
	{ IA32_APIC_BASE, IA32_APIC_BASE, false, true },
	{ IA32_FEATURE_CONTROL, IA32_FEATURE_CONTROL, true, true },
	{ IA32_VMX_BASIC, IA32_VMX_EXIT_CTLS2, true, true },
	{ IA32_RTIT_FIRST, IA32_RTIT_LAST, true, true },
	{ IA32_MTRR_PHYSBASE0, IA32_MTRR_PHYSBASE0 + 0x4f, false, true },
	{ IA32_MTRR_FIX64K_00000, IA32_MTRR_FIX64K_00000, false, true },
	{ IA32_MTRR_FIX16K_80000, IA32_MTRR_FIX16K_A0000, false, true },
	{ IA32_MTRR_FIX4K_C0000, IA32_MTRR_FIX4K_C0000 + 7, false, true },
	{ IA32_MTRR_DEF_TYPE, IA32_MTRR_DEF_TYPE, false, true },
};

static void fill_msr_bitmap(u8 *bitmap)
{
	for (u32 i = 0; i < array_size(trapped_msrs); i++) {
		for (u32 msr = trapped_msrs[i].first; msr <= trapped_msrs[i].last; msr++) {
			if (trapped_msrs[i].read)
				msr_bitmap_set(bitmap, msr, MSR_READ);
			if (trapped_msrs[i].write)
				msr_bitmap_set(bitmap, msr, MSR_WRITE);
		}
	}
}

/* Only where there is a port to watch: without bitmaps no I/O instruction exits. */
static bool make_io_bitmaps(struct machine *machine)
{
	const struct handoff *handoff = machine->handoff;
	bool for_serial = handoff->monitor_key != 0 && handoff->console.uart.kind == CONSOLE_PORT_16550;

	if (handoff->sleep_port_count == 0 && !for_serial)
		return true;
	if (!caps_allow(&machine->hardware, WORD_PROC, PROC_USE_IO_BITMAPS)) {
		if (handoff->sleep_port_count != 0)
			log_error("the processor has no I/O bitmaps: suspend to RAM is hidden from L1, but not refused");
		return true;
	}
	machine->io_bitmaps = page_alloc_contiguous(IO_BITMAP_BYTES / PAGE_SIZE);
	if (machine->io_bitmaps == NULL)
		return false;
	sleep_guard_watch(machine->io_bitmaps, handoff->sleep_ports, handoff->sleep_port_count);
	return true;
}

static u64 read_msr(void *context, u32 msr)
{
	u64 value;

	(void)context;
	if (!rdmsr_safe(msr, &value))
		log_debug("MSR 0x%x does not exist: taken for 0", msr);
	return value;
}

/* SDM "IA32_DEBUGCTL MSR": bits that may be 1 on this processor. */
static u64 debugctl_bits(void)
{
	u64 value, bits = BIT(0) | BIT(1) | BITS(10, 6) | BITS(14, 13);

	if (!rdmsr_safe(IA32_DEBUGCTL, &value))
		return 0;
	if (bit_is_set(cpuid(7, 0).ecx, 24))
		bits |= BIT(2);			/* bus-lock detection */
	if ((cpuid(0xa, 0).eax & 0xff) >= 2)
		bits |= BIT(11) | BIT(12);	/* freeze LBRs, freeze counters on PMI */
	if (bit_is_set(cpuid(7, 0).ebx, 11))
		bits |= BIT(15);		/* RTM debugging */
	return bits;
}

/* SDM "Architectural Performance Monitoring": counters that exist. */
static u64 perf_global_ctrl_bits(void)
{
	struct cpuid_result leaf = cpuid(0xa, 0);
	u32 general = field_get(leaf.eax, BITS(15, 8)) & 0x1f, fixed = leaf.edx & 0x1f;

	if ((leaf.eax & 0xff) < 2)
		return 0;
	return (BIT(general) - 1) | (BIT(fixed) - 1) << 32;
}

/* SDM "Format of Interruptibility State": blocking by STI, MOV SS, SMI and NMI, and enclave interruption. */
static u64 interruptibility_bits(void)
{
	return BITS(3, 0) | (bit_is_set(cpuid(7, 0).ebx, 2) ? BIT(4) : 0);
}

/* SDM "Format of Pending-Debug-Exceptions": B0 to B3, enabled breakpoint, BS; bus lock and RTM where they exist. */
static u64 pending_debug_bits(void)
{
	return BITS(3, 0) | BIT(12) | BIT(14) | (bit_is_set(cpuid(7, 0).ecx, 24) ? BIT(11) : 0) |
	       (bit_is_set(cpuid(7, 0).ebx, 11) ? BIT(16) : 0);
}

/*
 * SDM "Control-Flow Enforcement Technology State Management": what may be 1 in IA32_S_CET, by trying. CPUID may hide
 * what the processor has from an L0 that is itself a guest. CR4.CET is 0 here, so nothing takes effect.
 */
static u64 s_cet_bits(void)
{
	const u32 legacy_bitmap_base = 12;
	u64 present, bits = 0;

	if (!rdmsr_safe(IA32_S_CET, &present))
		return 0;
	for (u32 bit = 0; bit <= legacy_bitmap_base; bit++)
		if (wrmsr_safe(IA32_S_CET, BIT(bit)))
			bits |= BIT(bit);
	(void)wrmsr_safe(IA32_S_CET, present);
	return bits & BIT(legacy_bitmap_base) ? bits | BITS(63, legacy_bitmap_base) : bits;
}

static void read_capabilities(struct vmx_caps *caps)
{
	u32 address_sizes = cpuid(0x80000008, 0).eax;

	caps_decode(caps, read_msr, NULL);
	caps->physical_address_bits = (u8)address_sizes;
	caps->linear_address_bits = (u8)(address_sizes >> 8);
	caps->efer_valid = EFER_SCE | EFER_LME | EFER_LMA;
	if (bit_is_set(cpuid(0x80000001, 0).edx, 20))
		caps->efer_valid |= EFER_NXE;
	caps->debugctl_valid = debugctl_bits();
	caps->perf_global_ctrl_valid = perf_global_ctrl_bits();
	caps->interruptibility_valid = interruptibility_bits();
	caps->pending_debug_valid = pending_debug_bits();
	caps->s_cet_valid = s_cet_bits();
}

static enum launch_status prepare_once(const struct handoff *handoff, struct machine *machine)
{
	const struct control_info *missing;
	void *scratch = page_alloc();

	machine->handoff = handoff;
	machine->msr_bitmap = page_alloc();
	if (scratch == NULL || machine->msr_bitmap == NULL)
		return LAUNCH_NO_MEMORY;
	read_capabilities(&machine->hardware);
	if (!handoff->use_vmcs_shadowing)
		machine->hardware.control[WORD_PROC2].may_be_1 &= ~PROC2_VMCS_SHADOWING;
	missing = caps_missing_for_l0(&machine->hardware);
	if (missing != NULL) {
		log_error("the processor lacks the VMX control %s (%s, bit %u)", missing->name,
			  control_word_names[missing->word], missing->bit);
		return LAUNCH_MISSING_CONTROL;
	}
	machine->pages_1g = bit_is_set(cpuid(0x80000001, 0).edx, 26);
	machine->memory = (struct l1_memory){
		.hidden_base = hpa(handoff->block_base), .hidden_size = handoff->block_size,
		.scratch = phys_of(scratch), .physical_address_bits = machine->hardware.physical_address_bits,
	};
	fill_msr_bitmap(machine->msr_bitmap);
	apic_reset_prepare();
	if (!make_io_bitmaps(machine))
		return LAUNCH_NO_MEMORY;
	if (handle_serial_init(handoff, machine->io_bitmaps))
		machine->heartbeat = heartbeat_value(&machine->hardware);
	return ept01_build(machine) ? LAUNCH_OK : LAUNCH_NO_MEMORY;
}

enum launch_status machine_prepare(const struct handoff *handoff, struct machine **machine)
{
	if (once_begin(&shared.once)) {
		shared.status = prepare_once(handoff, &shared.machine);
		once_end(&shared.once);
	}
	*machine = &shared.machine;
	return shared.status;
}
