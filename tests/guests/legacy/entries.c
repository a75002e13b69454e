/* SPDX-License-Identifier: MIT */
/*
 * VM entries of a 32-bit hypervisor and the exits back to it. Most of the VMCS
 * is written in 64-bit mode and VMCLEARed; the program loads it and goes on.
 * SDM "Loading Host State", "Checks Related to Address-Space Size".
 */
#include "tests/guests/legacy/legacy.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/vm.h"
#include "tests/guests/lib/x86.h"

#define ACCESS_CODE_32 0xc09b
#define ACCESS_CODE_16 0x9b
#define ACCESS_DATA_16 0x93

/* L2's segments and L1's state in the current VMCS, for a program of that mode. */
static void write_host_state(const struct program *p)
{
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
}

static void write_guest_state(const struct program *p, bool ept)
{
	vm_clear(VM_ENTRY_CONTROLS, ENTRY_IA32E_MODE_GUEST);
	vmwrite(GUEST_CS_SELECTOR, SELECTOR_CODE32);
	vmwrite(GUEST_CS_ACCESS_RIGHTS, ACCESS_CODE_32);
	vmwrite(GUEST_CR0, p->cr0);
	vmwrite(GUEST_CR3, p->cr3);
	vmwrite(GUEST_CR4, p->cr4);
	/* SDM "Loading Page-Directory-Pointer-Table Entries": with EPT they come from these fields. */
	for (u32 i = 0; ept && i < 4; i++)
		vmwrite(GUEST_PDPTE0 + i * 2, p->cr4 & CR4_PAE ? ((u64 *)(u64)p->cr3)[i] : 0);
	vmwrite(GUEST_RIP, (u64)l2_cpuid_32);
	vmwrite(GUEST_RSP, (u64)p + PAGE_SIZE - 128);
}

/* 16-bit code below 1 MB, in real mode: "unrestricted guest". */
static void make_real_mode(u64 low_page)
{
	memcpy((void *)low_page, l2_real_mode, (u64)(l2_real_mode_end - l2_real_mode));
	for (u32 i = 0; i < 6; i++) { /* ES CS SS DS FS GS */
		vmwrite(GUEST_ES_SELECTOR + i * 2, low_page >> 4);
		vmwrite(GUEST_ES_BASE + i * 2, low_page);
		vmwrite(GUEST_ES_LIMIT + i * 2, 0xffff);
		vmwrite(GUEST_ES_ACCESS_RIGHTS + i * 2, i == 1 ? ACCESS_CODE_16 : ACCESS_DATA_16);
	}
	vm_set_secondary(PROC2_UNRESTRICTED_GUEST);
	vmwrite(GUEST_CR0, read_cr0() & ~(CR0_PE | CR0_PG));
	vmwrite(GUEST_RIP, 0);
	vmwrite(GUEST_RSP, 0x800);
}

struct entry {
	struct program *p;
	struct vm *vm;
	u64 *pointers;
};

/* In 64-bit mode, with VMX on: a program and the VMCS that it will run. */
static struct entry prepare(enum paging paging, bool ept)
{
	struct entry e = { .pointers = page_alloc() };

	vmx_on();
	e.vm = ept ? vm_create(l2_cpuid_32) : vm_create_without_ept(l2_cpuid_32);
	e.p = program_new(paging, 0);
	write_host_state(e.p);
	write_guest_state(e.p, ept);
	e.pointers[0] = vmx_region_alloc();
	e.pointers[1] = e.vm->vmcs;
	return e;
}

static void begin(const struct entry *e)
{
	vmclear(e->vm->vmcs);
	vmx_off();
	program_step(e->p, step_vmxon, (u64)&e->pointers[0], 0);
	program_step(e->p, step_vmptrld, (u64)&e->pointers[1], 0);
}

/* An entry and what an exit tells. */
struct exit_steps {
	u32 entry, reason, length, rip;
};

static struct exit_steps enter(struct program *p, const u8 *op)
{
	return (struct exit_steps){
		.entry = program_step(p, op, 0, 0),
		.reason = program_step(p, step_vmread, EXIT_REASON, 0),
		.length = program_step(p, step_vmread, VM_EXIT_INSTRUCTION_LENGTH, 0),
		.rip = program_step(p, step_vmread, GUEST_RIP, 0),
	};
}

