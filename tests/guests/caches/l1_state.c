/* SPDX-License-Identifier: MIT */
/*
 * L1's state as L1 itself can see it, hidden parts of segment registers included: what goes on in an
 * access tells bases, limits and usability, a stack tells TR's base, a port TR's limit.
 */
#include "tests/guests/caches/caches.h"

#include "tests/guests/lib/cpu.h"
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define GDT_ENTRIES 18
#define SMALL_DATA 0x00409300100000ffull /* base 0x1000, limit 0xff */
#define TYPE_TSS 0x89ull
#define TYPE_LDT 0x82ull
#define IST1_OFFSET 36
#define TSS_LIMIT 0x67
#define PORTS_LIMIT 0xfff
#define STATUS_FLAGS 0x8d5ull
#define BUSY BIT(41)
#define CPUID_XSAVE BIT(26)

static const char *const names[] = {
#define ROW(name) #name,
	L1_STATE(ROW)
#undef ROW
};

struct l1_pages l1_pages;
static u64 library_cr3;

/* --- tables ------------------------------------------------------------------------ */

static void set_system_descriptor(u64 *gdt, u32 selector, const void *base, u64 limit, u64 type)
{
	u64 at = (u64)base;

	gdt[selector / 8] = limit | (at & 0xffffff) << 16 | type << 40 | (at >> 24 & 0xff) << 56;
	gdt[selector / 8 + 1] = at >> 32;
}

static void build_gdt(u64 *gdt)
{
	memcpy(gdt, cpus[0].tables->gdt, sizeof(cpus[0].tables->gdt));
	set_system_descriptor(gdt, SELECTOR_TSS, l1_pages.tss, TSS_LIMIT, TYPE_TSS);
	gdt[SELECTOR_SMALL / 8] = SMALL_DATA;
	gdt[SELECTOR_OTHER_CODE / 8] = gdt[SELECTOR_CODE64 / 8];
	set_system_descriptor(gdt, SELECTOR_TSS_PORTS, l1_pages.tss, PORTS_LIMIT, TYPE_TSS);
	set_system_descriptor(gdt, SELECTOR_TSS_STACK, l1_pages.other_tss, TSS_LIMIT, TYPE_TSS);
	set_system_descriptor(gdt, SELECTOR_LDT, l1_pages.ldt, PAGE_SIZE - 1, TYPE_LDT);
}

/* A TSS whose map of ports, all zeros, lies just behind the limit that an exit gives TR. */
static u8 *build_tss(u64 stack_top)
{
	u8 *tss = page_alloc();

	memcpy(tss, cpus[0].tables->tss, sizeof(cpus[0].tables->tss));
	memcpy(tss + IST1_OFFSET, &stack_top, sizeof(stack_top));
	return tss;
}

static void map_test_page(u64 root, u64 value)
{
	u64 *page = page_alloc();

	*page = value;
	*paging_entry(root, MAPPED_ADDRESS, 1, PTE_P | PTE_W | PTE_U) = (u64)page | PTE_P | PTE_W;
}

static void load_tables(u64 *gdt, u64 gdt_size, u64 *idt)
{
	struct table_register gdtr = { (u16)(gdt_size - 1), (u64)gdt };
	struct table_register idtr = { PAGE_SIZE - 1, (u64)idt };

	gdt[SELECTOR_TSS / 8] &= ~BUSY;
	lgdt(&gdtr);
	lidt(&idtr);
	ltr(SELECTOR_TSS);
}

static void write_host_state(void)
{
	vmwrite(HOST_CR3, l1_pages.cr3);
	vmwrite(HOST_CR4, read_cr4());
	vmwrite(HOST_GDTR_BASE, (u64)l1_pages.gdt);
	vmwrite(HOST_IDTR_BASE, (u64)l1_pages.idt);
	vmwrite(HOST_TR_BASE, (u64)l1_pages.tss);
	vmwrite(HOST_FS_BASE, 0x100);
	vmwrite(HOST_GS_BASE, 0x200);
	vmwrite(HOST_IA32_SYSENTER_CS, 0x1b);
	vmwrite(HOST_IA32_SYSENTER_ESP, 0x4000);
	vmwrite(HOST_IA32_SYSENTER_EIP, 0x5000);
}

