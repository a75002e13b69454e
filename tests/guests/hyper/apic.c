/* SPDX-License-Identifier: MIT */
/*
 * APIC virtualization: the TPR shadow, the APIC-access page, x2APIC mode and
 * virtual-interrupt delivery. SDM "APIC Virtualization and Virtual Interrupts".
 */
#include "tests/guests/hyper/hyper.h"
#include "tests/guests/hyper/l2_code.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define APIC_ADDRESS (TEST_ADDRESS + (16 << 20))
#define VTPR 0x80
#define X2APIC_TPR 0x808

static u32 *virtual_apic;

static struct vm *create(const u8 *code, u64 proc2)
{
	struct vm *vm = vm_create(code);

	virtual_apic = page_alloc();
	vmwrite(VIRTUAL_APIC_ADDRESS, (u64)virtual_apic);
	vmwrite(TPR_THRESHOLD, 0);
	vm_set(PROCESSOR_BASED_CONTROLS, PROC_USE_TPR_SHADOW);
	vm_set_secondary(proc2);
	vm->gpr[RSI] = APIC_ADDRESS;
	return vm;
}

static u64 own_cr8(void)
{
	u64 cr8;

	__asm__ volatile("mov %%cr8, %0" : "=r"(cr8));
	return cr8;
}

static bool has_tpr_shadow(void)
{
	return proc_offers(PROC_USE_TPR_SHADOW);
}

/* Expect: CR8 of L2 is the page's, the processor's stays. */
static void tpr_shadow(void)
{
	struct vm *vm = create(l2_cr8, 0);

	virtual_apic[VTPR / 4] = 0xf0;
	vm->gpr[RAX] = 5;
	vm_step(vm);
	say(" r10=%lx vtpr=%x mine=%lx", vm->gpr[R10], virtual_apic[VTPR / 4], own_cr8());
}

/* Expect: a trap-like exit once VTPR falls below the threshold. */
static void tpr_threshold(void)
{
	struct vm *vm = create(l2_cr8, 0);

	virtual_apic[VTPR / 4] = 0x80;
	vmwrite(TPR_THRESHOLD, 4);
	vm->gpr[RAX] = 2;
	vm_step(vm);
	say(" vtpr=%x; ", virtual_apic[VTPR / 4]);
	vmwrite(TPR_THRESHOLD, 2);
	vm_step(vm);
	say(" r10=%lx", vm->gpr[R10]);
}

static bool has_apic_accesses(void)
{
	return has_tpr_shadow() && proc2_offers(PROC2_VIRTUALIZE_APIC_ACCESSES);
}

static struct vm *create_with_access_page(const u8 *code)
{
	struct vm *vm = create(code, PROC2_VIRTUALIZE_APIC_ACCESSES);
	u64 page = (u64)page_alloc();

	vmwrite(APIC_ACCESS_ADDRESS, page);
	*ept_entry(vm->ept, APIC_ADDRESS, 1) = page | EPT_RWX | EPT_MEMORY_TYPE_WB;
	return vm;
}

static void access_read(void)
{
	vm_step(create_with_access_page(l2_apic_read));
}

static void access_write(void)
{
	vm_step(create_with_access_page(l2_apic_write));
}

/* Expect: the TPR in the page is the shadow, no exit. */
static void access_tpr(void)
{
	struct vm *vm = create_with_access_page(l2_apic_tpr);

	virtual_apic[VTPR / 4] = 0x30;
	vm_step(vm);
	say(" rax=%lx r8=%lx vtpr=%x", vm->gpr[RAX], vm->gpr[R8], virtual_apic[VTPR / 4]);
}

static bool has_x2apic(void)
{
	return has_tpr_shadow() && proc2_offers(PROC2_VIRTUALIZE_X2APIC_MODE);
}

static void x2apic_tpr(void)
{
	struct vm *vm = create(l2_x2apic_tpr, PROC2_VIRTUALIZE_X2APIC_MODE);

	*((u8 *)vm->msr_bitmap + X2APIC_TPR / 8) = 0xfe;
	*((u8 *)vm->msr_bitmap + 2048 + X2APIC_TPR / 8) = 0xfe;
	virtual_apic[VTPR / 4] = 0x20;
	vm_step(vm);
	say(" rbx=%lx r8=%lx vtpr=%x mine=%lx", vm->gpr[RBX], vm->gpr[R8], virtual_apic[VTPR / 4],
	    own_cr8());
}

