/* SPDX-License-Identifier: MIT */
/*
 * The VMX instructions of a hypervisor in 32-bit protected mode, with 32-bit and
 * with PAE paging: SDM "VMX Instruction Reference", and "VMREAD, VMWRITE, and
 * Encodings of VMCS Fields" for what is 32 bits wide there.
 */
#include "tests/guests/legacy/legacy.h"

#include "tests/guests/lib/machine.h"
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/x86.h"

#define BEYOND_PHYSICAL_WIDTH BIT(51)
#define ERROR_IN_ROOT 15

/* The operands that a program works on. */
struct world {
	u64 vmxon, vmcs, wrong; /* regions */
	u64 *data;
};

static u64 pointer(struct world *w, u64 value)
{
	*w->data = value;
	return (u64)w->data++;
}

static struct world make_world(void)
{
	struct world w = { vmx_region_alloc(), vmx_region_alloc(), (u64)page_alloc(), page_alloc() };

	*(u32 *)w.wrong = *(u32 *)w.vmcs ^ 1;
	return w;
}

static void outside(struct program *p, struct world *w)
{
	u64 region = pointer(w, w->vmcs);

	cases_add(p, "outside.vmclear", step_vmclear, region, 0, FAULT(VECTOR_UD));
	cases_add(p, "outside.vmread", step_vmread, GUEST_RIP, 0, FAULT(VECTOR_UD));
	cases_add(p, "outside.vmlaunch", step_vmlaunch, 0, 0, FAULT(VECTOR_UD));
	cases_add(p, "outside.vmcall", step_vmcall, 0, 0, FAULT(VECTOR_UD));
	cases_add(p, "vmxon.misaligned", step_vmxon, pointer(w, w->vmxon + 4), 0, OUTCOME_FAIL_INVALID);
	cases_add(p, "vmxon.beyond_width", step_vmxon, pointer(w, w->vmxon | BEYOND_PHYSICAL_WIDTH), 0, OUTCOME_FAIL_INVALID);
	cases_add(p, "vmxon.wrong_revision", step_vmxon, pointer(w, w->wrong), 0, OUTCOME_FAIL_INVALID);
}

static void pointers(struct program *p, struct world *w)
{
	cases_add(p, "vmxon", step_vmxon, pointer(w, w->vmxon), 0, OUTCOME_OK);
	cases_add(p, "vmlaunch.no_vmcs", step_vmlaunch, 0, 0, OUTCOME_FAIL_INVALID);
	cases_add(p, "vmclear", step_vmclear, pointer(w, w->vmcs), 0, OUTCOME_OK);
	cases_add(p, "vmptrld", step_vmptrld, pointer(w, w->vmcs), 0, OUTCOME_OK);
	cases_add(p, "vmxon.in_root", step_vmxon, pointer(w, w->vmxon), 0, VMFAIL(ERROR_IN_ROOT));
	cases_add(p, "vmclear.beyond_width", step_vmclear, pointer(w, w->vmcs | BEYOND_PHYSICAL_WIDTH), 0, VMFAIL(2));
	cases_add(p, "vmclear.vmxon_pointer", step_vmclear, pointer(w, w->vmxon), 0, VMFAIL(3));
	cases_add(p, "vmptrld.beyond_32_bits", step_vmptrld, pointer(w, w->vmcs | BEYOND_PHYSICAL_WIDTH), 0, VMFAIL(9));
	cases_add(p, "vmptrld.vmxon_pointer", step_vmptrld, pointer(w, w->vmxon), 0, VMFAIL(10));
	cases_add(p, "vmptrld.wrong_revision", step_vmptrld, pointer(w, w->wrong), 0, VMFAIL(11));
	cases_add(p, "vmresume.not_launched", step_vmresume, 0, 0, VMFAIL(5));
	cases_add(p, "vmlaunch.after_mov_ss", step_vmlaunch_blocked, 0, 0, VMFAIL(26));
	cases_add(p, "vmfunc", step_vmfunc, 0, 0, FAULT(VECTOR_UD));
	cases_add(p, "vmptrst.lock", step_vmptrst_lock, pointer(w, 0), 0, FAULT(VECTOR_UD));
}

