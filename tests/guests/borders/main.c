/* SPDX-License-Identifier: MIT */
/*
 * borders: valid VMCSs, changed in one to three places near their borders, and
 * what VM entry makes of each: a line "L number kind changes > verdict" for every
 * launch. Load options: seed=N, launches=N. A launch depends on the seed and its
 * number alone.
 */
#include "tests/guests/borders/borders.h"

#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/report.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define LAUNCHES 1500
#define ENTERED " > exit 52"
#define IN_A_ROW 16 /* of one L2, from VMLAUNCH on */

static struct subject *subjects;
static u32 subject_count;

/* What L1 is offered, for whoever compares: a bit that is not offered is no border. */
static void print_capabilities(void)
{
	static const u32 msrs[] = { IA32_VMX_TRUE_PINBASED_CTLS, IA32_VMX_TRUE_PROCBASED_CTLS, IA32_VMX_PROCBASED_CTLS2,
				    IA32_VMX_TRUE_EXIT_CTLS, IA32_VMX_TRUE_ENTRY_CTLS, IA32_VMX_EPT_VPID_CAP, IA32_VMX_CR4_FIXED1 };

	for (u32 i = 0; i < ARRAY_SIZE(msrs); i++)
		info("capability %x %lx", msrs[i], rdmsr(msrs[i]));
}

static void begin(struct subject *s)
{
	vmclear(s->vm->vmcs);
	vmptrld(s->vm->vmcs);
	s->vm->launched = false;
}

static struct subject *subject_of(u32 number)
{
	u64 random = (u64)machine_seed() << 32 | number / IN_A_ROW;

	return &subjects[random_next(&random) % subject_count];
}

static void launch_one(u32 number)
{
	struct launch launch = { .subject = subject_of(number), .random = ~((u64)machine_seed() << 32 | number) };

	mutations_choose(&launch);
	say("%u %s", number, launch.subject->name);
	verdict_say(&launch);
	list_said();
}

/* Expect: each kind as it is can be entered, and the timer ends it. */
static void check_base(struct subject *s)
{
	struct launch nothing = { .subject = s };

	begin(s);
	verdict_say(&nothing);
}

static void launches(void)
{
	u32 count = machine_option("launches", LAUNCHES);

	subjects = subjects_make(&subject_count);
	for (u32 i = 0; i < subject_count; i++) {
		check_base(&subjects[i]);
		check_said(subjects[i].name, ENTERED);
	}
	for (u32 i = 0; i < count; i++) {
		if (i % IN_A_ROW == 0)
			begin(subject_of(i));
		launch_one(i);
	}
	check_base(&subjects[0]); /* and so the host state is what it was */
	say("; %u launches", count);
}

static const struct scenario scenarios[] = {
	{ "borders.launches", launches, NULL, NULL },
};

void guest_main(void)
{
	if (!vmx_present()) {
		info("no VMX");
		return;
	}
	info("borders, seed %u, Testudo %s", machine_seed(), under_testudo() ? "below" : "not found");
	vmx_prepare();
	print_capabilities();
	vmx_on();
	scenarios_run(scenarios, ARRAY_SIZE(scenarios));
	vmx_off();
}
