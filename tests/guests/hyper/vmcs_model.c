/* SPDX-License-Identifier: MIT */
/*
 * Many VMCSs, a model of what each must hold, and thousands of random steps:
 * VMREAD, VMWRITE, running L2, VMCLEAR, moving a cleared VMCS to another
 * region, entries of the wrong kind. The sequence comes from a seed, so that it
 * is the same everywhere; what is said is how often the VMCS was not the model.
 */
#include "tests/guests/hyper/hyper.h"
#include "tests/guests/hyper/l2_code.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define MANY 12
#define STEPS 6000 /* without "steps=N" in the load options: deep beneath other hypervisors each takes long */
#define ANY { 0, 1, 0x5a5a5a5a5a5a5a5a, ~0ull }
#define CANONICAL { 0, 0x1000, 0x7fffffffffff, 0xffff800000000000 }
#define LIMITS { 0xffffffff, 0xffff, 0xfff, 0xfffff }
#define WRITE_HIGH 3072
#define ERROR_NOT_CLEAR 4
#define ERROR_NOT_LAUNCHED 5

enum width { W16 = 16, W32 = 32, W64 = 64 };

/*
 * Fields that may have any of these values without L2 noticing: some that a
 * hypervisor writes often, some rarely, some that count only with a control
 * that is off. An exit must leave them as they are, or as L2 left them.
 */
static const struct {
	enum vmcs_field field;
	enum width width;
	u64 values[4];
} fields[] = {
	{ GUEST_FS_BASE, W64, CANONICAL },
	{ GUEST_ES_SELECTOR, W16, { 0, SELECTOR_DATA, SELECTOR_DATA, 0 } },
	{ GUEST_ES_BASE, W64, { 0, 0x1000, 0xffffffff, 0x80000000 } },
	{ GUEST_ES_LIMIT, W32, LIMITS },
	{ GUEST_ES_ACCESS_RIGHTS, W32, { 0xc093, 0xc091, 0xc097, 0xd093 } },
	{ GUEST_GS_BASE, W64, CANONICAL },
	{ GUEST_GS_LIMIT, W32, LIMITS },
	{ GUEST_GS_SELECTOR, W16, { 0, SELECTOR_DATA, SELECTOR_USER_DATA & ~3, 0 } },
	{ GUEST_TR_LIMIT, W32, { 103, 104, 0xfff, 0xffff } },
	{ GUEST_GDTR_LIMIT, W32, { 0x4f, 0x5f, 0xfff, 0xffff } },
	{ GUEST_IDTR_LIMIT, W32, { 0, 0xff, 0xfff, 0xffff } },
	{ GUEST_IDTR_BASE, W64, CANONICAL },
	{ GUEST_IA32_SYSENTER_CS, W32, ANY },
	{ GUEST_IA32_SYSENTER_ESP, W64, CANONICAL },
	{ GUEST_IA32_SYSENTER_EIP, W64, CANONICAL },
	{ GUEST_RSP, W64, ANY },
	{ GUEST_RFLAGS, W64, { 2, 0x47, 0x8d7, 0x240402 } },
	{ GUEST_DR7, W64, { 0x400, 0x401, 0x455, 0x400 } },
	{ GUEST_IA32_PAT, W64, ANY },
	{ GUEST_IA32_EFER, W64, ANY },
	{ TSC_OFFSET, W64, ANY },
	{ CR0_GUEST_HOST_MASK, W64, ANY },
	{ CR0_READ_SHADOW, W64, ANY },
	{ CR4_GUEST_HOST_MASK, W64, ANY },
	{ CR4_READ_SHADOW, W64, ANY },
	{ EXCEPTION_BITMAP, W32, ANY },
	{ PAGE_FAULT_ERROR_CODE_MASK, W32, ANY },
	{ PAGE_FAULT_ERROR_CODE_MATCH, W32, ANY },
	{ TPR_THRESHOLD, W32, ANY },
	{ CR3_TARGET_VALUE_0, W64, ANY },
	{ CR3_TARGET_VALUE_1, W64, ANY },
	{ IO_BITMAP_A, W64, { 0, 0x1000, 0x7777, 0xfffff000 } },
	{ VM_ENTRY_INTERRUPTION_INFORMATION, W32, { 0, 0x20e, 0x7fffffff, 0x80d } },
	{ VM_ENTRY_EXCEPTION_ERROR_CODE, W32, ANY },
	{ VM_ENTRY_INSTRUCTION_LENGTH, W32, { 0, 3, 15, 0xffffffff } },
	{ VM_EXIT_MSR_STORE_ADDRESS, W64, ANY },
	{ HOST_FS_BASE, W64, CANONICAL },
	{ HOST_GS_BASE, W64, CANONICAL },
	{ HOST_IA32_SYSENTER_CS, W32, { 0, 1, 0x5a5a, 0xffff } },
	{ HOST_IA32_SYSENTER_ESP, W64, CANONICAL },
	{ HOST_IA32_SYSENTER_EIP, W64, CANONICAL },
};