static void others(struct program *p, struct world *w)
{
	u64 descriptor = pointer(w, 0);

	pointer(w, 0);
	cases_add(p, "vmread.unsupported", step_vmread, 0x69fe, 0, VMFAIL(12));
	cases_add(p, "vmwrite.unsupported", step_vmwrite, GUEST_RIP | BIT(16), 0, VMFAIL(12));
	cases_add(p, "invept.all", step_invept, 2, descriptor, OUTCOME_OK);
	cases_add(p, "invept.type_3", step_invept, 3, descriptor, VMFAIL(28));
	cases_add(p, "invvpid.all", step_invvpid, 2, descriptor, OUTCOME_OK);
	cases_add(p, "invvpid.single_of_vpid_0", step_invvpid, 1, descriptor, VMFAIL(28));
	cases_add(p, "mov_cr0.clear_pg", step_mov_cr0, p->cr0 & ~CR0_PG, 0, FAULT(VECTOR_GP));
	cases_add(p, "mov_cr0.clear_ne", step_mov_cr0, p->cr0 & ~CR0_NE, 0, FAULT(VECTOR_GP));
	cases_add(p, "mov_cr4.clear_vmxe", step_mov_cr4, p->cr4 & ~CR4_VMXE, 0, FAULT(VECTOR_GP));
	cases_add(p, "vmxoff", step_vmxoff, 0, 0, OUTCOME_OK);
	cases_add(p, "vmxoff.twice", step_vmxoff, 0, 0, FAULT(VECTOR_UD));
}

static void instructions(enum paging paging, const char *prefix)
{
	struct world w = make_world();
	struct program *p = program_new(paging, (u64)w.data);

	outside(p, &w);
	pointers(p, &w);
	others(p, &w);
	program_run(p);
	cases_report(p, prefix);
}

/* Full and high accesses: SDM "VMREAD, VMWRITE, and Encodings of VMCS Fields". */
static void fields(enum paging paging, const char *prefix)
{
	struct world w = make_world();
	struct program *p = program_new(paging, (u64)w.data);
	u64 *memory = page_alloc();
	u32 reads[7];

	memory[0] = memory[1] = ~0ull;
	memory[2] = 0x1111222233334444;
	program_step(p, step_vmxon, pointer(&w, w.vmxon), 0);
	program_step(p, step_vmclear, pointer(&w, w.vmcs), 0);
	program_step(p, step_vmptrld, pointer(&w, w.vmcs), 0);
	program_step(p, step_vmwrite, GUEST_RIP, 0x87654321);
	reads[0] = program_step(p, step_vmread, GUEST_RIP, 0);
	reads[1] = program_step(p, step_vmread_esp, GUEST_RIP, 0);
	program_step(p, step_vmread_memory, GUEST_RIP, (u64)memory);
	program_step(p, step_vmwrite_memory, GUEST_RSP, (u64)&memory[2]);
	reads[2] = program_step(p, step_vmread, GUEST_RSP, 0);
	program_step(p, step_vmwrite, TSC_OFFSET + 1, 0xaaaa5555);
	reads[3] = program_step(p, step_vmread, TSC_OFFSET + 1, 0);
	reads[4] = program_step(p, step_vmread, TSC_OFFSET, 0);
	program_step(p, step_vmwrite, TSC_OFFSET, 0x99998888);
	reads[5] = program_step(p, step_vmread, TSC_OFFSET, 0);
	reads[6] = program_step(p, step_vmread, TSC_OFFSET + 1, 0);
	program_run(p);
	for (u32 i = 0; i < ARRAY_SIZE(reads); i++)
		say("%x ", p->steps[reads[i]].value);
	say("%lx", memory[0]);
	/* Expect: the high half is 0 after a full write of 32 bits. */
	check_said(case_name(prefix, "fields"), "0x87654321 0x87654321 0x33334444 0xaaaa5555 0 0x99998888 0 0xffffffff87654321");
}

/* Expect: SYSCALL is told in 64-bit mode only, and CR0 and CR4 read as they were set. */
static void machine(enum paging paging, const char *prefix)
{
	struct program *p = program_new(paging, 0);
	u32 cpuid = program_step(p, step_cpuid_edx, 0x80000001, 0);
	u32 cr0 = program_step(p, step_read_cr0, 0, 0);
	u32 cr4 = program_step(p, step_read_cr4, 0, 0);

	program_run(p);
	say("syscall %u, cr0 %u, cr4 %u", p->steps[cpuid].value >> 11 & 1, p->steps[cr0].value == p->cr0, p->steps[cr4].value == p->cr4);
	check_said(case_name(prefix, "machine"), "syscall 0, cr0 1, cr4 1");
}

void group_instructions(void)
{
	instructions(PAGING_PAE, "pae");
	fields(PAGING_PAE, "pae");
	machine(PAGING_PAE, "pae");
	instructions(PAGING_32_BIT, "32_bit");
	fields(PAGING_32_BIT, "32_bit");
	machine(PAGING_32_BIT, "32_bit");
	machine(PAGING_NONE, "unpaged");
	say("complete");
}