static void say_exit(const struct program *p, struct exit_steps steps, u64 code)
{
	const struct step *entry = &p->steps[steps.entry];

	if (entry->vector != CAME_BY_EXIT) {
		say("no exit: %o; ", program_outcome(p, steps.entry));
		return;
	}
	say("exit %x+%u at %x eax=%x flags=%x; ", p->steps[steps.reason].value, p->steps[steps.length].value,
	    p->steps[steps.rip].value - (u32)code, entry->value, entry->flags);
}

/* Steps over L2's CPUID, which is two bytes long, to the VMCALL behind. */
static void skip_cpuid(struct program *p, u64 rip)
{
	program_step(p, step_vmwrite, GUEST_RIP, rip + 2);
}

static void protected_mode(enum paging paging, bool ept, const char *prefix, const char *name)
{
	struct entry e = prepare(paging, ept);
	struct exit_steps first, second;

	begin(&e);
	first = enter(e.p, step_vmlaunch);
	skip_cpuid(e.p, (u64)l2_cpuid_32 + 5);
	second = enter(e.p, step_vmresume);
	program_run(e.p);
	say_exit(e.p, first, (u64)l2_cpuid_32);
	say_exit(e.p, second, (u64)l2_cpuid_32);
	check_said(case_name(prefix, name),
		   "exit 0xa+2 at 5 eax=0x12345678 flags=2; exit 0x12+3 at 0xc eax=0x9abcdef0 flags=2; ");
}

static void real_mode(enum paging paging, const char *prefix)
{
	struct entry e = prepare(paging, true);
	struct exit_steps first, second;

	make_real_mode(machine_low_page());
	begin(&e);
	first = enter(e.p, step_vmlaunch);
	skip_cpuid(e.p, 6);
	second = enter(e.p, step_vmresume);
	program_run(e.p);
	say_exit(e.p, first, 0);
	say_exit(e.p, second, 0);
	check_said(case_name(prefix, "real_mode_guest"),
		   "exit 0xa+2 at 6 eax=0x16161616 flags=2; exit 0x12+3 at 8 eax=0xeeeeeeee flags=2; ");
}

/*
 * Expect: the exit loads the PDPTEs that HOST_CR3 points at, not those that were in use before; here the
 * first gigabyte is the same, and the second shows what the first has.
 */
static void host_pdptes(void)
{
	struct entry e = prepare(PAGING_PAE, true);
	u64 *old = (u64 *)(u64)e.p->cr3, *fresh = page_alloc(), *seen = page_alloc();
	u64 alias = (u64)seen + (1ull << 30);
	struct exit_steps exit;
	u32 load;

	*seen = 0x5eedf00d;
	memcpy(fresh, old, PAGE_SIZE);
	fresh[1] = old[0];
	old[1] = 0;
	vmwrite(HOST_CR3, (u64)fresh);
	begin(&e);
	program_step(e.p, step_load, alias, 0);
	exit = enter(e.p, step_vmlaunch);
	load = program_step(e.p, step_load, alias, 0);
	program_run(e.p);
	say("before #%u, ", e.p->steps[2].vector);
	say_exit(e.p, exit, (u64)l2_cpuid_32);
	say("after %x", e.p->steps[load].value);
	check_said("pae.host_pdptes", "before #14, exit 0xa+2 at 5 eax=0x12345678 flags=2; after 0x5eedf00d");
}

/* Expect: error 8 for each combination that IA-32e mode takes. */
static void address_space_size(void)
{
	static const struct {
		const char *name;
		bool host, guest;
	} cases[] = { { "host_64_bit", true, false }, { "guest_64_bit", false, true }, { "both_64_bit", true, true } };

	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		struct entry e = prepare(PAGING_PAE, true);

		if (cases[i].host)
			vm_set(VM_EXIT_CONTROLS, EXIT_HOST_ADDRESS_SPACE_SIZE);
		if (cases[i].guest)
			vm_set(VM_ENTRY_CONTROLS, ENTRY_IA32E_MODE_GUEST);
		begin(&e);
		cases_add(e.p, cases[i].name, step_vmlaunch, 0, 0, VMFAIL(8));
		program_run(e.p);
		cases_report(e.p, "pae.address_space_size");
	}
}

