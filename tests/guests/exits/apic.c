/* SPDX-License-Identifier: MIT */
/*
 * Accesses to the APIC-access page, writes to virtual registers and ends of interrupts:
 * SDM "Exit Qualification for APIC-Access VM Exits from Linear Accesses and Guest-Physical
 * Accesses", "APIC-Write Emulation", "EOI Virtualization".
 */
#include "tests/guests/exits/exits.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

L2(apic_accesses); L2(apic_write); L2(int_80); L2(read); L2(nops);

#define APIC (TEST_ADDRESS + (16 << 20))
#define IST1_OFFSET 36

static u32 *virtual_apic;

static bool has_accesses(void)
{
	return proc_offers(PROC_USE_TPR_SHADOW) && proc2_offers(PROC2_VIRTUALIZE_APIC_ACCESSES);
}

static bool has_registers(void)
{
	return has_accesses() && proc2_offers(PROC2_APIC_REGISTER_VIRTUALIZATION);
}

static bool has_delivery(void)
{
	return has_accesses() && proc2_offers(PROC2_VIRTUAL_INTERRUPT_DELIVERY);
}

static struct vm *create(const u8 *code)
{
	struct vm *vm = create_free(code);
	u64 page = (u64)page_alloc();

	virtual_apic = page_alloc();
	vmwrite(VIRTUAL_APIC_ADDRESS, (u64)virtual_apic);
	vmwrite(APIC_ACCESS_ADDRESS, page);
	vmwrite(TPR_THRESHOLD, 0);
	vm_set(PROCESSOR_BASED_CONTROLS, PROC_USE_TPR_SHADOW);
	vm_set_secondary(PROC2_VIRTUALIZE_APIC_ACCESSES);
	*ept_entry(vm->ept, APIC, 1) = page | EPT_RWX | EPT_MEMORY_TYPE_WB;
	vm->gpr[RSI] = vm->gpr[RDI] = APIC;
	return vm;
}

/* An APIC-access exit comes before its instruction but tells no length; these are as long as in the *_l2.asm. */
static void accesses(void)
{
	static const struct {
		const char *name;
		u32 length;
	} all[] = { { "apic.read", 3 }, { "apic.write", 10 }, { "apic.modify", 10 }, { "apic.read_odd", 3 }, { "apic.string", 2 } };
	struct vm *vm = create(l2_apic_accesses);

	for (volatile u32 i = 0; i < ARRAY_SIZE(all); i++) {
		step(vm);
		vmwrite(GUEST_RIP, vmread(GUEST_RIP) + all[i].length);
		check_said(all[i].name, NULL);
	}
	step(vm);
	say(" vtpr=%x", virtual_apic[0x80 / 4]);
}

/* Expect: an access by event delivery tells of the event. */
static void event_delivery(void)
{
	struct vm *vm = create(l2_int_80);
	u64 stack_top = APIC + 0x800;

	memcpy(vm->tables->tss + IST1_OFFSET, &stack_top, sizeof(stack_top));
	step(vm);
	say("; ");
	vm_restart(vm, l2_nops);
	vm_set(GUEST_RFLAGS, RFLAGS_IF);
	vm_inject(EVENT_EXTERNAL_INTERRUPT | 0x61, 0, 0);
	step(vm);
}

/* Expect: a page walk of L2's is a guest-physical access. */
static void page_walk(void)
{
	struct vm *vm = create(l2_read);

	*paging_entry(vm->page_table, TEST_ADDRESS, 2, PTE_P | PTE_W) = APIC | PTE_P | PTE_W;
	vm->gpr[RSI] = TEST_ADDRESS;
	step(vm);
}

/* Expect: behind the write, with the offset; registers that are not virtualized are accesses still. */
static void register_writes(void)
{
	static const u32 offsets[] = { 0x80, 0xd0, 0xe0, 0xf0, 0x280, 0x300, 0x310, 0x320, 0x380, 0x3e0, 0x20, 0x30, 0x390 };

	for (u32 i = 0; i < ARRAY_SIZE(offsets); i++) {
		struct vm *vm = create(l2_apic_write);

		vm_set_secondary(PROC2_APIC_REGISTER_VIRTUALIZATION);
		vm->gpr[RSI] = APIC + offsets[i];
		vm->gpr[RAX] = 0x11;
		vm_step(vm);
		say(" %x=%x; ", offsets[i], virtual_apic[offsets[i] / 4]);
	}
}

/* Expect: the vector, behind the write, for those of the bitmap. */
static void end_of_interrupt(void)
{
	for (u32 i = 0; i < 2; i++) {
		struct vm *vm = create(l2_apic_write);

		vm_set_secondary(PROC2_VIRTUAL_INTERRUPT_DELIVERY);
		vm_set(PIN_BASED_CONTROLS, PIN_EXTERNAL_INTERRUPT_EXITING);
		for (u32 n = 0; n < 4; n++)
			vmwrite(EOI_EXIT_BITMAP_0 + n * 2, n == 1 && i ? BIT(0x61 - 64) : 0);
		vmwrite(GUEST_INTERRUPT_STATUS, 0x6100);
		virtual_apic[(0x100 + 0x30) / 4] = BIT(1);
		vm->gpr[RSI] = APIC + 0xb0;
		step(vm);
		say(" status=%lx in_service=%x; ", vmread(GUEST_INTERRUPT_STATUS), virtual_apic[(0x100 + 0x30) / 4]);
	}
}

SCENARIOS(apic_scenarios,
	{ "apic.accesses", accesses, NULL, has_accesses },
	{ "apic.event_delivery", event_delivery, NULL, has_accesses },
	{ "apic.page_walk", page_walk, NULL, has_accesses },
	{ "apic.register_writes", register_writes, NULL, has_registers },
	{ "apic.end_of_interrupt", end_of_interrupt, NULL, has_delivery },
);
