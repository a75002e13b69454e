/* SPDX-License-Identifier: MIT */
/*
 * L1 writes a field of the host-state area between an exit and the next entry, or changes to a VMCS with another one:
 * the exit after that loads what is there now. SDM "Loading Host State".
 */
#include "tests/guests/caches/caches.h"

#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/text.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

static struct l1_state usual;

struct field_value {
	const char *name;
	enum vmcs_field field;
	u64 turned; /* bits turned over */
	const char *expected;
	bool (*offered)(void);
};

/* At each depth: what the next exit loads, and that the one after, the field being what it was, loads that again. */
#define LOADS(rows) rows "|- " rows "|- " rows "|- "

static bool loads_pat(void)
{
	return exit_offers(EXIT_LOAD_IA32_PAT);
}

static bool loads_efer(void)
{
	return exit_offers(EXIT_LOAD_IA32_EFER);
}

static const struct field_value fields[] = {
	{ "cr0", HOST_CR0, CR0_TS | CR0_MP, LOADS("cr0"), NULL },
	{ "cr4", HOST_CR4, CR4_PGE | CR4_TSD, LOADS("cr4"), NULL },
	{ "es", HOST_ES_SELECTOR, SELECTOR_DATA, LOADS("es,es_read"), NULL },
	{ "cs", HOST_CS_SELECTOR, SELECTOR_CODE64 ^ SELECTOR_OTHER_CODE, LOADS("cs"), NULL },
	{ "ss", HOST_SS_SELECTOR, SELECTOR_DATA, LOADS("ss,es_read,ss_read,ds_read,fs_read,gs_read"), NULL },
	{ "ds", HOST_DS_SELECTOR, SELECTOR_DATA, LOADS("ds,ds_read"), NULL },
	{ "fs", HOST_FS_SELECTOR, SELECTOR_DATA, LOADS("fs,fs_read"), NULL },
	{ "gs", HOST_GS_SELECTOR, SELECTOR_DATA, LOADS("gs,gs_read"), NULL },
	{ "fs_base", HOST_FS_BASE, 0x300, LOADS("fs_base,fs_read"), NULL },
	{ "gs_base", HOST_GS_BASE, 0x300, LOADS("gs_base,gs_read"), NULL },
	{ "sysenter_cs", HOST_IA32_SYSENTER_CS, 0xff, LOADS("sysenter_cs"), NULL },
	{ "sysenter_esp", HOST_IA32_SYSENTER_ESP, 0xfff0, LOADS("sysenter_esp"), NULL },
	{ "sysenter_eip", HOST_IA32_SYSENTER_EIP, 0xfff1, LOADS("sysenter_eip"), NULL },
	{ "pat", HOST_IA32_PAT, 6ull << 56, LOADS("pat"), loads_pat },
	{ "efer", HOST_IA32_EFER, EFER_SCE, LOADS("efer"), loads_efer },
};

static void say_state(void)
{
	struct l1_state state;

	l1_capture(&state);
	l1_say_differences(&usual, &state);
}

static void write_once(struct vm *vm, enum vmcs_field field, u64 value)
{
	u64 old = vmread(field);

	vmwrite(field, value);
	rounds(vm, 1);
	say_state();
	vmwrite(field, old);
	rounds(vm, 1);
	say("|");
	say_state();
	say(" ");
}

static void write_at_each_depth(struct vm *vm, const char *name, enum vmcs_field field, u64 turned, const char *expected)
{
	static const u32 depths[] = DEPTHS;
	struct text line;

	for (u32 d = 0; d < ARRAY_SIZE(depths); d++) {
		rounds(vm, depths[d]);
		write_once(vm, field, vmread(field) ^ turned);
	}
	name_join(&line, "host_field", name);
	check_said(line.data, expected);
}

static struct vm *create(void)
{
	struct vm *vm = rounds_create(l2_cpuid_for_ever);

	l1_prepare();
	if (loads_pat()) {
		vm_set(VM_EXIT_CONTROLS, EXIT_LOAD_IA32_PAT);
		vmwrite(HOST_IA32_PAT, rdmsr(IA32_PAT));
	}
	if (loads_efer()) {
		vm_set(VM_EXIT_CONTROLS, EXIT_LOAD_IA32_EFER);
		vmwrite(HOST_IA32_EFER, rdmsr(IA32_EFER));
	}
	rounds(vm, 1);
	l1_capture(&usual);
	return vm;
}

