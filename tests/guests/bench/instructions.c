/* SPDX-License-Identifier: MIT */
/*
 * L1's VMX instructions by themselves: VMREAD and VMWRITE of each class of field, frequent ones
 * and rare ones, and what changes VMCSs and caches.
 */
#include "tests/guests/bench/bench.h"
#include "tests/guests/bench/quick_ops.h"

#include "tests/guests/lib/cpu.h"
#include "tests/guests/lib/machine.h"
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/report.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define VPID 7
#define FIELD_ROUNDS 200
#define LEARNING_ROUNDS 40
#define GOOD "all rounds good"

struct field_row {
	enum vmcs_field field;
	const char *read, *write; /* write: NULL for read-only data */
	bool frequent;
};

/* A row of each width and type. L1 touches a frequent field at each exit of L2, a rare one only between two. */
#define FREQUENT(field, name) { field, "vmread_" name, "vmwrite_" name, true }
#define RARE(field, name) { field, "vmread_" name "_rare", "vmwrite_" name "_rare", false }
#define EXIT_DATA(field, name) { field, "vmread_" name, NULL, true }
static const struct field_row fields[] = {
	RARE(VIRTUAL_PROCESSOR_IDENTIFIER, "16_control"),
	RARE(GUEST_ES_SELECTOR, "16_guest"),
	FREQUENT(HOST_FS_SELECTOR, "16_host"),
	RARE(TSC_OFFSET, "64_control"),
	EXIT_DATA(GUEST_PHYSICAL_ADDRESS, "64_exit_data"),
	RARE(GUEST_IA32_EFER, "64_guest"),
	RARE(HOST_IA32_EFER, "64_host"),
	FREQUENT(VM_ENTRY_INTERRUPTION_INFORMATION, "32_control"),
	RARE(EXCEPTION_BITMAP, "32_control"),
	EXIT_DATA(EXIT_REASON, "32_exit_data"),
	FREQUENT(GUEST_INTERRUPTIBILITY_STATE, "32_guest"),
	RARE(GUEST_DS_LIMIT, "32_guest"),
	RARE(HOST_IA32_SYSENTER_CS, "32_host"),
	FREQUENT(CR0_READ_SHADOW, "natural_control"),
	EXIT_DATA(EXIT_QUALIFICATION, "natural_exit_data"),
	FREQUENT(GUEST_RIP, "natural_guest"),
	RARE(GUEST_LDTR_BASE, "natural_guest"),
	FREQUENT(HOST_FS_BASE, "natural_host"),
	RARE(HOST_IA32_SYSENTER_ESP, "natural_host"),
};

/* Fields that the rows above do not touch, each to be read or written once: what the first access costs. */
static const enum vmcs_field untouched[] = {
	GUEST_FS_SELECTOR,    GUEST_GS_SELECTOR,	  GUEST_LDTR_SELECTOR,	  HOST_ES_SELECTOR,
	HOST_DS_SELECTOR,     VM_EXIT_MSR_STORE_ADDRESS,  GUEST_FS_LIMIT,	  GUEST_GS_LIMIT,
	GUEST_LDTR_LIMIT,     PAGE_FAULT_ERROR_CODE_MASK, GUEST_ES_ACCESS_RIGHTS, GUEST_DS_ACCESS_RIGHTS,
	GUEST_FS_BASE,	      GUEST_GS_BASE,		  CR4_GUEST_HOST_MASK,	  GUEST_IA32_SYSENTER_ESP,
	GUEST_IA32_SYSENTER_EIP, HOST_GDTR_BASE,	  HOST_IDTR_BASE,	  HOST_CR3,
};

static struct vm *vm_a, *vm_b;
static struct descriptor128 descriptor;
static const struct descriptor128 zero;
static enum vmcs_field field;
static u64 field_value;

static bool vmread_round(void)
{
	vmread_unchecked(field);
	return true;
}

static bool vmwrite_round(void)
{
	vmwrite_unchecked(field, field_value);
	return true;
}

/* L0 may learn which fields an L1 uses at each exit: so does this one. */
static void use_at_each_exit(bool (*access)(void))
{
	for (u32 i = 0; i < LEARNING_ROUNDS; i++) {
		expect(bench_round(vm_a, REASON_CPUID));
		field_value = vmread(field);
		access();
	}
}

/* A verdict for each row: these are too many for a scenario each. */
static void one_field(const char *name, bool (*access)(void), bool frequent)
{
	if (frequent)
		use_at_each_exit(access);
	field_value = vmread(field);
	measure(&(struct row){ name, NULL, access, FIELD_ROUNDS, 10, 0 });
	expect(vmread(field) == field_value);
	check_said(name, GOOD);
}

static void vmread_and_vmwrite(void)
{
	vm_a = bench_vm(l2_cpuid_loop);
	if (!vm_run(vm_a))
		scenario_abort(" (entry refused)");
	for (u32 i = 0; i < ARRAY_SIZE(fields); i++) {
		field = fields[i].field;
		one_field(fields[i].read, vmread_round, fields[i].frequent);
		if (fields[i].write)
			one_field(fields[i].write, vmwrite_round, fields[i].frequent);
	}
	say("measured");
}

