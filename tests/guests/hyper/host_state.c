/* SPDX-License-Identifier: MIT */
/*
 * What L1 finds after an exit: the host-state area, and the constants that
 * the SDM prescribes. SDM "Loading Host State".
 */
#include "tests/guests/hyper/hyper.h"
#include "tests/guests/hyper/l2_code.h"

#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

/* L2 has values of its own wherever L1's are asked for afterwards. */
static struct vm *create(void)
{
	struct vm *vm = vm_create(l2_nops);

	vmwrite(GUEST_FS_BASE, 0x111000);
	vmwrite(GUEST_GS_BASE, 0x222000);
	vmwrite(GUEST_IA32_SYSENTER_CS, 0x33);
	vmwrite(GUEST_IA32_SYSENTER_ESP, 0x444);
	vmwrite(GUEST_IA32_SYSENTER_EIP, 0x555);
	vmwrite(HOST_FS_BASE, 0x1000);
	vmwrite(HOST_GS_BASE, 0x2000);
	vmwrite(HOST_IA32_SYSENTER_CS, 0x3);
	vmwrite(HOST_IA32_SYSENTER_ESP, 0x4000);
	vmwrite(HOST_IA32_SYSENTER_EIP, 0x5000);
	return vm;
}

static void put_back(void)
{
	wrmsr(IA32_FS_BASE, 0);
	wrmsr(IA32_GS_BASE, 0);
	wrmsr(IA32_SYSENTER_CS, 0);
	wrmsr(IA32_SYSENTER_ESP, 0);
	wrmsr(IA32_SYSENTER_EIP, 0);
}

static void msrs(void)
{
	vm_run(create());
	say("fs=%lx gs=%lx sysenter=%lx/%lx/%lx", rdmsr(IA32_FS_BASE), rdmsr(IA32_GS_BASE),
	    rdmsr(IA32_SYSENTER_CS), rdmsr(IA32_SYSENTER_ESP), rdmsr(IA32_SYSENTER_EIP));
	put_back();
}

/* Expect: LDTR null, limits of GDTR and IDTR 0xffff, the selectors of the host area. */
static void tables(void)
{
	struct table_register gdtr, idtr;
	u64 ldtr = 0, tr = 0, es = 0, ss = 0, fs = 0;
	struct vm *vm = create();

	vmwrite(HOST_ES_SELECTOR, 0);
	vmwrite(HOST_FS_SELECTOR, SELECTOR_DATA);
	vm_run(vm);
	__asm__ volatile("sgdt %0; sidt %1" : "=m"(gdtr), "=m"(idtr));
	__asm__ volatile("sldt %0; str %1; mov %%es, %2; mov %%ss, %3; mov %%fs, %4"
			 : "+r"(ldtr), "+r"(tr), "+r"(es), "+r"(ss), "+r"(fs));
	say("gdtr=%x/%u idtr=%x/%u ldtr=%lx tr=%lx es=%lx ss=%lx fs=%lx", (u32)gdtr.limit,
	    gdtr.base == vmread(HOST_GDTR_BASE), (u32)idtr.limit, idtr.base == vmread(HOST_IDTR_BASE),
	    ldtr, tr, es, ss, fs);
	put_back();
}

/* Expect: CR0 and CR4 of the host area, whatever L2's are; DR7 is 0x400, RFLAGS 2. */
static void registers(void)
{
	struct vm *vm = create();
	u64 cr0 = read_cr0(), cr4 = read_cr4(), dr7, rflags;

	vm_set(VM_ENTRY_CONTROLS, ENTRY_LOAD_DEBUG_CONTROLS);
	vmwrite(GUEST_DR7, 0x455);
	vm_set(GUEST_CR0, CR0_TS | CR0_AM);
	vm_set(GUEST_CR4, CR4_TSD | CR4_PGE);
	vm_set(GUEST_RFLAGS, RFLAGS_IF | RFLAGS_CF);
	vm_run(vm);
	__asm__ volatile("pushfq; pop %0; mov %%dr7, %1" : "=r"(rflags), "=r"(dr7));
	say("cr0=%u cr3=%u cr4=%u dr7=%lx if=%u guest_cf=%u", read_cr0() == cr0,
	    read_cr3() == vmread(HOST_CR3), read_cr4() == cr4, dr7, !!(rflags & RFLAGS_IF),
	    !!(vmread(GUEST_RFLAGS) & RFLAGS_CF));
	put_back();
}

/* Expect: a failed entry (exit 33) loads the same. */
static void after_failed_entry(void)
{
	struct vm *vm = create();

	vm_clear(GUEST_RFLAGS, BIT(1));
	vm_run(vm);
	say("reason=%x fs=%lx sysenter_eip=%lx", vm->basic_reason, rdmsr(IA32_FS_BASE),
	    rdmsr(IA32_SYSENTER_EIP));
	put_back();
}

SCENARIOS(host_state_scenarios,
	{ "host_state.msrs", msrs, "fs=0x1000 gs=0x2000 sysenter=3/0x4000/0x5000", NULL },
	{ "host_state.tables", tables,
	  "gdtr=0xffff/1 idtr=0xffff/1 ldtr=0 tr=0x20 es=0 ss=0x10 fs=0x10", NULL },
	{ "host_state.registers", registers, "cr0=1 cr3=1 cr4=1 dr7=0x400 if=0 guest_cf=1", NULL },
	{ "host_state.after_failed_entry", after_failed_entry,
	  "reason=0x80000021 fs=0x1000 sysenter_eip=0x5000", NULL },
);
