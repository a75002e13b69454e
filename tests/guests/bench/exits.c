/* SPDX-License-Identifier: MIT */
/*
 * Round trips: L2 exits, L1 does what it must and resumes. Each kind of exit by
 * itself, with all that KVM reads and writes, and several VMCSs in turn.
 */
#include "tests/guests/bench/bench.h"
#include "tests/guests/bench/quick_ops.h"

#include "tests/guests/lib/apic.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/report.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define VECTOR 0x70
#define VPID 7
#define MAX_RING 8

static struct vm *ring[MAX_RING];
static u32 ring_size, ring_at;
static u32 wanted;

static void let_through(struct vm *vm, u32 msr)
{
	u8 *bitmap = (u8 *)vm->msr_bitmap + (msr >= 0xc0000000 ? 1024 : 0);
	u32 at = msr & 0x1fff;

	bitmap[at / 8] &= (u8)~(1u << at % 8);
	bitmap[2048 + at / 8] &= (u8)~(1u << at % 8);
}

/* State that entry loads and exit saves, as 64-bit hypervisors ask for it. */
static void load_and_save_state(void)
{
	u64 efer = rdmsr(IA32_EFER), pat = rdmsr(IA32_PAT);

	vm_set(VM_ENTRY_CONTROLS, ENTRY_LOAD_DEBUG_CONTROLS | ENTRY_LOAD_IA32_EFER | ENTRY_LOAD_IA32_PAT);
	vm_set(VM_EXIT_CONTROLS, EXIT_SAVE_DEBUG_CONTROLS | EXIT_LOAD_IA32_EFER | EXIT_LOAD_IA32_PAT | EXIT_SAVE_IA32_PAT |
					 EXIT_SAVE_IA32_EFER | EXIT_ACKNOWLEDGE_INTERRUPT);
	vmwrite(GUEST_IA32_EFER, efer);
	vmwrite(HOST_IA32_EFER, efer);
	vmwrite(GUEST_IA32_PAT, pat);
	vmwrite(HOST_IA32_PAT, pat);
}

struct vm *bench_vm(const u8 *code)
{
	static const u32 open[] = { IA32_TIME_STAMP_COUNTER, IA32_FS_BASE, IA32_GS_BASE, IA32_KERNEL_GS_BASE, IA32_SYSENTER_CS,
				    IA32_SYSENTER_ESP, IA32_SYSENTER_EIP };
	struct vm *vm = vm_create(code);

	vm_clear(PIN_BASED_CONTROLS, PIN_ACTIVATE_PREEMPTION_TIMER);
	vm_set(PIN_BASED_CONTROLS, PIN_EXTERNAL_INTERRUPT_EXITING | PIN_NMI_EXITING);
	vm_set(PROCESSOR_BASED_CONTROLS, PROC_USE_TSC_OFFSETTING);
	vm_set_secondary(PROC2_ENABLE_VPID);
	vmwrite(VIRTUAL_PROCESSOR_IDENTIFIER, VPID);
	load_and_save_state();
	for (u32 i = 0; i < ARRAY_SIZE(open); i++)
		let_through(vm, open[i]);
	vmwrite(CR0_GUEST_HOST_MASK, 0x60000020);
	vmwrite(CR0_READ_SHADOW, vmread(GUEST_CR0));
	vmwrite(CR4_GUEST_HOST_MASK, CR4_VMXE);
	vmwrite(CR4_READ_SHADOW, vmread(GUEST_CR4) & ~CR4_VMXE);
	vm_set(GUEST_RFLAGS, RFLAGS_IF);
	return vm;
}

bool bench_round(struct vm *vm, u32 reason)
{
	u64 found, rip;

	if (vm_enter(vm, true))
		return false;
	found = vmread_unchecked(EXIT_REASON);
	rip = vmread_unchecked(GUEST_RIP) + vmread_unchecked(VM_EXIT_INSTRUCTION_LENGTH);
	vmwrite_unchecked(GUEST_RIP, rip);
	return found == reason;
}

/* So many VMs with the same code, each launched and past its first exit. */
static void make_ring(u32 count, const u8 *code, u32 reason)
{
	ring_size = count;
	ring_at = 0;
	wanted = reason;
	for (u32 i = 0; i < count; i++) {
		ring[i] = bench_vm(code);
		ring[i]->gpr[RCX] = IA32_APIC_BASE;
		if (!vm_run(ring[i]))
			scenario_abort(" (entry refused)");
		vm_skip(ring[i]);
	}
}

static bool round_trip(void)
{
	return bench_round(ring[0], wanted);
}

static void measure_exit(const char *name, const u8 *code, u32 reason)
{
	make_ring(1, code, reason);
	measure(&(struct row){ name, NULL, round_trip, SAMPLES, 50, 1 });
}

static void l2_cpuid(void)
{
	measure_exit("l2_cpuid", l2_cpuid_loop, REASON_CPUID);
}

static void l2_vmcall(void)
{
	measure_exit("l2_vmcall", l2_vmcall_loop, REASON_VMCALL);
}