static void first_reads(void)
{
	measure_begin();
	for (u32 i = 0; i < ARRAY_SIZE(untouched); i++) {
		u64 start = rdtsc();

		vmread_unchecked(untouched[i]);
		measure_sample(rdtsc() - start);
	}
	measure_stop();
	measure_print("vmread_first", ARRAY_SIZE(untouched), 0);
}

static void first_writes(void)
{
	u64 value[ARRAY_SIZE(untouched)];

	for (u32 i = 0; i < ARRAY_SIZE(untouched); i++)
		value[i] = vmread(untouched[i]);
	measure_begin();
	for (u32 i = 0; i < ARRAY_SIZE(untouched); i++) {
		u64 start = rdtsc();

		vmwrite_unchecked(untouched[i], value[i]);
		measure_sample(rdtsc() - start);
	}
	measure_stop();
	measure_print("vmwrite_first", ARRAY_SIZE(untouched), 0);
}

/* Before all other rows, since L0 may learn which fields an L1 uses. */
static void first_accesses(void)
{
	vm_a = bench_vm(l2_cpuid_loop);
	first_reads();
	first_writes();
	say("measured");
}

static bool vmptrld_pair_round(void)
{
	return quick_vmptrld(&vm_b->vmcs) & quick_vmptrld(&vm_a->vmcs);
}

static bool vmclear_current_round(void)
{
	return quick_vmclear(&vm_a->vmcs) & quick_vmptrld(&vm_a->vmcs);
}

/* Neither current nor active. */
static bool vmclear_other_round(void)
{
	return quick_vmclear(&vm_b->vmcs);
}

static bool vmptrst_round(void)
{
	u64 at;

	return quick_vmptrst(&at) && at == vm_a->vmcs;
}

static bool invept_single_round(void)
{
	return quick_invept(1, &descriptor);
}

static bool invept_all_round(void)
{
	return quick_invept(2, &zero);
}

static bool invvpid_address_round(void)
{
	return quick_invvpid(0, &descriptor);
}

static bool invvpid_single_round(void)
{
	return quick_invvpid(1, &descriptor);
}

static bool invvpid_all_round(void)
{
	return quick_invvpid(2, &zero);
}

static const struct row vmx_rows[] = {
	{ "vmptrld_pair", NULL, vmptrld_pair_round, SAMPLES, 20, 0 },
	{ "vmclear_vmptrld", NULL, vmclear_current_round, SAMPLES, 20, 0 },
	{ "vmclear", NULL, vmclear_other_round, SAMPLES, 20, 0 },
	{ "vmptrst", NULL, vmptrst_round, SAMPLES, 20, 0 },
	{ "invept_single", NULL, invept_single_round, SAMPLES, 20, 0 },
	{ "invept_all", NULL, invept_all_round, SAMPLES, 20, 0 },
	{ "invvpid_address", NULL, invvpid_address_round, SAMPLES, 20, 0 },
	{ "invvpid_single", NULL, invvpid_single_round, SAMPLES, 20, 0 },
	{ "invvpid_all", NULL, invvpid_all_round, SAMPLES, 20, 0 },
};

static void vmx_instructions(void)
{
	vm_b = bench_vm(l2_cpuid_loop);
	vm_a = bench_vm(l2_cpuid_loop);
	for (u32 i = 0; i < ARRAY_SIZE(vmx_rows); i++) {
		bool vpid = vmx_rows[i].round == invvpid_address_round || vmx_rows[i].round == invvpid_single_round;

		descriptor.low = vpid ? VPID : vm_a->ept | EPTP_WB | EPTP_4_LEVELS;
		measure(&vmx_rows[i]);
		check_said(vmx_rows[i].name, GOOD);
	}
	say("measured");
}

static bool vmxon_vmxoff_round(void)
{
	return quick_vmxoff() & quick_vmxon(&cpus[0].vmxon_region);
}

static void vmxon_vmxoff(void)
{
	measure(&(struct row){ "vmxon_vmxoff", NULL, vmxon_vmxoff_round, FIELD_ROUNDS, 5, 0 });
}

const struct scenario first_rows[] = {
	{ "bench.first_accesses", first_accesses, "measured", NULL },
};
const u64 first_row_count = ARRAY_SIZE(first_rows);

const struct scenario instruction_rows[] = {
	{ "bench.vmread_vmwrite", vmread_and_vmwrite, "measured", NULL },
	{ "bench.vmx_instructions", vmx_instructions, "measured", NULL },
};
const u64 instruction_row_count = ARRAY_SIZE(instruction_rows);

const struct scenario last_rows[] = {
	{ "bench.vmxon_vmxoff", vmxon_vmxoff, GOOD, NULL },
};
const u64 last_row_count = ARRAY_SIZE(last_rows);
