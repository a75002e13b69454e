/* SPDX-License-Identifier: MIT */
/*
 * Modes without VMX instructions: compatibility mode, virtual-8086 and real mode, and protected
 * mode without paging, from which VMX operation cannot be entered. SDM
 * "Restrictions on VMX Operation".
 */
#include "tests/guests/legacy/legacy.h"

#include "tests/guests/lib/cpu.h"
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/x86.h"

static u32 run_compatible(u64 code, u64 operand)
{
	return compatibility_run(code, operand);
}

/* Expect: #UD for each, VMCALL included, in VMX operation and outside. */
static void compatibility(const char *prefix)
{
	static const struct {
		const char *name;
		const u8 *code;
	} list[] = {
		{ "vmxon", compatibility_vmxon },     { "vmxoff", compatibility_vmxoff },
		{ "vmclear", compatibility_vmclear }, { "vmptrld", compatibility_vmptrld },
		{ "vmptrst", compatibility_vmptrst }, { "vmread", compatibility_vmread },
		{ "vmwrite", compatibility_vmwrite }, { "vmlaunch", compatibility_vmlaunch },
		{ "vmresume", compatibility_vmresume }, { "vmcall", compatibility_vmcall },
		{ "invept", compatibility_invept },   { "invvpid", compatibility_invvpid },
	};
	u64 operand = (u64)page_alloc();

	for (u32 i = 0; i < ARRAY_SIZE(list); i++)
		check_outcome(case_name(prefix, list[i].name), attempt(run_compatible, (u64)list[i].code, operand), FAULT(VECTOR_UD));
	check_outcome(case_name(prefix, "cpuid"), attempt(run_compatible, (u64)compatibility_cpuid, operand), OUTCOME_OK);
}

/* VMCALL and VMXOFF at the start of a page below 1 MB. The TSS tells where exceptions have their stack. */
static void virtual_8086(void)
{
	static const struct {
		const char *name;
		u8 code[3];
	} list[] = { { "v8086.vmcall", { 0x0f, 0x01, 0xc1 } }, { "v8086.vmxoff", { 0x0f, 0x01, 0xc4 } },
		     { "v8086.vmlaunch", { 0x0f, 0x01, 0xc2 } }, { "v8086.vmread", { 0x0f, 0x78, 0xc1 } } };
	u64 tss = (u64)cpus[0].tables->tss, *pointers = page_alloc();

	for (u32 i = 0; i < ARRAY_SIZE(list); i++) {
		struct program *p = program_new(PAGING_32_BIT, 0);
		u32 step;

		memcpy((void *)machine_low_page(), list[i].code, sizeof(list[i].code));
		program_entry(p, machine_low_page(), 0, PTE_U);
		*pointers = vmx_region_alloc();
		program_step(p, step_vmxon, (u64)pointers, 0);
		step = program_vmx_step(p, step_v8086, machine_low_page(), tss);
		program_run(p);
		memset((void *)(tss + 4), 0, 8);
		check_outcome(list[i].name, program_outcome(p, step), FAULT(VECTOR_UD));
	}
}

#define MAX_INSTRUCTION 3u

static void put16(const u8 *place, u64 value)
{
	memcpy((void *)(machine_low_page() + (u64)(place - real_mode_blob)), &value, sizeof(u16));
}

/* The blob, made to fit where it lies; SDM "Real-Address Mode Operation": vectors are segment and offset. */
static void make_real_mode_blob(const u8 instruction[MAX_INSTRUCTION])
{
	u64 low = machine_low_page(), arrive = (u64)real_mode_arrive;

	memcpy((void *)low, real_mode_blob, (u64)(real_mode_blob_end - real_mode_blob));
	memcpy((void *)(low + (u64)(real_mode_blob_instruction - real_mode_blob)), instruction, MAX_INSTRUCTION);
	put16(real_mode_blob_segment, low >> 4);
	put16(real_mode_blob_return, arrive);
	put16(real_mode_blob_return + 2, arrive >> 16);
	put16(real_mode_blob_vectors + VECTOR_UD * 4, (u64)(real_mode_blob_undefined - real_mode_blob));
	put16(real_mode_blob_vectors + VECTOR_UD * 4 + 2, low >> 4);
}

/* Expect: #UD through the real-mode vector table, without an error code. */
static void real_mode(void)
{
	static const struct {
		const char *name, *expected;
		u8 instruction[MAX_INSTRUCTION];
	} list[] = {
		{ "real_mode.nop", "0", { 0x90, 0x90, 0x90 } },		  { "real_mode.cpuid", "0", { 0x0f, 0xa2, 0x90 } },
		{ "real_mode.vmcall", "6", { 0x0f, 0x01, 0xc1 } },	  { "real_mode.vmlaunch", "6", { 0x0f, 0x01, 0xc2 } },
		{ "real_mode.vmxoff", "6", { 0x0f, 0x01, 0xc4 } },	  { "real_mode.vmread", "6", { 0x0f, 0x78, 0xc1 } },
		{ "real_mode.vmptrst", "6", { 0x0f, 0xc7, 0x3f } },	  { "real_mode.vmfunc", "6", { 0x0f, 0x01, 0xd4 } },
	};

	for (u32 i = 0; i < ARRAY_SIZE(list); i++) {
		struct program *p = program_new(PAGING_NONE, 0);
		u32 step = program_step(p, step_real_mode, machine_low_page(), SELECTOR_LOW_CODE16);

		make_real_mode_blob(list[i].instruction);
		program_run(p);
		say("%u", p->steps[step].value & 0xffff);
		check_said(list[i].name, list[i].expected);
	}
}

/* Expect: #GP(0), since CR0.PG must be 1 in VMX operation. */
static void without_paging(void)
{
	struct program *p = program_new(PAGING_NONE, 0);
	u64 *pointers = page_alloc();

	*pointers = vmx_region_alloc();
	cases_add(p, "vmclear", step_vmclear, (u64)pointers, 0, FAULT(VECTOR_UD));
	cases_add(p, "vmxon", step_vmxon, (u64)pointers, 0, FAULT(VECTOR_GP));
	program_run(p);
	cases_report(p, "unpaged");
}

void group_other_modes(void)
{
	compatibility("compatibility.outside");
	vmx_on();
	compatibility("compatibility.root");
	vmx_off();
	without_paging();
	if (machine_low_page()) {
		virtual_8086();
		real_mode();
	}
	say("complete");
}