static bool has_apic_registers(void)
{
	return has_apic_accesses() && proc2_offers(PROC2_APIC_REGISTER_VIRTUALIZATION);
}

/* Expect: the read comes from the virtual-APIC page, the write traps after it. */
static void registers(void)
{
	struct vm *vm = create_with_access_page(l2_apic_read);

	vm_set_secondary(PROC2_APIC_REGISTER_VIRTUALIZATION);
	virtual_apic[0x20 / 4] = 0x7000000;
	vm_step(vm);
	say(" rax=%lx; ", vm->gpr[RAX]);
	vm_restart(vm, l2_apic_write);
	vm->gpr[RSI] = APIC_ADDRESS;
	vm_step(vm);
	say(" icr=%x", virtual_apic[0x300 / 4]);
}

static bool has_delivery(void)
{
	return has_tpr_shadow() && proc2_offers(PROC2_VIRTUAL_INTERRUPT_DELIVERY);
}

/*
 * L2 takes the vector once by injection: then an L0, if there is one, has all
 * pages mapped. Bochs names a wrong event in the IDT-vectoring information
 * when an EPT violation meets the delivery of a virtual interrupt.
 */
static void touch_delivery_pages(struct vm *vm)
{
	vm_set(GUEST_RFLAGS, RFLAGS_IF);
	vm_inject(EVENT_EXTERNAL_INTERRUPT | 0x61, 0, 0);
	vm_run(vm);
	vm_skip(vm);
	vm_run(vm);
	vm_restart(vm, l2_nops);
}

/* Expect: L2 takes the requested vector; RVI moves to SVI and the in-service bit is set. */
static void delivery(void)
{
	struct vm *vm = create(l2_nops, 0);

	touch_delivery_pages(vm);
	vm_set_secondary(PROC2_VIRTUAL_INTERRUPT_DELIVERY);
	vm_set(PIN_BASED_CONTROLS, PIN_EXTERNAL_INTERRUPT_EXITING);
	vm_set(VM_EXIT_CONTROLS, EXIT_ACKNOWLEDGE_INTERRUPT);
	vmwrite(EXCEPTION_BITMAP, 0);
	for (u32 i = 0; i < 4; i++)
		vmwrite(EOI_EXIT_BITMAP_0 + i * 2, 0);
	vmwrite(GUEST_INTERRUPT_STATUS, 0x61);
	virtual_apic[(0x200 + 0x30) / 4] = 1u << 1;
	vm_set(GUEST_RFLAGS, RFLAGS_IF);
	vm_step(vm);
	say(" status=%lx in_service=%x; ", vmread(GUEST_INTERRUPT_STATUS),
	    virtual_apic[(0x100 + 0x30) / 4]);
	vm_skip(vm);
	vm_step(vm);
}

SCENARIOS(apic_scenarios,
	{ "apic.tpr_shadow", tpr_shadow, "VMCALL(18) length=3 rip=+8 r10=5 vtpr=0x50 mine=0",
	  has_tpr_shadow },
	{ "apic.tpr_threshold", tpr_threshold,
	  "TPR_BELOW_THRESHOLD(43) rip=+4 vtpr=0x20; VMCALL(18) length=3 rip=+8 r10=2", has_tpr_shadow },
	{ "apic.access_read", access_read, "APIC_ACCESS(44) qualification=0x20 rip=+0", has_apic_accesses },
	{ "apic.access_write", access_write,
	  "APIC_ACCESS(44) qualification=0x1300 rip=+0", has_apic_accesses },
	{ "apic.access_tpr", access_tpr,
	  "VMCALL(18) length=3 rip=+20 rax=0x30 r8=6 vtpr=0x60", has_apic_accesses },
	{ "apic.x2apic_tpr", x2apic_tpr,
	  "VMCALL(18) length=3 rip=+22 rbx=0x20 r8=5 vtpr=0x50 mine=0", has_x2apic },
	{ "apic.registers", registers,
	  "VMCALL(18) length=3 rip=+3 rax=0x7000000; "
	  "APIC_WRITE(56) qualification=0x300 rip=+10 icr=0x1234", has_apic_registers },
	{ "apic.delivery", delivery,
	  "L2 took #97 from +0 rflags=0x202 status=0x6100 in_service=2; "
	  "VMCALL(18) length=3 rip=+3", has_delivery },
);
