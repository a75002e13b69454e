/* SPDX-License-Identifier: MIT */
/*
 * bench: what a nested round trip costs. "B" lines are ticks, bare or with
 * Testudo below; under Testudo also L0's exits and VMCS accesses a round.
 */
#include "tests/guests/bench/bench.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/report.h"
#include "tests/guests/lib/vm.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"

#define TEST_ADDRESS (5ull << 30)
#define TEST_PAGES 400

static struct vm *vm_a, *vm_b;

/* One round: L1 reads reason, length and RIP, writes RIP, and resumes. */
static bool cpuid_round(struct vm *vm)
{
	u64 reason, rip;

	if (vm_enter(vm, true))
		return false;
	reason = vmread_unchecked(EXIT_REASON);
	rip = vmread_unchecked(GUEST_RIP) + vmread_unchecked(VM_EXIT_INSTRUCTION_LENGTH);
	vmwrite_unchecked(GUEST_RIP, rip);
	return reason == REASON_CPUID;
}

static struct vm *create_without_watchdog(const u8 *code)
{
	struct vm *vm = vm_create(code);

	vm_clear(PIN_BASED_CONTROLS, PIN_ACTIVATE_PREEMPTION_TIMER);
	return vm;
}

static void l2_cpuid(void)
{
	struct vm *vm = create_without_watchdog(l2_cpuid_loop);
	u32 good = 0;

	vm_run(vm);
	vm_skip(vm);
	for (u32 i = 0; i < 10; i++)
		cpuid_round(vm);
	sample_begin();
	for (u32 i = 0; i < SAMPLES; i++) {
		u64 start = rdtsc();

		good += cpuid_round(vm);
		sample_add(rdtsc() - start);
	}
	measured("l2_cpuid", sample_median() * 100);
	counters_begin();
	for (u32 i = 0; i < SAMPLES; i++)
		good += cpuid_round(vm);
	counters_end("l2_cpuid", SAMPLES);
	say("%u CPUID exits", good);
}

static void op_cpuid(void)
{
	cpuid(0, 0);
}

static void l1_cpuid(void)
{
	bench("l1_cpuid", op_cpuid);
	say("measured");
}

static void op_vmread_rip(void)
{
	vmread_unchecked(GUEST_RIP);
}

static void op_vmwrite_rip(void)
{
	vmwrite_unchecked(GUEST_RIP, 0x1000);
}

static void op_vmread_rare(void)
{
	vmread_unchecked(GUEST_LDTR_BASE);
}

static void op_vmwrite_rare(void)
{
	vmwrite_unchecked(HOST_IA32_SYSENTER_ESP, 0);
}

static void op_vmptrld_pair(void)
{
	vmptrld(vm_b->vmcs);
	vmptrld(vm_a->vmcs);
}

static void op_vmclear_ptrld(void)
{
	vmclear(vm_a->vmcs);
	vmptrld(vm_a->vmcs);
}

static void op_invept_single(void)
{
	invept(1, vm_a->ept | EPTP_WB | EPTP_4_LEVELS);
}

static void vmx_instructions(void)
{
	vm_b = vm_create(l2_cpuid_loop);
	vm_a = vm_create(l2_cpuid_loop);
	bench("vmread_rip", op_vmread_rip);
	bench("vmwrite_rip", op_vmwrite_rip);
	bench("vmread_ldtr_base", op_vmread_rare);
	bench("vmwrite_host_sysenter_esp", op_vmwrite_rare);
	bench("vmptrld_pair", op_vmptrld_pair);
	bench("vmclear_vmptrld", op_vmclear_ptrld);
	bench("invept_single", op_invept_single);
	say("measured");
}

