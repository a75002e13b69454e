/* SPDX-License-Identifier: MIT */
/*
 * The other processors: from the firmware's hands by INIT, through the
 * trampoline, to a loop that waits for something to do. Interrupts are off on
 * them unless what they are asked opens them. After each scenario every
 * processor is brought back to that loop; one that cannot be is lost, and
 * each later scenario that wants it says so.
 */
#include "tests/guests/lib/smp.h"

#include "tests/guests/lib/apic.h"
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/report.h"
#include "tests/guests/lib/traps.h"
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

static volatile bool scenario_over;

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

struct deadline deadline_in(u64 ticks)
{
	return (struct deadline){ rdtsc() + ticks };
}

bool deadline_passed(const struct deadline *deadline)
{
	__builtin_ia32_pause();
	return rdtsc() > deadline->end;
}

void deadline_check(const struct deadline *deadline, const char *what)
{
	if (deadline_passed(deadline))
		scenario_abort(" time-out: %s", what);
	if (scenario_over && cpu_here())
		scenario_abort(" given up: %s", what);
}

void delay(u64 ticks)
{
	struct deadline deadline = deadline_in(ticks);

	while (!deadline_passed(&deadline))
		;
}

void barrier_wait(struct barrier *barrier, u32 parties)
{
	u32 round = barrier->round;

	if (__atomic_add_fetch(&barrier->arrived, 1, __ATOMIC_ACQ_REL) == parties) {
		barrier->arrived = 0;
		__atomic_add_fetch(&barrier->round, 1, __ATOMIC_RELEASE);
		return;
	}
	WAIT_UNTIL(barrier->round != round, "barrier");
}

/* What a processor was asked, with a guard of its own: an exception or an abort ends only that. */
static void run_asked(struct cpu *here)
{
	struct guard guard;

	if (guard_enter(&guard) == 0) {
		here->running = &guard;
		here->run(here->argument);
		here->running = NULL;
		guard_leave(&guard);
		__atomic_store_n(&here->state, CPU_IDLE, __ATOMIC_RELEASE);
		return;
	}
	here->running = NULL;
	if (guard.trapped)
		say(" exception #%u(%x)", guard.vector, guard.error_code);
	cli();
	nmi_unblock();
	__atomic_store_n(&here->state, CPU_ABORTED, __ATOMIC_RELEASE);
}

_Noreturn void smp_main(u32 number)
{
	struct cpu *here = &cpus[number];

	machine_load_tables(here->tables);
	here->innermost = here->running = NULL;
	here->in_vmx = false;
	if (vmx_present())
		vmx_prepare();
	apic_prepare();
	here->apic_id = apic_id();
	__atomic_store_n(&here->state, CPU_IDLE, __ATOMIC_RELEASE);
	__atomic_add_fetch(&here->boots, 1, __ATOMIC_RELEASE);
	for (;;) {
		while (__atomic_load_n(&here->state, __ATOMIC_ACQUIRE) != CPU_ASKED)
			__builtin_ia32_pause();
		here->state = CPU_RUNNING;
		run_asked(here);
	}
}

static bool is_at_rest(u32 cpu)
{
	u32 state = __atomic_load_n(&cpus[cpu].state, __ATOMIC_ACQUIRE);

	return state == CPU_IDLE || state == CPU_ABORTED;
}

void cpu_ask(u32 cpu, void (*run)(void *), void *argument)
{
	if (cpu >= cpu_count() || !is_at_rest(cpu))
		scenario_abort(" cpu %u is %s", cpu, cpus[cpu].state == CPU_LOST ? "lost" : "not at rest");
	text_clear(&cpus[cpu].said);
	cpus[cpu].run = run;
	cpus[cpu].argument = argument;
	__atomic_store_n(&cpus[cpu].state, CPU_ASKED, __ATOMIC_RELEASE);
}

bool cpu_is_done(u32 cpu)
{
	return is_at_rest(cpu) || cpus[cpu].state == CPU_LOST;
}

void cpu_wait(u32 cpu)
{
	struct deadline deadline = deadline_in(WAIT_TICKS);

	while (!cpu_is_done(cpu))
		if (deadline_passed(&deadline))
			scenario_abort(" time-out: cpu %u", cpu);
	if (cpus[cpu].state != CPU_IDLE)
		scenario_abort(" cpu %u:%s", cpu, cpus[cpu].said.data);
}

void cpu_call(u32 cpu, void (*run)(void *), void *argument)
{
	cpu_ask(cpu, run, argument);
	cpu_wait(cpu);
}