static void l2_rdmsr(void)
{
	measure_exit("l2_rdmsr", l2_rdmsr_loop, REASON_RDMSR);
}

static void l2_out(void)
{
	measure_exit("l2_out", l2_out_loop, REASON_IO);
}

static void l2_in(void)
{
	measure_exit("l2_in", l2_in_loop, REASON_IO);
}

static void l2_hlt(void)
{
	measure_exit("l2_hlt", l2_hlt_loop, REASON_HLT);
}

/* What KVM touches in its loop for an instruction that it emulates in the kernel. */
static bool round_like_kvm(void)
{
	static const enum vmcs_field read[] = { VM_EXIT_INTERRUPTION_INFORMATION, IDT_VECTORING_INFORMATION, EXIT_QUALIFICATION,
						GUEST_INTERRUPTIBILITY_STATE, GUEST_RFLAGS, GUEST_CS_ACCESS_RIGHTS, GUEST_RSP };
	bool good = bench_round(ring[0], REASON_CPUID);

	for (u32 i = 0; i < ARRAY_SIZE(read); i++)
		vmread_unchecked(read[i]);
	vmwrite_unchecked(GUEST_INTERRUPTIBILITY_STATE, 0);
	vmwrite_unchecked(VM_ENTRY_INTERRUPTION_INFORMATION, 0);
	vmwrite_unchecked(HOST_FS_BASE, rdmsr(IA32_FS_BASE));
	vmwrite_unchecked(HOST_GS_BASE, rdmsr(IA32_GS_BASE));
	return good;
}

static void l2_cpuid_like_kvm(void)
{
	make_ring(1, l2_cpuid_loop, REASON_CPUID);
	measure(&(struct row){ "l2_cpuid_like_kvm", NULL, round_like_kvm, SAMPLES, 50, 1 });
}

/* The interrupt waits in the APIC before the entry, so that the exit comes at once; what the APIC costs is not timed. */
static void send_interrupt(void)
{
	apic_end_of_interrupt();
	apic_self_interrupt(VECTOR);
}

static bool round_interrupt(void)
{
	return !vm_enter(ring[0], true) && vmread_unchecked(EXIT_REASON) == REASON_EXTERNAL_INTERRUPT &&
	       vmread_unchecked(VM_EXIT_INTERRUPTION_INFORMATION) == (EVENT_VALID | EVENT_EXTERNAL_INTERRUPT | VECTOR);
}

static void l2_interrupt(void)
{
	ring[0] = bench_vm(l2_spin);
	apic_self_interrupt(VECTOR);
	if (!vm_run(ring[0]))
		scenario_abort(" (entry refused)");
	measure(&(struct row){ "l2_interrupt", send_interrupt, round_interrupt, SAMPLES, 50, 1 });
	apic_end_of_interrupt();
}

static bool round_alternating(void)
{
	struct vm *vm = ring[ring_at++ % ring_size];

	return quick_vmptrld(&vm->vmcs) && bench_round(vm, REASON_CPUID);
}

static void alternate(const char *name, u32 count)
{
	make_ring(count, l2_cpuid_loop, REASON_CPUID);
	measure(&(struct row){ name, NULL, round_alternating, SAMPLES, 80, 1 });
}

static void alternating_2(void)
{
	alternate("l2_cpuid_alternating_2", 2);
}

static void alternating_4(void)
{
	alternate("l2_cpuid_alternating_4", 4);
}

static void alternating_8(void)
{
	alternate("l2_cpuid_alternating_8", 8);
}

static bool round_l1_cpuid(void)
{
	__asm__ volatile("cpuid" : : "a"(0) : "rbx", "rcx", "rdx");
	return true;
}

static void l1_cpuid(void)
{
	measure(&(struct row){ "l1_cpuid", NULL, round_l1_cpuid, SAMPLES, 20, 0 });
}

#define GOOD "all rounds good"

const struct scenario exit_rows[] = {
	{ "bench.l1_cpuid", l1_cpuid, GOOD, NULL },
	{ "bench.l2_cpuid", l2_cpuid, GOOD, NULL },
	{ "bench.l2_cpuid_like_kvm", l2_cpuid_like_kvm, GOOD, NULL },
	{ "bench.l2_vmcall", l2_vmcall, GOOD, NULL },
	{ "bench.l2_rdmsr", l2_rdmsr, GOOD, NULL },
	{ "bench.l2_out", l2_out, GOOD, NULL },
	{ "bench.l2_in", l2_in, GOOD, NULL },
	{ "bench.l2_hlt", l2_hlt, GOOD, NULL },
	{ "bench.l2_interrupt", l2_interrupt, GOOD, NULL },
	{ "bench.l2_cpuid_alternating_2", alternating_2, GOOD, NULL },
	{ "bench.l2_cpuid_alternating_4", alternating_4, GOOD, NULL },
	{ "bench.l2_cpuid_alternating_8", alternating_8, GOOD, NULL },
};
const u64 exit_row_count = ARRAY_SIZE(exit_rows);
