/* SPDX-License-Identifier: MIT */
/*
 * How the other processors get from the firmware's hands to smp_main(): all at
 * once by INIT and SIPI, through a page below 1 MB. Which of them exist shows
 * who arrives there. What they do then is smp.c's business.
 */
#include "tests/guests/lib/smp.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/x86.h"

#define STACK_PAGES 4
#define INIT_TICKS 1000000ull
#define SIPI_TICKS 4000000ull
#define NO_NUMBER 0xff

struct trampoline_page {
	u8 code[0xe00];
	struct {
		u16 limit;
		u32 base;
	} __attribute__((packed)) gdtr;
	u16 unused;
	u32 cr3, cr4, efer, cr0;
	u32 entry;
	u16 entry_selector;
	u8 gap[0xe40 - 0xe1e];
	struct sipi_state seen;
};
static_assert(offsetof(struct trampoline_page, gdtr) == 0xe00, "smp_start.asm");
static_assert(offsetof(struct trampoline_page, cr3) == 0xe08, "smp_start.asm");
static_assert(offsetof(struct trampoline_page, entry) == 0xe18, "smp_start.asm");
static_assert(offsetof(struct trampoline_page, seen) == 0xe40, "smp_start.asm");
static_assert(offsetof(struct sipi_state, efer) == 72, "smp_start.asm");
static_assert(MAX_CPUS == 16, "smp_start.asm");

extern const u8 smp_trampoline[], smp_trampoline_end[], smp_entry[];
extern u8 smp_number_of[256];
extern volatile u32 smp_next_number;
extern u64 smp_stack_tops[MAX_CPUS];

u8 smp_number_of[256]; /* by initial APIC identifier */
volatile u32 smp_next_number = 1;
u64 smp_stack_tops[MAX_CPUS];

static struct trampoline_page *page(void)
{
	return (struct trampoline_page *)machine_low_page();
}

const volatile struct sipi_state *smp_sipi_state(void)
{
	return &page()->seen;
}

u8 smp_sipi_vector(void)
{
	return (u8)(machine_low_page() >> 12);
}

static void fill_trampoline(void)
{
	struct trampoline_page *p = page();

	memcpy(p->code, smp_trampoline, (size_t)(smp_trampoline_end - smp_trampoline));
	p->gdtr.limit = sizeof(cpus[0].tables->gdt) - 1;
	p->gdtr.base = (u32)(u64)cpus[0].tables->gdt;
	p->cr3 = (u32)read_cr3();
	p->cr4 = (u32)(read_cr4() & ~CR4_VMXE);
	p->efer = (u32)(rdmsr(IA32_EFER) & ~EFER_LMA);
	p->cr0 = (u32)read_cr0();
	p->entry = (u32)(u64)smp_entry;
	p->entry_selector = SELECTOR_CODE64;
}

/* Before they start: what each needs, whether or not there is one of that number. */
static void prepare_numbers(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(smp_number_of); i++)
		smp_number_of[i] = NO_NUMBER;
	smp_number_of[cpuid(1, 0).ebx >> 24] = 0;
	for (u32 i = 1; i < MAX_CPUS; i++) {
		cpus[i].tables = machine_make_tables();
		smp_stack_tops[i] = (u64)pages_alloc(STACK_PAGES, PAGE_SIZE) + STACK_PAGES * PAGE_SIZE;
	}
}

static u32 started(void)
{
	u32 count = 1;

	while (count < MAX_CPUS && cpus[count].boots)
		count++;
	return count;
}

/*
 * SDM "MP Initialization Example", to all others at once; who answers exists.
 * Bochs gives a broadcast SIPI to only one of the processors that wait for it
 * inside a VM, hence one round for each.
 */
static u32 start_others(u32 wanted)
{
	struct deadline deadline;

	apic_send(0, ICR_ALL_OTHERS | ICR_INIT | ICR_ASSERT);
	delay(INIT_TICKS);
	for (u32 i = 0; i < MAX_CPUS && started() != wanted; i++) {
		apic_send(0, ICR_ALL_OTHERS | ICR_SIPI | ICR_ASSERT | smp_sipi_vector());
		deadline = deadline_in(SIPI_TICKS);
		while (started() != wanted && !deadline_passed(&deadline))
			;
	}
	deadline = deadline_in(WAIT_TICKS / 4);
	while (wanted && started() < wanted && !deadline_passed(&deadline))
		;
	return started();
}

/* Their own tables tell them apart as soon as they run. */
static u32 find_others(u32 wanted)
{
	if (!machine_low_page() || (u64)smp_entry >> 32) {
		info("no page below 1 MB for other processors");
		return 1;
	}
	prepare_numbers();
	fill_trampoline();
	cpu_count_set(MAX_CPUS);
	return start_others(wanted);
}

bool smp_start(void)
{
	u32 wanted = machine_firmware_cpus();
	u32 found = 1;

	if (wanted > MAX_CPUS)
		wanted = MAX_CPUS;
	cpus[0].apic_id = apic_id();
	if (wanted != 1)
		found = find_others(wanted);
	cpu_count_set(found);
	info("processors: %u of %u", found, wanted);
	smp_watch_scenarios();
	for (u32 i = 0; vmx_present() && i < found; i++)
		vmx_region_reserve(i);
	if (vmx_present())
		vmx_prepare();
	return found > 1;
}

void lists_run(const struct scenario_list *lists, u64 count)
{
	info("the APIC's mode is %s", apic_is_x2apic() ? "x2APIC" : "xAPIC");
	for (u64 i = 0; i < count; i++)
		scenarios_run(lists[i].scenarios, *lists[i].count);
	if (apic_is_x2apic() || !apic_has_x2apic())
		return;
	all_enter_x2apic();
	info("the APIC's mode is x2APIC");
	for (u64 i = 0; i < count; i++)
		if (lists[i].both_modes)
			scenarios_run(lists[i].scenarios, *lists[i].count);
}