/* Expect: each field counts at the next exit, and no other register is another. */
static void each_field(void)
{
	struct vm *vm = create();
	struct l1_pages *p = &l1_pages;

	for (u32 i = 0; i < ARRAY_SIZE(fields); i++)
		if (!fields[i].offered || fields[i].offered())
			write_at_each_depth(vm, fields[i].name, fields[i].field, fields[i].turned, fields[i].expected);
	write_at_each_depth(vm, "cr3", HOST_CR3, p->cr3 ^ p->other_cr3, LOADS("cr3,mapped"));
	write_at_each_depth(vm, "gdtr", HOST_GDTR_BASE, (u64)p->gdt ^ (u64)p->other_gdt, LOADS("gdtr_base"));
	write_at_each_depth(vm, "idtr", HOST_IDTR_BASE, (u64)p->idt ^ (u64)p->other_idt, LOADS("idtr_base"));
	write_at_each_depth(vm, "tr", HOST_TR_SELECTOR, SELECTOR_TSS ^ SELECTOR_TSS_STACK, LOADS("tr"));
	write_at_each_depth(vm, "tr_base", HOST_TR_BASE, (u64)p->tss ^ (u64)p->other_tss, LOADS("tss_stack"));
	say("done");
}

/* Expect: with the controls cleared, what L2 ran with stays; with them set again the host-state area counts again. */
static void exit_controls(void)
{
	struct vm *vm = create();
	static const u32 depths[] = DEPTHS;

	for (u32 d = 0; d < ARRAY_SIZE(depths); d++) {
		wrmsr(IA32_PAT, usual.value[L1_pat] ^ 6ull << 56);
		wrmsr(IA32_EFER, usual.value[L1_efer] ^ EFER_SCE);
		vm_clear(VM_EXIT_CONTROLS, EXIT_LOAD_IA32_PAT);
		rounds(vm, depths[d]);
		say_state();
		say("|");
		vm_clear(VM_EXIT_CONTROLS, EXIT_LOAD_IA32_EFER);
		vm_set(VM_EXIT_CONTROLS, EXIT_LOAD_IA32_PAT);
		wrmsr(IA32_EFER, usual.value[L1_efer] ^ EFER_SCE);
		rounds(vm, depths[d]);
		say_state();
		say("|");
		vm_set(VM_EXIT_CONTROLS, EXIT_LOAD_IA32_EFER);
		rounds(vm, depths[d]);
		say_state();
		say(" ");
	}
}

static bool loads_both(void)
{
	return loads_pat() && loads_efer();
}

/* Everything in the host-state area that can be other, is. */
static void write_other_host_state(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(fields); i++)
		if (!fields[i].offered || fields[i].offered())
			vmwrite(fields[i].field, vmread(fields[i].field) ^ fields[i].turned);
	vmwrite(HOST_CR3, l1_pages.other_cr3);
	vmwrite(HOST_GDTR_BASE, (u64)l1_pages.other_gdt);
	vmwrite(HOST_IDTR_BASE, (u64)l1_pages.other_idt);
	vmwrite(HOST_TR_BASE, (u64)l1_pages.other_tss);
	vmwrite(HOST_TR_SELECTOR, SELECTOR_TSS_STACK);
}

/* Expect: each of two VMCSs loads its own host state, however long it was the only one. */
static void two_vmcss(void)
{
	struct vm *one = create(), *other = rounds_create(l2_cpuid_for_ever);
	static const u32 depths[] = DEPTHS;

	vmwrite(HOST_FS_BASE, 0x100);
	vmwrite(HOST_GS_BASE, 0x200);
	vm_set(VM_EXIT_CONTROLS, EXIT_LOAD_IA32_PAT | EXIT_LOAD_IA32_EFER);
	vmwrite(HOST_IA32_PAT, usual.value[L1_pat]);
	vmwrite(HOST_IA32_EFER, usual.value[L1_efer]);
	write_other_host_state();
	for (u32 d = 0; d < ARRAY_SIZE(depths); d++) {
		vmptrld(other->vmcs);
		rounds(other, depths[d]);
		say_state();
		vmptrld(one->vmcs);
		rounds(one, depths[d]);
		say("|");
		say_state();
		say(" ");
	}
}

#define EVERYTHING "gdtr_base,idtr_base,es,cs,ss,ds,fs,gs,tr,fs_base,gs_base,cr0,cr3,cr4,sysenter_cs,sysenter_esp,sysenter_eip,pat,efer," \
	"mapped,es_read,ss_read,ds_read,fs_read,gs_read,tss_stack"

SCENARIOS(host_field_scenarios,
	{ "host_field", each_field, "done", NULL },
	{ "host_field.exit_controls", exit_controls, "pat|efer|- pat|efer|- pat|efer|- ", loads_both },
	{ "host_field.two_vmcss", two_vmcss, LOADS(EVERYTHING), loads_both },
);
