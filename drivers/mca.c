/* SPDX-License-Identifier: MIT */
/* Words for machine-check registers: see drivers/mca.h. */
#include "drivers/mca.h"

#include "arch/bits.h"
#include "drivers/printk.h"

/* IA32_MCG_CAP. */
#define MCG_CAP_THRESHOLD_STATUS BIT(11)	/* bits 54:53 of a status mean something */
#define MCG_CAP_SOFTWARE_RECOVERY BIT(24)	/* so do bits 56:55, and MISC's low ones */

/* SDM "IA32_MCi_STATUS MSRS". */
#define STATUS_VALID BIT(63)
#define STATUS_OVERFLOW BIT(62)
#define STATUS_UNCORRECTED BIT(61)
#define STATUS_ENABLED BIT(60)
#define STATUS_MISC_VALID BIT(59)
#define STATUS_ADDRESS_VALID BIT(58)
#define STATUS_CONTEXT_CORRUPT BIT(57)
#define STATUS_SIGNALLED BIT(56)
#define STATUS_ACTION_REQUIRED BIT(55)
#define STATUS_THRESHOLD BITS(54, 53)
#define STATUS_CORRECTED_COUNT BITS(52, 38)
#define STATUS_MODEL_CODE BITS(31, 16)
#define STATUS_CODE BITS(15, 0)

/* SDM "IA32_MCi_MISC MSRs". */
#define MISC_ADDRESS_LSB BITS(5, 0)
#define MISC_ADDRESS_MODE BITS(8, 6)

/* SDM "Simple Error Codes", "Compound Error Codes"; bit 12 only says that reports are filtered. */
static const struct {
	u16 mask, value;
	const char *name;
} codes[] = {
	{ 0xffff, 0x0000, "no error" },
	{ 0xffff, 0x0001, "unclassified error" },
	{ 0xffff, 0x0002, "parity error in the microcode ROM" },
	{ 0xffff, 0x0003, "external error" },
	{ 0xffff, 0x0004, "functional redundancy check error" },
	{ 0xffff, 0x0005, "internal parity error" },
	{ 0xffff, 0x0006, "code access violation in SMM" },
	{ 0xffff, 0x0400, "internal timer error" },
	{ 0xffff, 0x0e0b, "I/O error" },
	{ 0xfc00, 0x0400, "internal unclassified error" },
	{ 0xeffc, 0x000c, "generic cache hierarchy error" },
	{ 0xeff0, 0x0010, "TLB error" },
	{ 0xef80, 0x0080, "memory controller error" },
	{ 0xef80, 0x0280, "extended memory error" },
	{ 0xef00, 0x0100, "cache hierarchy error" },
	{ 0xe800, 0x0800, "bus or interconnect error" },
};

struct output {
	char *text;
	size_t size, length;
};

static void add(struct output *out, const char *word)
{
	if (out->length < out->size)
		out->length += format_text(out->text + out->length, out->size - out->length, "%s%s", out->length > 0 ? ", " : "", word);
}

static void add_if(struct output *out, bool condition, const char *word)
{
	if (condition)
		add(out, word);
}

bool mca_bank_is_valid(const struct mca_bank *bank)
{
	return (bank->status & STATUS_VALID) != 0;
}

bool mca_has_address(const struct mca_bank *bank)
{
	return (bank->status & STATUS_ADDRESS_VALID) != 0;
}

bool mca_has_misc(const struct mca_bank *bank)
{
	return (bank->status & STATUS_MISC_VALID) != 0;
}

/* SDM "IA32_MCG_STATUS MSR". */
void mca_describe_global(const struct mca_state *state, char *text, size_t size)
{
	struct output out = { text, size, 0 };
	u64 status = state->status;

	add(&out, bit_is_set(status, 2) ? "in progress (MCIP)" : "none in progress (no MCIP)");
	add(&out, bit_is_set(status, 0) ? "the interrupted program could go on (RIPV)" : "the interrupted program cannot go on (no RIPV)");
	add(&out, bit_is_set(status, 1) ? "its instruction is the cause (EIPV)" : "its instruction is not known to be the cause (no EIPV)");
	add_if(&out, bit_is_set(status, 3), "signalled to this processor alone (LMCE_S)");
}

static const char *severity(const struct mca_state *state, u64 status)
{
	bool recovery = (state->cap & MCG_CAP_SOFTWARE_RECOVERY) != 0;

	if (!(status & STATUS_UNCORRECTED))
		return "corrected";
	if (status & STATUS_CONTEXT_CORRUPT)
		return "uncorrected and fatal: processor context corrupt (PCC)";
	/* SDM "UCR Error Classification". */
	if (recovery && (status & STATUS_SIGNALLED))
		return status & STATUS_ACTION_REQUIRED ? "uncorrected, recovery required (SRAR)" : "uncorrected, recovery optional (SRAO)";
	return recovery ? "uncorrected, no action required (UCNA)" : "uncorrected";
}

static const char *name_of(u64 code)
{
	for (size_t i = 0; i < array_size(codes); i++)
		if ((code & codes[i].mask) == codes[i].value)
			return codes[i].name;
	return "error of no architectural class";
}

void mca_describe_status(const struct mca_state *state, const struct mca_bank *bank, char *text, size_t size)
{
	static const char *const thresholds[] = { NULL, "count below its threshold", "count above its threshold", NULL };
	struct output out = { text, size, 0 };
	u64 status = bank->status, code = field_get(status, STATUS_CODE);
	const char *threshold = thresholds[field_get(status, STATUS_THRESHOLD)];
	char word[96];

	add(&out, severity(state, status));
	(void)format_text(word, sizeof(word), "%s (code 0x%lx, model's own 0x%lx)", name_of(code), code,
			  field_get(status, STATUS_MODEL_CODE));
	add(&out, word);
	add_if(&out, (status & STATUS_OVERFLOW) != 0, "an earlier one was lost (OVER)");
	add_if(&out, !(status & STATUS_ENABLED), "not enabled (no EN)");
	if (!(status & STATUS_UNCORRECTED) && field_get(status, STATUS_CORRECTED_COUNT) != 0) {
		(void)format_text(word, sizeof(word), "%lu counted", field_get(status, STATUS_CORRECTED_COUNT));
		add(&out, word);
	}
	add_if(&out, (state->cap & MCG_CAP_THRESHOLD_STATUS) && !(status & STATUS_UNCORRECTED) && threshold != NULL, threshold);
}

void mca_describe_misc(const struct mca_state *state, const struct mca_bank *bank, char *text, size_t size)
{
	static const char *const modes[] = { "segment offset", "linear address", "physical address", "memory address" };
	u64 mode = field_get(bank->misc, MISC_ADDRESS_MODE);

	if (!(state->cap & MCG_CAP_SOFTWARE_RECOVERY)) {
		(void)format_text(text, size, "the model's own");
		return;
	}
	(void)format_text(text, size, "%s, from bit %lu up",
			  mode < array_size(modes) ? modes[mode] : mode == 7 ? "generic" : "reserved mode",
			  field_get(bank->misc, MISC_ADDRESS_LSB));
}