static struct vm *vms[MANY];
static u64 model[MANY][ARRAY_SIZE(fields)];
static u64 seed;
static u32 wrong, ran, moved;

/* xorshift64: G. Marsaglia, "Xorshift RNGs" */
static u32 random(u32 below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (u32)(seed >> 33) % below;
}

static void mistake(u32 step, u32 v, const char *what, u64 is, u64 expected)
{
	if (!wrong++)
		say("step %u vm %u %s is %lx expected %lx; ", step, v, what, is, expected);
}

static u64 masked(u32 f, u64 value)
{
	return fields[f].width == W64 ? value : value & ((1ull << fields[f].width) - 1);
}

static void write_field(u32 v, u32 f, u64 value)
{
	vmwrite(fields[f].field, masked(f, value));
	model[v][f] = masked(f, value);
}

static void compare_field(u32 step, u32 v, u32 f)
{
	u64 is = vmread(fields[f].field);

	if (is == model[v][f])
		return;
	if (!wrong)
		say("field %x: ", (u32)fields[f].field);
	mistake(step, v, "field", is, model[v][f]);
}

static u64 model_of(u32 v, enum vmcs_field field)
{
	u32 f = 0;

	while (fields[f].field != field)
		f++;
	return model[v][f];
}

/* What an exit loads into L1's own MSRs. */
static void compare_host(u32 step, u32 v)
{
	static const struct {
		u32 msr;
		enum vmcs_field field;
	} loaded[] = {
		{ IA32_FS_BASE, HOST_FS_BASE },
		{ IA32_GS_BASE, HOST_GS_BASE },
		{ IA32_SYSENTER_CS, HOST_IA32_SYSENTER_CS },
		{ IA32_SYSENTER_ESP, HOST_IA32_SYSENTER_ESP },
		{ IA32_SYSENTER_EIP, HOST_IA32_SYSENTER_EIP },
	};

	for (u32 i = 0; i < ARRAY_SIZE(loaded); i++)
		if (rdmsr(loaded[i].msr) != model_of(v, loaded[i].field))
			mistake(step, v, "L1's MSR", rdmsr(loaded[i].msr), model_of(v, loaded[i].field));
}

/* L2 writes FS base and loads ES, from its own GDT. */
static void run(u32 step, u32 v)
{
	struct vm *vm = vms[v];
	u64 base = fields[0].values[random(4)];

	vm->gpr[RCX] = IA32_FS_BASE;
	vm->gpr[RAX] = (u32)base;
	vm->gpr[RDX] = base >> 32;
	vm->gpr[R9] = SELECTOR_DATA;
	vm->gpr[R15] += v;
	if (!vm_run(vm) || vm->basic_reason != REASON_VMCALL) {
		mistake(step, v, "reason", vm->basic_reason, REASON_VMCALL);
		return;
	}
	compare_host(step, v);
	vm_skip(vm);
	ran++;
	model[v][0] = base;
	model[v][1] = SELECTOR_DATA;
	model[v][2] = 0;
	model[v][3] = 0xffffffff;
	model[v][4] = 0xc093;
}

static void clear_vmcs(struct vm *vm)
{
	vmclear(vm->vmcs);
	vm->launched = false;
}

/* What VMCLEAR left in memory is all there is of a VMCS: it may be moved. */
static void move(u32 v)
{
	static u64 spare;
	u64 old = vms[v]->vmcs;

	if (!spare || !moved)
		spare = vmx_region_alloc();
	moved++;
	clear_vmcs(vms[v]);
	memcpy((void *)spare, (void *)old, PAGE_SIZE);
	memset((void *)(old + 8), 0xff, PAGE_SIZE - 8);
	vms[v]->vmcs = spare;
	spare = old;
}

/* Expect: VMLAUNCH of a launched one, VMRESUME of a clear one fail. */
static void enter_wrongly(u32 step, u32 v)
{
	u64 error = vms[v]->launched ? ERROR_NOT_CLEAR : ERROR_NOT_LAUNCHED;
	u64 result = vm_enter(vms[v], !vms[v]->launched);

	if (result != 2)
		mistake(step, v, "entry", result, 2);
	else if (vmread(VM_INSTRUCTION_ERROR) != error)
		mistake(step, v, "error", vmread(VM_INSTRUCTION_ERROR), error);
}

static void step(u32 number)
{
	u32 v = random(MANY), what = random(32), f;

	if (what == 0)
		clear_vmcs(vms[random(MANY)]);
	if (what == 1)
		move(v);
	vmptrld(vms[v]->vmcs);
	for (u32 i = random(6); i; i--) {
		f = random(ARRAY_SIZE(fields));
		if (random(2))
			write_field(v, f, fields[f].values[random(4)]);
		else
			compare_field(number, v, f);
	}
	if (what == 2)
		enter_wrongly(number, v);
	if (what > 16)
		run(number, v);
}

