/* SPDX-License-Identifier: MIT */
/*
 * abort: exits that cannot be completed. The processor on which one happens
 * stands still for good; another one reads what was the matter, tries to wake it,
 * and goes on. Each scenario uses up a processor. SDM "VMX Aborts".
 */
#include "tests/guests/legacy/legacy.h"

#include "tests/guests/lib/machine.h"
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/smp.h"
#include "tests/guests/lib/traps.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/x86.h"

#define SCENARIOS(name, ...) static const struct scenario name[] = { __VA_ARGS__ }; static const u64 name##_count = ARRAY_SIZE(name)
#define INDICATOR 4 /* SDM "Format of the VMCS Region" */
#define WRITE_HIGH 3072
#define IA32_SMBASE 0x9e
#define IA32_RTIT_CTL 0x570
#define QUIET_TICKS (WAIT_TICKS / 64)

extern const u8 l2_nothing[], l2_to_long_mode[];

struct victim {
	void (*run)(struct victim *victim);
	volatile u64 region; /* of the VMCS, once it is about to be entered */
};

static u32 last_victim;

/* --- on the other processor ------------------------------------------------------- */

/* Enters, and says what came if anything did. */
static void enter(struct victim *victim, struct vm *vm)
{
	victim->region = vm->vmcs;
	if (vm_run(vm))
		vm_say_exit(vm);
}

static u64 *add_list(enum vmcs_field address, enum vmcs_field count, u64 index, u64 value)
{
	u64 *list = page_alloc();

	/* The first entry is good. */
	list[0] = IA32_LSTAR, list[1] = 0x1111;
	list[2] = index, list[3] = value;
	vmwrite(address, (u64)list);
	vmwrite(count, 2);
	return list;
}

static struct vm *prepare(void)
{
	vmx_on();
	return vm_create(l2_nothing);
}

static void store_reserved(struct victim *victim)
{
	struct vm *vm = prepare();

	add_list(VM_EXIT_MSR_STORE_ADDRESS, VM_EXIT_MSR_STORE_COUNT, IA32_STAR | 1ull << 40, 0);
	enter(victim, vm);
}

static void store_smbase(struct victim *victim)
{
	struct vm *vm = prepare();

	add_list(VM_EXIT_MSR_STORE_ADDRESS, VM_EXIT_MSR_STORE_COUNT, IA32_SMBASE, 0);
	enter(victim, vm);
}

/* Expect: processor trace is hidden, so that RDMSR of its MSRs is #GP. */
static void store_processor_trace(struct victim *victim)
{
	struct vm *vm = prepare();

	add_list(VM_EXIT_MSR_STORE_ADDRESS, VM_EXIT_MSR_STORE_COUNT, IA32_RTIT_CTL, 0);
	enter(victim, vm);
}

static void load_reserved(struct victim *victim)
{
	struct vm *vm = prepare();

	add_list(VM_EXIT_MSR_LOAD_ADDRESS, VM_EXIT_MSR_LOAD_COUNT, IA32_STAR | 1ull << 32, 0);
	enter(victim, vm);
}

static void load_base(struct victim *victim)
{
	struct vm *vm = prepare();

	add_list(VM_EXIT_MSR_LOAD_ADDRESS, VM_EXIT_MSR_LOAD_COUNT, IA32_FS_BASE, 0);
	enter(victim, vm);
}

/* The exit of an entry that failed is one, too. */
static void load_after_failed_entry(struct victim *victim)
{
	struct vm *vm = prepare();

	vmwrite(GUEST_RFLAGS, 0);
	add_list(VM_EXIT_MSR_LOAD_ADDRESS, VM_EXIT_MSR_LOAD_COUNT, IA32_GS_BASE, 0);
	enter(victim, vm);
}

/* A hypervisor outside IA-32e mode: the VMCS is made in 64-bit mode, and the program enters it. */
static struct program *make_legacy(struct vm *vm)
{
	struct program *p = program_new(PAGING_PAE, (u64)page_alloc());
	struct table_register gdtr, idtr;

	memcpy(&gdtr, p->gdtr, sizeof(gdtr));
	memcpy(&idtr, p->idtr, sizeof(idtr));
	vmwrite(HOST_CR0, p->cr0);
	vmwrite(HOST_CR3, p->cr3);
	vmwrite(HOST_CR4, p->cr4);
	vmwrite(HOST_CS_SELECTOR, SELECTOR_CODE32);
	vmwrite(HOST_FS_SELECTOR, 0);
	vmwrite(HOST_GDTR_BASE, gdtr.base);
	vmwrite(HOST_IDTR_BASE, idtr.base);
	vmwrite(HOST_RSP, (u64)p + PAGE_SIZE);
	vmwrite(HOST_RIP, (u64)legacy_exit_point);
	vm_clear(VM_EXIT_CONTROLS, EXIT_HOST_ADDRESS_SPACE_SIZE);
	vm_clear(VM_ENTRY_CONTROLS, ENTRY_IA32E_MODE_GUEST);
	vmwrite(GUEST_CS_SELECTOR, SELECTOR_CODE32);
	vmwrite(GUEST_CS_ACCESS_RIGHTS, 0xc09b);
	vmwrite(GUEST_CR0, p->cr0);
	vmwrite(GUEST_CR3, p->cr3);
	vmwrite(GUEST_CR4, p->cr4);
	for (u32 i = 0; i < 4; i++)
		vmwrite(GUEST_PDPTE0 + i * 2, ((u64 *)(u64)p->cr3)[i]);
	vmwrite(GUEST_RSP, (u64)p + PAGE_SIZE - 128);
	vm_clear(PROCESSOR_BASED_CONTROLS, PROC_CR3_LOAD_EXITING | PROC_CR3_STORE_EXITING);
	((u8 *)vm->msr_bitmap)[WRITE_HIGH + (IA32_EFER & 0x1fff) / 8] = 0;
	return p;
}

