/* SPDX-License-Identifier: MIT */
/*
 * VMCS regions that others write into, and one region used by all processors.
 * What an active region's memory holds is nobody's business but the processor's,
 * so a hypervisor that keeps VMCSs elsewhere must not notice; a bare processor
 * may, which is why these run only on Testudo.
 */
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/smp.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"
#include "tests/guests/races/races.h"

#define ROUNDS 300
#define CLEARED_ROUNDS 60
#define ERROR_NOT_CLEAR 4u

static u64 regions[2];

static void scribble(struct random *random)
{
	volatile u64 *region = (volatile u64 *)regions[random_below(random, ARRAY_SIZE(regions))];

	/* Not the first word: VMPTRLD looks at the revision identifier there even of an active VMCS. */
	region[1 + random_below(random, PAGE_SIZE / 8 - 1)] = random_next(random);
}

/* Two VMCSs that stay active, in turns. Expect: the processors' writes have no effect at all. */
static void active(void)
{
	struct vm *vms[2];
	u32 right = 0;

	vmx_on();
	for (u32 i = 0; i < 2; i++) {
		vms[i] = vm_create(l2_cpuid);
		regions[i] = vms[i]->vmcs;
	}
	race_begin(scribble);
	for (u32 i = 0; i < ROUNDS; i++) {
		struct vm *vm = vms[i & 1];

		vmptrld(vm->vmcs);
		right += race_enter(vm, l2_cpuid) == 10 && vmread(GUEST_RIP) == (u64)l2_cpuid;
	}
	say("%u of %u right; ", right, ROUNDS);
	race_end();
}

/* The revision identifier too, but less often. */
static void scribble_cleared(struct random *random)
{
	volatile u64 *region = (volatile u64 *)regions[0];
	u64 choice = random_below(random, 64);

	if (choice == 0)
		region[0] = random_next(random);
	else if (choice < 4)
		region[0] = rdmsr(IA32_VMX_BASIC) & 0x7fffffff;
	else
		region[random_below(random, PAGE_SIZE / 8 - 1) + 1] = random_next(random);
}

/* Whatever was loaded: L1 writes the fields that it depends on. */
static void write_and_enter(struct vm *vm, bool may_be_shadow)
{
	u64 mark = pages_mark();
	u32 outcome;

	vm->launched = false;
	vm_write_vmcs(vm, l2_cpuid);
	outcome = race_enter(vm, l2_cpuid);
	if (outcome == (REFUSED | ERROR_NOT_CLEAR)) {
		vm->launched = true;
		outcome = race_enter(vm, l2_cpuid);
	}
	/* VMPTRLD may have met the bit that makes it a shadow VMCS, which is never entered. */
	if (may_be_shadow)
		ALLOW(outcome, 10, REFUSED);
	else
		ALLOW(outcome, 10);
	pages_release(mark);
}

/* VMCLEAR, VMPTRLD of whatever the region holds by then. */
static void cleared(void)
{
	struct vm *vm;
	u32 loaded = 0;

	vmx_on();
	vm = vm_create(l2_cpuid);
	regions[0] = vm->vmcs;
	race_begin(scribble_cleared);
	for (u32 i = 0; i < CLEARED_ROUNDS; i++) {
		vmclear(vm->vmcs);
		delay(2000);
		if (attempt(op_vmptrld, (u64)&vm->vmcs, 0) != OUTCOME_OK)
			continue;
		loaded++;
		write_and_enter(vm, true);
	}
	info("  VMPTRLD took the region %u of %u times", loaded, CLEARED_ROUNDS);
	race_end();
}

static void load_and_clear(struct random *random)
{
	vmx_on();
	while (!race_is_over()) {
		vmptrld(regions[0]);
		vmwrite(CR0_READ_SHADOW, random_next(random));
		(void)vmread(GUEST_RIP);
		vmclear(regions[0]);
	}
	vmx_off();
}

/* One region active on all processors. Expect: this one's VMs are unharmed, as what it depends on it writes. */
static void shared(void)
{
	struct vm *vm;

	vmx_on();
	vm = vm_create(l2_cpuid);
	regions[0] = vm->vmcs;
	race_begin_with(load_and_clear);
	for (u32 i = 0; i < CLEARED_ROUNDS; i++) {
		vmptrld(vm->vmcs);
		write_and_enter(vm, false);
		for (u32 again = 0; again < 4; again++)
			ALLOW(race_enter(vm, l2_cpuid), 10);
		vmclear(vm->vmcs);
	}
	race_end();
}

const struct scenario region_scenarios[3] = {
	{ "races.active_region", active, "300 of 300 right; " UNHARMED, under_testudo },
	{ "races.cleared_region", cleared, UNHARMED, under_testudo },
	{ "races.shared_region", shared, UNHARMED, under_testudo },
};