const char *cpu_said(u32 cpu)
{
	return cpus[cpu].said.data;
}

void others_ask(void (*run)(void *), void *arguments, size_t stride)
{
	for (u32 cpu = 1; cpu < cpu_count(); cpu++)
		cpu_ask(cpu, run, arguments ? (u8 *)arguments + cpu * stride : NULL);
}

void others_wait(void)
{
	for (u32 cpu = 1; cpu < cpu_count(); cpu++)
		cpu_wait(cpu);
}

void all_call(void (*run)(void *), void *arguments, size_t stride)
{
	others_ask(run, arguments, stride);
	run(arguments);
	others_wait();
}

void cpu_send(u32 cpu, u32 command)
{
	apic_send(cpus[cpu].apic_id, command);
}

void cpu_send_init(u32 cpu)
{
	cpu_send(cpu, ICR_INIT | ICR_ASSERT);
}

void cpu_send_sipi(u32 cpu)
{
	cpu_send(cpu, ICR_SIPI | ICR_ASSERT | smp_sipi_vector());
}

void cpu_send_nmi(u32 cpu)
{
	cpu_send(cpu, ICR_NMI | ICR_ASSERT);
}

void cpu_send_vector(u32 cpu, u8 vector)
{
	cpu_send(cpu, ICR_ASSERT | vector);
}

static bool has_booted(u32 cpu, u32 boots, u64 ticks)
{
	struct deadline deadline = deadline_in(ticks);

	while (cpus[cpu].boots == boots)
		if (deadline_passed(&deadline))
			return false;
	return true;
}

/* SDM "MP Initialization Example": a second SIPI in case the first was not taken. */
static bool try_start_again(u32 cpu)
{
	u32 boots = cpus[cpu].boots;

	cpu_send_sipi(cpu);
	if (has_booted(cpu, boots, SIPI_TICKS))
		return true;
	cpu_send_sipi(cpu);
	return has_booted(cpu, boots, WAIT_TICKS / 4);
}

void cpu_start_again(u32 cpu)
{
	if (!try_start_again(cpu))
		scenario_abort(" time-out: cpu %u after SIPI", cpu);
}

void cpu_restart(u32 cpu)
{
	cpus[cpu].state = CPU_RUNNING;
	cpu_send_init(cpu);
	delay(INIT_TICKS);
	cpu_start_again(cpu);
}

static void enter_x2apic(void *unused)
{
	(void)unused;
	apic_enter_x2apic();
	cpu_this()->apic_id = apic_id();
}

void all_enter_x2apic(void)
{
	all_call(enter_x2apic, NULL, 0);
}

/* An NMI interrupts what cannot be reached otherwise, when nobody waits for it any more. */
static void nmi_ends_scenario(void)
{
	struct cpu *here = cpu_this();

	if (scenario_over && here != &cpus[0] && here->running)
		guard_raise(here->running);
}

static bool comes_to_rest(u32 cpu, u64 ticks)
{
	struct deadline deadline = deadline_in(ticks);

	while (!is_at_rest(cpu))
		if (deadline_passed(&deadline))
			return false;
	return true;
}

static void bring_back(u32 cpu)
{
	if (comes_to_rest(cpu, WAIT_TICKS / 8))
		return;
	cpu_send_nmi(cpu);
	if (comes_to_rest(cpu, WAIT_TICKS / 8))
		return;
	cpu_send_init(cpu);
	delay(INIT_TICKS);
	if (!try_start_again(cpu))
		cpus[cpu].state = CPU_LOST;
}

/* A VMCS that is still active somewhere may be written back into memory that the next scenario uses. */
static void leave_vmx(void *unused)
{
	(void)unused;
	vmx_regions_clear();
	vmx_off();
}

static void end_scenario(void)
{
	scenario_over = true;
	for (u32 cpu = 1; cpu < cpu_count(); cpu++)
		if (cpus[cpu].state != CPU_LOST)
			bring_back(cpu);
	scenario_over = false;
	for (u32 cpu = 1; cpu < cpu_count(); cpu++) {
		if (!is_at_rest(cpu) || !cpus[cpu].in_vmx)
			continue;
		cpu_ask(cpu, leave_vmx, NULL);
		if (!comes_to_rest(cpu, WAIT_TICKS / 8))
			cpus[cpu].state = CPU_LOST;
	}
	if (cpus[0].in_vmx)
		leave_vmx(NULL);
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
	traps_on_nmi(nmi_ends_scenario);
	scenario_on_end(end_scenario);
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
