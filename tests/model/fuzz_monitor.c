/* SPDX-License-Identifier: MIT */
/*
 * Whatever comes in on the monitor's line while L1 and L2 are anywhere: bytes below 128 are keys, the others have L1 do something. Every
 * answer is printable, ends with its line, and leaves everything as it was (tests/model/look_hands.h).
 */
#include <stdint.h>
#include <string.h>

#include "arch/x86.h"
#include "monitor/words.h"
#include "tests/model/look_hands.h"
#include "tests/model/model.h"
#include "tests/unit/vmcs12_builder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_STEPS 400
#define REGIONS 10		/* more than there are slots */
#define TABLES UINT64_C(0xb0000)

static struct edit edit;
static struct collect echo;

static void check_text(const struct collect *collect)
{
	require(collect->length < COLLECT_SIZE);
	require(strlen(collect->text) == collect->length);
	for (const char *c = collect->text; *c; c++)
		require(*c == '\n' || *c == '\b' || (*c >= ' ' && *c <= '~'));
}

static void answer(void)
{
	struct edit typed = edit;
	bool goes_on = hands_command(edit.line);
	char *words[2];

	check_text(&hands.answer);
	require(!hands.answer.length || hands.answer.text[hands.answer.length - 1] == '\n');
	/* What begins with a c may be the command that lets the guests go on. */
	require(goes_on || (words_split(typed.line, words, 2) && words_begins("continue", words[0])));
	require(hands.monitor.cpu < model.handoff.cpu_count);
}

static void key(u8 byte)
{
	enum edit_result result = edit_key(&edit, byte, &echo.out);

	require(edit.length < EDIT_SIZE && strlen(edit.line) == edit.length);
	if (result == EDIT_MORE)
		return;
	check_text(&echo);
	if (result == EDIT_LINE)
		answer();
	edit_begin(&edit);
	collect_begin(&echo);
}

/* --- L1 ------------------------------------------------------------------------------------ */

static void exit_l2(u8 how)
{
	model.vcpu.regs.gpr[REG_RCX] = IA32_FEATURE_CONTROL;
	(void)model_exit_for(how & 1 ? EXIT_CPUID : EXIT_RDMSR, how);
}

/* Fields that the commands read most; nothing with which L1 itself could not go on after an exit. */
static void write_field(u8 which, u8 value)
{
	static const vmcs_field fields[] = {
		VMCS_FIELD(EPT_POINTER), VMCS_FIELD(SECONDARY_PROCESSOR_BASED_CONTROLS), VMCS_FIELD(PROCESSOR_BASED_CONTROLS),
		VMCS_FIELD(GUEST_RIP), VMCS_FIELD(GUEST_CS_ACCESS_RIGHTS), VMCS_FIELD(GUEST_RFLAGS),
		VMCS_FIELD(ENTRY_INTERRUPTION_INFORMATION),
	};

	(void)l1_vmwrite(fields[which % array_size(fields)].encoding, UINT64_C(0x0204081020408101) * value << (value & 31));
}

static void edit_tables(u8 which, u8 value)
{
	static const u64 entries[] = { 0, TABLES | 7, (TABLES + 0x1000) | 7, 0x7037, 0x2000b7, 0x82, FAKE_BLOCK_BASE | 0x37,
				       UINT64_C(0xffffffffff000) | 7, UINT64_MAX, 0x404 };

	((u64 *)l1_pointer(TABLES + (which & 1) * PAGE_SIZE))[value & 3] = entries[value % array_size(entries)];
}

static void step(u8 action, u8 a, u8 b)
{
	if (model_in_l2()) {
		exit_l2(action);
		return;
	}
	switch (action & 7) {
	case 0:
	case 1:
		if (l1_vmlaunch().outcome == L1_FAIL_VALID)
			(void)l1_vmresume();
		break;
	case 2:
		(void)l1_vmptrld(L1_REGION(a % REGIONS));
		break;
	case 3:
		(void)l1_vmclear(L1_REGION(a % REGIONS));
		break;
	case 4:
		edit_tables(a, b);
		break;
	case 5:
		(void)(a & 7 ? l1_vmxon(L1_VMXON) : l1_vmxoff());
		break;
	default:
		write_field(a, b);
	}
}

/* --- all of it ------------------------------------------------------------------------------- */

static void begin(u8 choice)
{
	static struct builder builder;

	builder_init(&builder, choice & 1 ? BUILD_EVERYTHING : BUILD_LONG);
	if (choice & 2)
		builder.hardware.control[WORD_PROC2].may_be_1 &= ~PROC2_VMCS_SHADOWING;
	vmcs12_set(&builder.vmcs12, VMCS_HOST_CR3, L1_PAGING);
	require(model_boot(&builder.hardware, false));
	for (u32 i = 0; i < REGIONS; i++)
		memcpy(l1_pointer(L1_REGION(i)), &builder.vmcs12, PAGE_SIZE);
	l1_make_region(L1_REGION(REGIONS - 1));
	*(u32 *)l1_pointer(L1_REGION(REGIONS - 1)) |= VMCS12_SHADOW_INDICATOR;
	*(u32 *)l1_pointer(L1_VMXON) = VMCS12_REVISION;
	model.handoff.range_count = 1;
	model.handoff.ranges[0] = (struct handoff_range){ .size = 0x100000, .type = 7 };
	model.handoff.cpu_count = 3;
	if (choice & 4) {
		require(l1_vmxon(L1_VMXON).outcome == L1_OK);
		require(l1_vmptrld(L1_REGION(0)).outcome == L1_OK);
	}
	hands_begin();
	edit_init(&edit);
	collect_begin(&echo);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	u32 steps = 0;

	if (size < 4)
		return 0;
	begin(data[0]);
	for (size_t i = 1; i < size && steps < MAX_STEPS && !model.ended; i++) {
		if (data[i] < 0x80) {
			key(data[i]);
			continue;
		}
		steps++;
		step(data[i], i + 1 < size ? data[i + 1] : 0, i + 2 < size ? data[i + 2] : 0);
		i += 2;
	}
	return 0;
}
