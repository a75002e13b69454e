/* SPDX-License-Identifier: MIT */
/* Reads and prints the machine-check registers: see drivers/mca_dump.h. */
#include "drivers/mca_dump.h"

#include "arch/bits.h"
#include "arch/ops.h"
#include "arch/percpu.h"
#include "arch/x86.h"
#include "boot/handoff.h"
#include "drivers/console.h"

#define MCG_CAP_COUNT BITS(7, 0)
#define TEXT_BYTES 200

void mca_read(struct mca_state *state)
{
	u32 count;

	*state = (struct mca_state){ 0 };
	if (!bit_is_set(cpuid(1, 0).edx, 14) || !rdmsr_safe(IA32_MCG_CAP, &state->cap))
		return;
	(void)rdmsr_safe(IA32_MCG_STATUS, &state->status);
	count = (u32)field_get(state->cap, MCG_CAP_COUNT);
	state->bank_count = count < MCA_BANKS_MAX ? count : MCA_BANKS_MAX;
	for (u32 i = 0; i < state->bank_count; i++) {
		struct mca_bank *bank = &state->banks[i];

		(void)rdmsr_safe(IA32_MC0_STATUS + 4 * i, &bank->status);
		if (!mca_bank_is_valid(bank))
			continue;
		/* SDM "IA32_MCi_ADDR MSRs": reading one that is not there faults. */
		if (mca_has_address(bank))
			(void)rdmsr_safe(IA32_MC0_STATUS + 4 * i + 1, &bank->address);
		if (mca_has_misc(bank))
			(void)rdmsr_safe(IA32_MC0_STATUS + 4 * i + 2, &bank->misc);
	}
}

static void print_bank(const struct mca_state *state, u32 number)
{
	const struct mca_bank *bank = &state->banks[number];
	char text[TEXT_BYTES];

	mca_describe_status(state, bank, text, sizeof(text));
	log_error("  bank %u: STATUS %016lx: %s", number, bank->status, text);
	if (mca_has_address(bank))
		log_error("  bank %u: ADDR %016lx", number, bank->address);
	if (mca_has_misc(bank)) {
		mca_describe_misc(state, bank, text, sizeof(text));
		log_error("  bank %u: MISC %016lx: %s", number, bank->misc, text);
	}
}

void mca_print(const struct mca_state *state, const char *where)
{
	const struct percpu *cpu = percpu();
	char text[TEXT_BYTES];
	u32 valid = 0;

	log_error("machine check %s, on processor %u with APIC ID %u:", where, cpu->index, cpu->handoff->cpus[cpu->index].apic_id);
	mca_describe_global(state, text, sizeof(text));
	log_error("  IA32_MCG_STATUS %lx: %s", state->status, text);
	for (u32 i = 0; i < state->bank_count; i++) {
		if (!mca_bank_is_valid(&state->banks[i]))
			continue;
		print_bank(state, i);
		valid++;
	}
	log_error("  %u of %u banks tell of an error", valid, state->bank_count);
}