/* Two VMCSs in turn, each with a CPUID round trip. */
static void switching(void)
{
	struct vm *vms[2];
	u32 good = 0;

	for (u32 i = 0; i < 2; i++) {
		vms[i] = create_without_watchdog(l2_cpuid_loop);
		vm_run(vms[i]);
		vm_skip(vms[i]);
	}
	sample_begin();
	for (u32 i = 0; i < SAMPLES; i++) {
		u64 start = rdtsc();

		vmptrld(vms[i & 1]->vmcs);
		good += cpuid_round(vms[i & 1]);
		sample_add(rdtsc() - start);
	}
	measured("l2_cpuid_alternating", sample_median() * 100);
	counters_begin();
	for (u32 i = 0; i < SAMPLES; i++) {
		vmptrld(vms[i & 1]->vmcs);
		good += cpuid_round(vms[i & 1]);
	}
	counters_end("l2_cpuid_alternating", SAMPLES);
	say("%u CPUID exits", good);
}

/* L2 touches a page that EPT12 does not map; L1 maps it and resumes. */
static bool violation_round(struct vm *vm, u64 page)
{
	u64 physical;

	if (vm_enter(vm, true) || vmread_unchecked(EXIT_REASON) != REASON_EPT_VIOLATION)
		return false;
	physical = vmread_unchecked(GUEST_PHYSICAL_ADDRESS);
	*ept_entry(vm->ept, physical, 1) = page | EPT_RWX | EPT_MEMORY_TYPE_WB;
	return true;
}

static void ept_violation(void)
{
	struct vm *vm = create_without_watchdog(l2_touch_loop);
	u64 page = (u64)page_alloc();
	u32 good = 0;

	*ept_entry(vm->ept, TEST_ADDRESS, 1) = page | EPT_RWX | EPT_MEMORY_TYPE_WB;
	vm->gpr[RSI] = TEST_ADDRESS;
	vm_run(vm);
	sample_begin();
	counters_begin();
	for (u32 i = 0; i < TEST_PAGES; i++) {
		u64 start = rdtsc();

		good += violation_round(vm, page);
		sample_add(rdtsc() - start);
	}
	counters_end("ept_violation_fix", TEST_PAGES);
	measured("ept_violation_fix", sample_median() * 100);
	say("%u EPT violations", good);
}

/* L2 touches pages that EPT12 maps: only L0, if there is one, has anything to do. */
static void ept_miss(void)
{
	struct vm *vm = create_without_watchdog(l2_sweep);
	u64 page = (u64)page_alloc();
	u64 cold, warm;

	for (u64 i = 0; i < TEST_PAGES; i++)
		*ept_entry(vm->ept, TEST_ADDRESS + i * PAGE_SIZE, 1) =
			page | EPT_RWX | EPT_MEMORY_TYPE_WB;
	vm->gpr[RSI] = TEST_ADDRESS;
	vm->gpr[RCX] = TEST_PAGES;
	vm_run(vm);
	cold = vm->gpr[RAX];
	vm_restart(vm, l2_sweep);
	vm->gpr[RSI] = TEST_ADDRESS;
	vm->gpr[RCX] = TEST_PAGES;
	vm_run(vm);
	warm = vm->gpr[RAX];
	measured("ept_miss", cold > warm ? (cold - warm) * 100 / TEST_PAGES : 0);
	say("%s, %u pages", exit_reason_name(vm->basic_reason), TEST_PAGES);
}

static const struct scenario benchmarks[] = {
	{ "bench.l1_cpuid", l1_cpuid, "measured", NULL },
	{ "bench.l2_cpuid", l2_cpuid, "2000 CPUID exits", NULL },
	{ "bench.l2_cpuid_alternating", switching, "2000 CPUID exits", NULL },
	{ "bench.vmx_instructions", vmx_instructions, "measured", NULL },
	{ "bench.ept_violation", ept_violation, "400 EPT violations", NULL },
	{ "bench.ept_miss", ept_miss, "VMCALL, 400 pages", NULL },
};

void guest_main(void)
{
	if (!vmx_present()) {
		info("no VMX");
		return;
	}
	info("bench, Testudo %s", under_testudo() ? "below" : "not found");
	vmx_prepare();
	vmx_on();
	scenarios_run(benchmarks, ARRAY_SIZE(benchmarks));
	vmx_off();
}