void l1_prepare(void)
{
	struct l1_pages *p = &l1_pages;
	u32 *data = page_alloc();

	library_cr3 = read_cr3();
	scenario_on_end(l1_put_back);
	for (u32 i = 0; i < PAGE_SIZE / sizeof(*data); i++)
		data[i] = i * (u32)sizeof(*data);
	p->data = (u64)data;
	p->trap_stack_top = (u64)pages_alloc(4, PAGE_SIZE) + 4 * PAGE_SIZE;
	p->other_stack_top = (u64)pages_alloc(4, PAGE_SIZE) + 4 * PAGE_SIZE;
	p->user_stack_top = (u64)page_alloc() + PAGE_SIZE;
	p->tss = build_tss(p->trap_stack_top);
	p->other_tss = build_tss(p->other_stack_top);
	p->ldt = page_alloc();
	p->ldt[SELECTOR_IN_LDT / 8] = cpus[0].tables->gdt[SELECTOR_DATA / 8];
	build_gdt(p->gdt = page_alloc());
	build_gdt(p->other_gdt = page_alloc());
	p->idt = memcpy(page_alloc(), cpus[0].tables->idt, PAGE_SIZE);
	p->other_idt = memcpy(page_alloc(), cpus[0].tables->idt, PAGE_SIZE);
	map_test_page(p->cr3 = paging_identity(PTE_W | PTE_U), 0x1111);
	map_test_page(p->other_cr3 = paging_identity(PTE_W | PTE_U), 0x2222);
	load_tables(p->gdt, GDT_ENTRIES * sizeof(u64), p->idt);
	write_cr3(p->cr3);
	if (cpuid(1, 0).ecx & CPUID_XSAVE)
		write_cr4(read_cr4() | CR4_OSXSAVE);
	write_host_state();
}

void l1_put_back(void)
{
	static const u32 zeroed[] = { IA32_FS_BASE, IA32_GS_BASE, IA32_SYSENTER_CS, IA32_SYSENTER_ESP, IA32_SYSENTER_EIP, IA32_DEBUGCTL };

	machine_load_tables(cpus[0].tables);
	write_cr3(library_cr3);
	for (u32 i = 0; i < ARRAY_SIZE(zeroed); i++)
		wrmsr(zeroed[i], 0);
	__asm__ volatile("mov %0, %%dr7" : : "r"(0x400ull));
}

/* --- reading ------------------------------------------------------------------------- */

static u32 op_read_segment(u64 offset, u64 segment)
{
	u32 value = probe_read(offset, segment);

	/* What was read is a multiple of 4 below the page's size: no exception looks like that. */
	return value < PAGE_SIZE ? value : OUTCOME_FAIL_VALID;
}

static u32 op_load_from_ldt(u64 a, u64 b)
{
	u64 es;

	(void)a;
	(void)b;
	__asm__ volatile("mov %%es, %0; mov %1, %%es; mov %0, %%es" : "=&r"(es) : "r"((u64)SELECTOR_IN_LDT));
	return OUTCOME_OK;
}

static u32 op_port(u64 a, u64 b)
{
	(void)a;
	(void)b;
	probe_port(l1_pages.user_stack_top);
}

static u32 op_invalid(u64 a, u64 b)
{
	(void)a;
	(void)b;
	__asm__ volatile("ud2");
	return OUTCOME_OK;
}

static u64 exception_stack(void)
{
	u64 *top = (u64 *)l1_pages.other_stack_top - 1;

	*top = ~0ull; /* SS is not that */
	attempt(op_invalid, 0, 0);
	return *top != ~0ull;
}

static void capture_tables(u64 *v)
{
	struct table_register gdtr, idtr;

	__asm__ volatile("sgdt %0; sidt %1" : "=m"(gdtr), "=m"(idtr));
	v[L1_gdtr_base] = gdtr.base;
	v[L1_gdtr_limit] = gdtr.limit;
	v[L1_idtr_base] = idtr.base;
	v[L1_idtr_limit] = idtr.limit;
}

#define READ_SELECTOR(to, name) __asm__ volatile("mov %%" #name ", %0" : "=r"(to))

