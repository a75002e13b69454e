/* SPDX-License-Identifier: MIT */
/*
 * See vmx/apic_reset.h. What software can write is written; interrupts in service are ended;
 * requests that wait can only be taken, so L0 takes and drops them (apic_accept.asm).
 * Left as they are: the ID, the version, and the ICR, whose writing would send something.
 *
 * Departs from SDM "Local APIC State After It Receives an INIT Reset": the I/O APICs hear of
 * the end of level-triggered interrupts, which INIT does not tell them.
 */

#include "vmx/apic_reset.h"

#include "arch/descriptors.h"
#include "arch/ops.h"
#include "arch/x86.h"
#include "drivers/mca_dump.h"
#include "drivers/panic.h"
#include "mm/phys.h"

#define APIC_BASE_X2APIC BIT(10)
#define APIC_BASE_ENABLED BIT(11)
#define APIC_BASE_ADDRESS BITS(51, 12)
#define IA32_TSC_DEADLINE 0x6e0

/* SDM "Local APIC Register Address Map". */
#define APIC_VERSION 0x30
#define APIC_TPR 0x80
#define APIC_EOI 0xb0
#define APIC_LDR 0xd0
#define APIC_DFR 0xe0
#define APIC_SVR 0xf0
#define APIC_ISR 0x100
#define APIC_IRR 0x200
#define APIC_ESR 0x280
#define APIC_LVT_CMCI 0x2f0
#define APIC_ICR_HIGH 0x310
#define APIC_LVT_TIMER 0x320
#define APIC_LVT_THERMAL 0x330
#define APIC_LVT_PERFORMANCE 0x340
#define APIC_LVT_LINT0 0x350
#define APIC_LVT_LINT1 0x360
#define APIC_LVT_ERROR 0x370
#define APIC_INITIAL_COUNT 0x380
#define APIC_DIVIDE 0x3e0

#define LVT_MASKED 0x10000u
#define LVT_TSC_DEADLINE 0x40000u
#define SVR_RESET 0xffu
#define SVR_ENABLED 0x100u
#define VECTOR_REGISTERS 8u
#define VECTORS 256u
/*
 * From here on an APIC takes a vector for an interrupt. Of the exceptions among them only a machine check can come
 * where interrupts are dropped. SDM "Valid Interrupt Vectors".
 */
#define FIRST_INTERRUPT 16u
#define MCG_STATUS_MCIP BIT(2)

/* The registers, or NULL in x2APIC mode. */
struct apic {
	u8 *registers;
};

struct apic_value {
	u16 offset;
	u32 value;
};

/* What INIT makes of the rest; a write of 0 makes the ESR tell what came last, a second one clears that. */
static const struct apic_value reset_values[] = {
	{ APIC_DIVIDE, 0 }, { APIC_SVR, SVR_RESET }, { APIC_ESR, 0 }, { APIC_ESR, 0 },
};
static const struct apic_value reset_values_xapic[] = {
	{ APIC_LDR, 0 }, { APIC_DFR, 0xffffffff }, { APIC_ICR_HIGH, 0 },
};

/* In the order in which "Max LVT Entry" counts them. SDM "Local APIC Version Register". */
static const u16 lvt[] = {
	APIC_LVT_TIMER, APIC_LVT_LINT0, APIC_LVT_LINT1, APIC_LVT_ERROR, APIC_LVT_PERFORMANCE, APIC_LVT_THERMAL, APIC_LVT_CMCI,
};

/* apic_accept.asm */
void apic_accept(void);
extern __attribute__((visibility("hidden"))) const u8 apic_drop[];

/* L0's own gates for what can only be an exception, and one that drops for the rest. Constant after bring-up. */
static struct gate gates[VECTORS];

static u32 apic_read(const struct apic *apic, u32 offset)
{
	if (apic->registers)
		return *(volatile u32 *)(void *)(apic->registers + offset);
	return (u32)rdmsr(IA32_X2APIC_FIRST + (offset >> 4));
}

static void apic_write(const struct apic *apic, u32 offset, u32 value)
{
	if (apic->registers)
		*(volatile u32 *)(void *)(apic->registers + offset) = value;
	else
		(void)wrmsr_safe(IA32_X2APIC_FIRST + (offset >> 4), value);
}