static void enter_legacy(struct victim *victim, struct vm *vm, struct program *p, u64 ecx)
{
	u64 *pointers = page_alloc();

	vmclear(vm->vmcs);
	vmx_off();
	pointers[0] = vmx_region_alloc();
	pointers[1] = vm->vmcs;
	program_step(p, step_vmxon, (u64)&pointers[0], 0);
	program_step(p, step_vmptrld, (u64)&pointers[1], 0);
	program_step(p, step_vmlaunch, ecx, 0);
	program_step(p, step_vmread, EXIT_REASON, 0);
	victim->region = vm->vmcs;
	program_run(p);
	say(" vmlaunch %x, reason %x", p->steps[2].vector, p->steps[3].value);
}

/* Expect: L1's PDPTEs are looked at when they are loaded, at the exit. */
static void host_pdptes(struct victim *victim)
{
	struct vm *vm = prepare();
	struct program *p = make_legacy(vm);
	u64 *bad = page_alloc();

	memcpy(bad, (void *)(u64)p->cr3, 4 * sizeof(u64));
	bad[2] |= BIT(5);
	vmwrite(HOST_CR3, (u64)bad);
	vmwrite(GUEST_RIP, (u64)l2_nothing);
	enter_legacy(victim, vm, p, 0);
}

/* Expect: an L2 that has gone to IA-32e mode by itself cannot come back to an L1 that is not in it. */
static void address_space_size(struct victim *victim)
{
	struct vm *vm = prepare();
	struct program *p = make_legacy(vm);

	vm_set_secondary(PROC2_UNRESTRICTED_GUEST);
	vmwrite(GUEST_RIP, (u64)l2_to_long_mode);
	/* VMLAUNCH leaves the registers of its step to L2: ECX has the page table. */
	enter_legacy(victim, vm, p, vm->page_table);
}

/* --- on the first ------------------------------------------------------------------- */

static void run_victim(void *argument)
{
	struct victim *victim = argument;

	victim->run(victim);
}

/* Whoever gets this far can still run VMs. */
static void run_own(void)
{
	struct vm *vm;

	vmx_on();
	vm = vm_create(l2_nothing);
	vm_run(vm);
	say("; mine: %s", exit_reason_name(vm->basic_reason));
}

static void try_to_wake(u32 cpu)
{
	u32 boots = cpus[cpu].boots;

	cpu_send_nmi(cpu);
	delay(QUIET_TICKS);
	cpu_send_init(cpu);
	delay(QUIET_TICKS);
	for (u32 i = 0; i < 3; i++) {
		cpu_send_sipi(cpu);
		delay(QUIET_TICKS);
	}
	say("; NMI: %s, INIT and SIPI: %s", traps_count_on(cpu, VECTOR_NMI) ? "taken" : "nothing",
	    cpus[cpu].boots != boots ? "started" : "nothing");
}

static void happens(void (*run)(struct victim *victim))
{
	static struct victim victim;
	volatile u32 *indicator;
	u32 cpu = ++last_victim;

	victim = (struct victim){ .run = run };
	if (cpu >= cpu_count())
		scenario_abort("no processor is left for it");
	cpu_ask(cpu, run_victim, &victim);
	WAIT_UNTIL(victim.region || cpu_is_done(cpu), "the VMCS");
	indicator = (volatile u32 *)(victim.region + INDICATOR);
	WAIT_UNTIL(*indicator || cpu_is_done(cpu), "the VMX-abort indicator");
	delay(QUIET_TICKS);
	if (cpu_is_done(cpu))
		scenario_abort("it came back:%s", cpu_said(cpu));
	say("indicator=%u", *indicator);
	try_to_wake(cpu);
	cpus[cpu].state = CPU_LOST;
	run_own();
}

#define HAPPENS(name)                        \
	static void happens_##name(void)     \
	{                                    \
		happens(name);               \
	}
HAPPENS(store_reserved)
HAPPENS(store_smbase)
HAPPENS(store_processor_trace)
HAPPENS(load_reserved)
HAPPENS(load_base)
HAPPENS(load_after_failed_entry)
HAPPENS(host_pdptes)
HAPPENS(address_space_size)
#undef HAPPENS

#define STANDS(indicator) "indicator=" indicator "; NMI: nothing, INIT and SIPI: nothing; mine: VMCALL"

SCENARIOS(abort_scenarios,
	{ "abort.store_reserved", happens_store_reserved, STANDS("1"), NULL },
	{ "abort.store_smbase", happens_store_smbase, STANDS("1"), NULL },
	{ "abort.store_processor_trace", happens_store_processor_trace, STANDS("1"), NULL },
	{ "abort.load_reserved", happens_load_reserved, STANDS("4"), NULL },
	{ "abort.load_base", happens_load_base, STANDS("4"), NULL },
	{ "abort.load_after_failed_entry", happens_load_after_failed_entry, STANDS("4"), NULL },
	{ "abort.host_pdptes", happens_host_pdptes, STANDS("2"), NULL },
	{ "abort.address_space_size", happens_address_space_size, STANDS("6"), NULL },
);

void guest_main(void)
{
	if (!vmx_present()) {
		info("no VMX");
		return;
	}
	info("abort, Testudo %s", under_testudo() ? "below" : "not found");
	smp_start();
	scenarios_run(abort_scenarios, abort_scenarios_count);
}