static void capture_selectors(u64 *v)
{
	v[L1_ldtr] = v[L1_tr] = 0;
	READ_SELECTOR(v[L1_es], es);
	READ_SELECTOR(v[L1_cs], cs);
	READ_SELECTOR(v[L1_ss], ss);
	READ_SELECTOR(v[L1_ds], ds);
	READ_SELECTOR(v[L1_fs], fs);
	READ_SELECTOR(v[L1_gs], gs);
	__asm__ volatile("sldt %0; str %1" : "+r"(v[L1_ldtr]), "+r"(v[L1_tr]));
}

static void capture_registers(u64 *v)
{
	v[L1_cr0] = read_cr0();
	v[L1_cr2] = read_cr2();
	v[L1_cr3] = read_cr3();
	v[L1_cr4] = read_cr4();
	__asm__ volatile("mov %%dr0, %0; mov %%dr3, %1; mov %%dr7, %2" : "=r"(v[L1_dr0]), "=r"(v[L1_dr3]), "=r"(v[L1_dr7]));
	v[L1_xcr0] = 0;
	if (v[L1_cr4] & CR4_OSXSAVE) {
		u32 low, high;

		__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
		v[L1_xcr0] = (u64)high << 32 | low;
	}
}

static void capture_msrs(u64 *v)
{
	static const struct {
		enum l1_state_row row;
		u32 msr;
	} msrs[] = {
		{ L1_fs_base, IA32_FS_BASE }, { L1_gs_base, IA32_GS_BASE }, { L1_kernel_gs_base, IA32_KERNEL_GS_BASE },
		{ L1_debugctl, IA32_DEBUGCTL }, { L1_sysenter_cs, IA32_SYSENTER_CS }, { L1_sysenter_esp, IA32_SYSENTER_ESP },
		{ L1_sysenter_eip, IA32_SYSENTER_EIP }, { L1_pat, IA32_PAT }, { L1_efer, IA32_EFER }, { L1_star, IA32_STAR },
		{ L1_lstar, IA32_LSTAR }, { L1_cstar, IA32_CSTAR }, { L1_fmask, IA32_FMASK },
	};

	for (u32 i = 0; i < ARRAY_SIZE(msrs); i++)
		v[msrs[i].row] = rdmsr(msrs[i].msr);
}

/* The way to privilege level 3 and back leaves all of them null. */
void l1_load_selectors(const struct l1_state *state)
{
	const u64 *v = state->value;

	__asm__ volatile("mov %0, %%ss; mov %1, %%es; mov %2, %%ds; mov %3, %%fs; mov %4, %%gs"
			 :
			 : "r"(v[L1_ss]), "r"(v[L1_es]), "r"(v[L1_ds]), "r"(v[L1_fs]), "r"(v[L1_gs]));
	wrmsr(IA32_FS_BASE, v[L1_fs_base]);
	wrmsr(IA32_GS_BASE, v[L1_gs_base]);
}

/* Last, because exceptions come and go. */
static void capture_hidden(struct l1_state *state)
{
	static const enum l1_state_row rows[] = { L1_es_read, L1_ss_read, L1_ds_read, L1_fs_read, L1_gs_read };

	u64 *v = state->value;

	v[L1_mapped] = *(volatile u64 *)MAPPED_ADDRESS;
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
		v[rows[i]] = attempt(op_read_segment, l1_pages.data, i);
	v[L1_ldt_load] = attempt(op_load_from_ldt, 0, 0);
	v[L1_tss_stack] = exception_stack();
	v[L1_tss_ports] = attempt(op_port, 0, 0);
	l1_load_selectors(state);
}

void l1_capture(struct l1_state *state)
{
	u64 *v = state->value, flags;

	__asm__ volatile("pushfq; pop %0" : "=r"(flags));
	v[L1_rflags] = flags & ~STATUS_FLAGS;
	capture_tables(v);
	capture_selectors(v);
	capture_registers(v);
	capture_msrs(v);
	capture_hidden(state);
}

void l1_say_differences(const struct l1_state *before, const struct l1_state *after)
{
	bool any = false;

	for (u32 row = 0; row < L1_STATE_COUNT; row++) {
		if (before->value[row] == after->value[row])
			continue;
		say("%s%s", any ? "," : "", names[row]);
		any = true;
	}
	if (!any)
		say("-");
}
