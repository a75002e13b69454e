/* SPDX-License-Identifier: MIT */
/* An L2 with PAE paging and without EPT, whose PDPTEs change while VM entry loads them. */
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"
#include "tests/guests/races/races.h"

#define ROUNDS 300
#define ADDRESS 0x000ffffffffff000ull

static volatile u64 *pdptes;
static u64 directories[4];

static void write_pdptes(struct random *random)
{
	u64 i = random_below(random, 4);
	const u64 values[] = { directories[i] | PTE_P, directories[i] | PTE_P, directories[i] | PTE_P, 0, directories[i] | PTE_P | PTE_W,
			       directories[i] | PTE_P | PTE_A, directories[i] | PTE_P | BIT(51), random_next(random) & ~PTE_P };

	pdptes[i] = random_of(random, values, ARRAY_SIZE(values));
}

/* The page directories of 4-level paging have PAE paging's form. */
static void take_directories(u64 page_table)
{
	const u64 *pdpt = (const u64 *)(*(const u64 *)page_table & ADDRESS);

	pdptes = race_pages(1);
	for (u32 i = 0; i < 4; i++) {
		directories[i] = pdpt[i] & ADDRESS;
		pdptes[i] = directories[i] | PTE_P;
	}
}

static void at_entry(void)
{
	struct vm *vm;

	vmx_on();
	vm = vm_create_without_ept(l2_cpuid);
	take_directories(vm->page_table);
	vm_clear(VM_ENTRY_CONTROLS, ENTRY_IA32E_MODE_GUEST);
	vmwrite(GUEST_CS_SELECTOR, SELECTOR_CODE32);
	vmwrite(GUEST_CS_ACCESS_RIGHTS, 0xc09b);
	vmwrite(GUEST_CR3, (u64)pdptes);
	race_begin(write_pdptes);
	for (u32 i = 0; i < ROUNDS; i++)
		ALLOW(race_enter(vm, l2_cpuid), 10, REASON_INVALID_GUEST_STATE, REASON_EXCEPTION_OR_NMI, REASON_TRIPLE_FAULT);
	race_end();
}

const struct scenario pdpte_scenarios[1] = {
	{ "races.pdptes", at_entry, UNHARMED, NULL },
};