static bool any_vector(const struct apic *apic, u32 first)
{
	u32 found = 0;

	for (u32 i = 0; i < VECTOR_REGISTERS; i++)
		found |= apic_read(apic, first + 0x10 * i);
	return found != 0;
}

static void mask_sources(const struct apic *apic)
{
	u32 highest = apic_read(apic, APIC_VERSION) >> 16 & 0xff;

	if (apic_read(apic, APIC_LVT_TIMER) & LVT_TSC_DEADLINE)
		(void)wrmsr_safe(IA32_TSC_DEADLINE, 0);
	for (u32 i = 0; i < array_size(lvt) && i <= highest; i++)
		apic_write(apic, lvt[i], LVT_MASKED);
	apic_write(apic, APIC_INITIAL_COUNT, 0);
}

/* One for each vector at most: nothing new is put in service meanwhile. */
static void end_all_in_service(const struct apic *apic)
{
	for (u32 i = 0; i < VECTORS && any_vector(apic, APIC_ISR); i++)
		apic_write(apic, APIC_EOI, 0);
}

void apic_reset_prepare(void)
{
	const struct descriptor_register own = sidt();
	const struct gate *from = (const struct gate *)(uintptr_t)own.base;
	u64 drop = (u64)(uintptr_t)apic_drop;

	for (u32 vector = 0; vector < VECTORS; vector++)
		gates[vector] = vector < FIRST_INTERRUPT ? from[vector] : (struct gate){
			.offset_low = (u16)drop, .offset_middle = (u16)(drop >> 16), .offset_high = (u32)(drop >> 32),
			.selector = SELECTOR_CODE, .type = GATE_INTERRUPT,
		};
}

static bool machine_check_under_way(void)
{
	u64 status;

	return rdmsr_safe(IA32_MCG_STATUS, &status) && (status & MCG_STATUS_MCIP);
}

/*
 * With MCIP set before, by L1's machine check, another one would have reset the machine. SDM
 * "IA32_MCG_STATUS MSR".
 */
static void look_for_machine_check(bool before)
{
	struct mca_state state;

	if (before || !machine_check_under_way())
		return;
	mca_read(&state);
	mca_print(&state, "in L0 itself");
	panic("machine check while the local APIC is reset");
}

/* What comes in while the APIC hands on interrupts is seen by the next look; what comes later it does not take. */
static void drop_requests(const struct apic *apic)
{
	const struct descriptor_register own = sidt();
	const struct descriptor_register dropping = { sizeof(gates) - 1, (u64)(uintptr_t)gates };
	bool before;

	if (!any_vector(apic, APIC_IRR))
		return;
	before = machine_check_under_way();
	lidt(&dropping);
	for (u32 i = 0; i < VECTORS && any_vector(apic, APIC_IRR); i++) {
		apic_write(apic, APIC_SVR, SVR_ENABLED | SVR_RESET); /* a disabled APIC hands on none */
		apic_accept();
		apic_write(apic, APIC_SVR, SVR_RESET);
		end_all_in_service(apic);
	}
	lidt(&own);
	look_for_machine_check(before);
}

static bool find_apic(struct apic *apic)
{
	u64 base = rdmsr(IA32_APIC_BASE);

	apic->registers = NULL;
	if (!(base & APIC_BASE_ENABLED))
		return false;
	if (base & APIC_BASE_X2APIC)
		return true;
	apic->registers = phys_to_ptr(hpa(base & APIC_BASE_ADDRESS));
	return apic->registers != NULL;
}

void apic_disable(void)
{
	struct apic apic;

	if (find_apic(&apic))
		apic_write(&apic, APIC_SVR, SVR_RESET);
}

void apic_reset(void)
{
	struct apic apic;

	if (!find_apic(&apic))
		return;
	mask_sources(&apic);
	apic_write(&apic, APIC_TPR, 0);
	end_all_in_service(&apic);
	drop_requests(&apic);
	for (u32 i = 0; i < array_size(reset_values); i++)
		apic_write(&apic, reset_values[i].offset, reset_values[i].value);
	for (u32 i = 0; apic.registers && i < array_size(reset_values_xapic); i++)
		apic_write(&apic, reset_values_xapic[i].offset, reset_values_xapic[i].value);
}