static void random_steps(u64 first_seed)
{
	const u32 steps = machine_option("steps", STEPS);

	seed = first_seed;
	wrong = ran = moved = 0;
	for (u32 v = 0; v < MANY; v++) {
		vms[v] = vm_create(l2_change_state);
		((u8 *)vms[v]->msr_bitmap)[WRITE_HIGH + (IA32_FS_BASE & 0x1fff) / 8] = 0xfe;
		for (u32 f = 0; f < ARRAY_SIZE(fields); f++)
			write_field(v, f, fields[f].values[0]);
	}
	for (u32 i = 0; i < steps; i++)
		step(i);
	for (u32 v = 0; v < MANY; v++) {
		vmptrld(vms[v]->vmcs);
		for (u32 f = 0; f < ARRAY_SIZE(fields); f++)
			compare_field(steps, v, f);
	}
	wrmsr(IA32_FS_BASE, 0);
	wrmsr(IA32_GS_BASE, 0);
	say("wrong=%u ran=%u moved=%u", wrong, ran, moved);
	expect(!wrong && ran && moved);
}

static void first_seed(void)
{
	random_steps(0x2545f4914f6cdd1d);
}

static void second_seed(void)
{
	random_steps(0x9e3779b97f4a7c15);
}

/* --- one VMCS ------------------------------------------------------------- */

static bool writes_any_field(void)
{
	return rdmsr(IA32_VMX_MISC) & BIT(29);
}

/* Expect: what L1 writes to exit information stays until the next exit. */
static void exit_information(void)
{
	static const u32 information[] = { EXIT_QUALIFICATION, GUEST_LINEAR_ADDRESS, GUEST_PHYSICAL_ADDRESS,
		VM_EXIT_INTERRUPTION_INFORMATION, VM_EXIT_INTERRUPTION_ERROR_CODE, IDT_VECTORING_INFORMATION,
		IDT_VECTORING_ERROR_CODE, VM_EXIT_INSTRUCTION_LENGTH, VM_EXIT_INSTRUCTION_INFORMATION, EXIT_REASON,
		VM_INSTRUCTION_ERROR };
	struct vm *vm = vm_create(l2_nops);
	u32 kept = 0, kept_over_clear = 0;

	for (u32 i = 0; i < ARRAY_SIZE(information); i++)
		vmwrite(information[i], 0x100 + i);
	for (u32 i = 0; i < ARRAY_SIZE(information); i++)
		kept += vmread(information[i]) == 0x100 + i;
	vmclear(vm->vmcs);
	vmptrld(vm->vmcs);
	for (u32 i = 0; i < ARRAY_SIZE(information); i++)
		kept_over_clear += vmread(information[i]) == 0x100 + i;
	say("%u, %u of %u; ", kept, kept_over_clear, (u32)ARRAY_SIZE(information));
	vm_step(vm);
	say(" vectoring=%lx", vmread(IDT_VECTORING_INFORMATION));
}

/* Expect: a region full of anything serves a new guest, once it was cleared and what counts is written. */
static void reused_region(void)
{
	struct vm *vm = vm_create(l2_change_state);

	vm->gpr[RCX] = IA32_FS_BASE;
	vm->gpr[RAX] = 0x7000;
	vm->gpr[R9] = SELECTOR_DATA;
	((u8 *)vm->msr_bitmap)[WRITE_HIGH + (IA32_FS_BASE & 0x1fff) / 8] = 0xfe;
	vm_step(vm);
	say(" fs=%lx; ", vmread(GUEST_FS_BASE));
	clear_vmcs(vm);
	memset((void *)(vm->vmcs + 8), 0xa5, PAGE_SIZE - 8);
	clear_vmcs(vm);
	vmptrld(vm->vmcs);
	vm_write_vmcs(vm, l2_nops);
	vm_step(vm);
	clear_vmcs(vm);
	vmptrld(vm->vmcs);
	say(" fs=%lx; ", vmread(GUEST_FS_BASE));
	vm_restart(vm, l2_nops);
	vm_step(vm);
}

SCENARIOS(vmcs_model_scenarios,
	{ "vmcs.random_steps", first_seed, NULL, NULL },
	{ "vmcs.random_steps_again", second_seed, NULL, NULL },
	{ "vmcs.exit_information", exit_information, "11, 11 of 11; VMCALL(18) length=3 rip=+3 vectoring=0",
	  writes_any_field },
	{ "vmcs.reused_region", reused_region,
	  "VMCALL(18) length=3 rip=+5 fs=0x7000; VMCALL(18) length=3 rip=+3 fs=0; VMCALL(18) length=3 rip=+3", NULL },
);