/* Expect: an entry that fails late comes back like an exit, in the host state, and the VMCS was not launched. */
static void entry_failure(enum paging paging, const char *prefix)
{
	struct entry e = prepare(paging, true);
	struct exit_steps failed, again;
	u32 resumed;

	vmwrite(GUEST_RFLAGS, 0);
	begin(&e);
	failed = enter(e.p, step_vmlaunch);
	resumed = program_vmx_step(e.p, step_vmresume, 0, 0);
	program_step(e.p, step_vmwrite, GUEST_RFLAGS, RFLAGS_FIXED);
	again = enter(e.p, step_vmlaunch);
	program_run(e.p);
	say("%x came by %x, then %o; ", e.p->steps[failed.reason].value, e.p->steps[failed.entry].vector, program_outcome(e.p, resumed));
	say_exit(e.p, again, (u64)l2_cpuid_32);
	check_said(case_name(prefix, "entry_failure"),
		   "0x80000021 came by 0x101, then VMfailValid 5; exit 0xa+2 at 5 eax=0x12345678 flags=2; ");
}

/* Expect: L2's exception is an exit with its vector, error code and address. */
static void exceptions(enum paging paging, const char *prefix)
{
	struct entry e = prepare(paging, true);
	struct exit_steps first;
	u32 vector, code, address;

	vmwrite(GUEST_RIP, 0xa0000000);
	vmwrite(EXCEPTION_BITMAP, BIT(VECTOR_PF));
	program_entry(e.p, 0xa0000000, PTE_P, 0);
	begin(&e);
	first = enter(e.p, step_vmlaunch);
	vector = program_step(e.p, step_vmread, VM_EXIT_INTERRUPTION_INFORMATION, 0);
	code = program_step(e.p, step_vmread, VM_EXIT_INTERRUPTION_ERROR_CODE, 0);
	address = program_step(e.p, step_vmread, EXIT_QUALIFICATION, 0);
	program_run(e.p);
	say("reason %u information %x code %x address %x", e.p->steps[first.reason].value, e.p->steps[vector].value,
	    e.p->steps[code].value, e.p->steps[address].value);
	check_said(case_name(prefix, "exception"), paging == PAGING_PAE ?
		   "reason 0 information 0x80000b0e code 0x10 address 0xa0000000" :
		   "reason 0 information 0x80000b0e code 0 address 0xa0000000");
}

/* Expect: what the exit leaves in CR0, CR4 and the flags is the host state's. */
static void host_registers(enum paging paging, const char *prefix)
{
	struct entry e = prepare(paging, true);
	u32 cr0, cr4;

	vmwrite(GUEST_CR0, e.p->cr0 | CR0_TS);
	vmwrite(GUEST_CR4, e.p->cr4 | CR4_TSD);
	begin(&e);
	enter(e.p, step_vmlaunch);
	cr0 = program_step(e.p, step_read_cr0, 0, 0);
	cr4 = program_step(e.p, step_read_cr4, 0, 0);
	program_run(e.p);
	say("cr0 %u cr4 %u", e.p->steps[cr0].value == e.p->cr0, e.p->steps[cr4].value == e.p->cr4);
	check_said(case_name(prefix, "host_registers"), "cr0 1 cr4 1");
}

void group_entries(void)
{
	static const struct {
		enum paging paging;
		const char *prefix;
	} modes[] = { { PAGING_PAE, "pae" }, { PAGING_32_BIT, "32_bit" } };

	for (u32 i = 0; i < ARRAY_SIZE(modes); i++) {
		protected_mode(modes[i].paging, true, modes[i].prefix, "guest");
		protected_mode(modes[i].paging, false, modes[i].prefix, "guest_without_ept");
		if (machine_low_page() && proc2_offers(PROC2_UNRESTRICTED_GUEST))
			real_mode(modes[i].paging, modes[i].prefix);
		host_registers(modes[i].paging, modes[i].prefix);
		entry_failure(modes[i].paging, modes[i].prefix);
		exceptions(modes[i].paging, modes[i].prefix);
	}
	host_pdptes();
	address_space_size();
	say("complete");
}
